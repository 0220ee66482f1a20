/**
 * Signals to a process group, and whether anything in it still runs.
 *
 * Dead processes that nobody has collected yet belong to their group for as long as that takes; they do not count.
 */
import * as NFS from "node:fs"

/** A group that is gone is no error. */
export const signal = (group: number, name: NodeJS.Signals): void => {
  try {
    process.kill(-group, name)
  } catch {
    // ESRCH: it is gone. EPERM: none of its members is ours any more.
  }
}

/** `pid (name) state ppid pgrp …`: the name may hold blanks and brackets, so the fields are counted from its end. */
const runsIn = (stat: string, group: number): boolean => {
  const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ", 3)
  return pgrp === String(group) && state !== "Z" && state !== "X"
}

const statOf = (pid: string): string => {
  try {
    return NFS.readFileSync(`/proc/${pid}/stat`, "latin1")
  } catch {
    return ""
  }
}

const processes = (): ReadonlyArray<string> | undefined => {
  try {
    return NFS.readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return undefined
  }
}

/** The group has members, be they dead ones. */
export const exists = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH")
  }
}

/** Something in the group can still run. Cheap when the group is gone, which is the usual case. */
export const isAlive = (group: number): boolean =>
  exists(group) && (processes()?.some((pid) => runsIn(statOf(pid), group)) ?? true)
