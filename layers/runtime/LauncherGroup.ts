/**
 * Signals to a process group, and whether anything in it still runs.
 *
 * Dead processes that nobody has collected yet belong to their group for as long as that takes; they do not count.
 */
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"

/** A group that is gone is no error. */
export const signal = (group: number, name: NodeJS.Signals): void => {
  try {
    process.kill(-group, name)
  } catch {
    // ESRCH: it is gone. EPERM: none of its members is ours any more.
  }
}

/** The process alone. One that is gone is no error. */
export const signalOne = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // ESRCH: it is gone.
  }
}

/** `pid (name) state ppid pgrp …`: the name may hold blanks and brackets, so the fields are counted from its end. */
const runsIn = (stat: string, group: number): boolean => {
  const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ", 3)
  return pgrp === String(group) && state !== "Z" && state !== "X"
}

const isMember =
  (group: number) =>
  (pid: string): boolean => {
    try {
      return runsIn(NFS.readFileSync(`/proc/${pid}/stat`, "latin1"), group)
    } catch {
      return false
    }
  }

/** The members that can run; nothing where there is no /proc. */
const members = (group: number): ReadonlyArray<string> | undefined => {
  try {
    return NFS.readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter(isMember(group))
  } catch {
    return undefined
  }
}

/** The process can still run. A dead one that nobody has collected yet cannot. */
const runs = (pid: number): boolean => {
  try {
    const stat = NFS.readFileSync(`/proc/${pid}/stat`, "latin1")
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
  } catch {
    return false
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

/** Something beside its leader can still run in the group. */
export const hasOthers = (group: number): boolean =>
  exists(group) && members(group)?.some((pid) => pid !== String(group)) !== false

/** Something in the group can still run. Cheap when the group is gone, which is the usual case. */
export const isAlive = (group: number): boolean => exists(group) && members(group)?.length !== 0

/** How soon it is looked again, in milliseconds; the last one repeats. */
const looks = [0, 1, 2, 4, 8, 16]

const pause = (look: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), looks[Math.min(look, looks.length - 1)])
    return Effect.sync(() => clearTimeout(timer))
  })

/**
 * Returns when the process can run no more. The first process of a pid namespace is that far only when everything in
 * its namespace is gone.
 */
export const ended: (pid: number) => Effect.Effect<void> = Effect.fnUntraced(function* (pid) {
  for (let look = 0; runs(pid); look++) yield* pause(look)
})

/**
 * Returns when nothing in the group can run any more. The end of a process that is not our child is no event: it is
 * looked for, at real intervals and not on the Effect clock, which may stand still. The caller sets the limit.
 */
export const gone: (group: number) => Effect.Effect<void> = Effect.fnUntraced(function* (group) {
  let known = exists(group) ? members(group) : []
  for (let look = 0; known === undefined || known.length > 0; look++) {
    yield* pause(look)
    known = known?.filter(isMember(group))
    // Who was known has gone; whoever it started meanwhile is found by another search.
    if (known === undefined || known.length === 0) known = exists(group) ? members(group) : []
  }
})
