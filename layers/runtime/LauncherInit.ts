/**
 * The first process of a pid namespace, as the program that makes the namespace reports it.
 *
 * It is written into a file, and not into a pipe: it can be read at any moment without waiting. The file has a name as
 * long as the process runs, so that the watcher finds it when this program is killed. A namespace should end with the
 * program that made it, but what runs inside can trace its first process and talk it out of that.
 */
import * as NFS from "node:fs"

export interface Init {
  /** What the program writes to. */
  readonly fd: number
  /** Undefined as long as there is none, and when it has ended: its number may then be another's. */
  readonly pid: () => number | undefined
  readonly close: () => void
}

/** Longer than what is written before the number. */
const maxReport = 4096

const fieldOf = (report: string, key: string): string | undefined =>
  new RegExp(`"${key}"\\s*:\\s*(\\d+)`).exec(report)?.[1]

const namespaceOf = (pid: string): string | undefined => {
  try {
    return /\d+/.exec(NFS.readlinkSync(`/proc/${pid}/ns/pid`))?.[0]
  } catch {
    return undefined
  }
}

/** `path` is a name that is free. Throws what the system throws. */
export const openUnsafe = (path: string): Init => {
  const fd = NFS.openSync(path, "wx+", 0o600)
  return {
    fd,
    pid: () => {
      const bytes = new Uint8Array(maxReport)
      const length = NFS.readSync(fd, bytes, 0, bytes.length, 0)
      const report = new TextDecoder().decode(bytes.subarray(0, length))
      const [pid, namespace] = ["child-pid", "pid-namespace"].map((key) => fieldOf(report, key))
      return pid === undefined || namespace !== namespaceOf(pid) ? undefined : Number(pid)
    },
    close: () => {
      NFS.closeSync(fd)
      NFS.rmSync(path, { force: true })
    }
  }
}
