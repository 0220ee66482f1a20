/** The kernel's machine for filters of system calls: as much of it as a filter may use. */
import { assert } from "@effect/vitest"

export interface Call {
  /** As AUDIT_ARCH_… */
  readonly architecture: number
  readonly number: number
  readonly args?: ReadonlyArray<bigint>
}

/** 64 bytes as the kernel shows them: number, architecture, instruction pointer, six arguments. */
const dataOf = ({ architecture, args = [], number }: Call): DataView => {
  const view = new DataView(new ArrayBuffer(64))
  view.setUint32(0, number, true)
  view.setUint32(4, architecture, true)
  for (const [index, value] of args.entries()) view.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true)
  return view
}

const maxInstructions = 4096

/** The kernel's checks before it takes a program: lengths, jumps forward and within, an answer at the end. */
export const verify = (bytes: Uint8Array): void => {
  assert.strictEqual(bytes.length % 8, 0)
  const count = bytes.length / 8
  assert.isTrue(count > 0 && count <= maxInstructions)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < count; at++) {
    const code = view.getUint16(at * 8, true)
    assert.include([0x20, 0x54, 0x06, 0x15, 0x25], code)
    if (code === 0x20)
      assert.isTrue(view.getUint32(at * 8 + 4, true) % 4 === 0 && view.getUint32(at * 8 + 4, true) < 64)
    if (code === 0x15 || code === 0x25) {
      assert.isBelow(at + 1 + view.getUint8(at * 8 + 2), count)
      assert.isBelow(at + 1 + view.getUint8(at * 8 + 3), count)
    }
  }
  assert.strictEqual(view.getUint16((count - 1) * 8, true), 0x06)
}

const answers: Readonly<Record<number, string>> = { 0x7fff_0000: "allowed", 0x8000_0000: "killed" }
const errors: Readonly<Record<number, string>> = { 1: "EPERM", 38: "ENOSYS", 97: "EAFNOSUPPORT" }

/** What the program answers to a call. */
export const judge = (bytes: Uint8Array, call: Call): string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const data = dataOf(call)
  let accumulator = 0
  for (let at = 0; at < bytes.length / 8; at++) {
    const code = view.getUint16(at * 8, true)
    const [yes, no] = [view.getUint8(at * 8 + 2), view.getUint8(at * 8 + 3)]
    const k = view.getUint32(at * 8 + 4, true)
    if (code === 0x20) accumulator = data.getUint32(k, true)
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0
    else if (code === 0x15) at += accumulator === k ? yes : no
    else if (code === 0x25) at += accumulator > k ? yes : no
    else if (code === 0x06) return answers[k] ?? errors[k & 0xffff] ?? `answer ${k}`
    else throw new Error(`no such instruction: ${code}`)
  }
  throw new Error("no answer")
}
