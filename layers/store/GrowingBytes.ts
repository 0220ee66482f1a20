/** Bytes that grow at the end. The room doubles when it is full, so n appends copy no more than 2n bytes. */
export class GrowingBytes {
  private room = new Uint8Array(1_024)
  private used = 0

  get length(): number {
    return this.used
  }

  append(bytes: Uint8Array): void {
    const needed = this.used + bytes.length
    if (needed > this.room.length) {
      const larger = new Uint8Array(Math.max(needed, this.room.length * 2))
      larger.set(this.room.subarray(0, this.used))
      this.room = larger
    }
    this.room.set(bytes, this.used)
    this.used = needed
  }

  truncate(length: number): void {
    this.used = Math.min(this.used, length)
  }

  /** A copy of bytes `from` ≤ i < `to`, as far as there are any. */
  slice(from: number, to: number): Uint8Array {
    return this.room.slice(Math.max(0, from), Math.max(0, Math.min(to, this.used)))
  }
}
