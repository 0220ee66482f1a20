/** Who is connected to a pod, for `attach_status`. One per pod, shared by everything that serves it. */

export interface ConnectionInfo {
  /** What the client called itself in `hello`; null before that. */
  readonly client: string | null
  readonly protocol: 1 | 2
  /** Lines that wait to be written to it. */
  readonly queued: number
}

export class Connections {
  private readonly open = new Set<() => ConnectionInfo>()

  /** `info` is asked whenever somebody lists. Returns what takes the connection off the list. */
  add(info: () => ConnectionInfo): () => void {
    this.open.add(info)
    return () => this.open.delete(info)
  }

  /** In the order in which they connected. */
  list(): ReadonlyArray<ConnectionInfo> {
    return Array.from(this.open, (info) => info())
  }
}

export const make = (): Connections => new Connections()
