/**
 * Ends the owner of a pod that is stopped or hangs, so that its locks come free.
 *
 * A pid may be anybody's by now. A signal goes only to a process of this user that has the pid, the boot and the start
 * time of the owner's record, and that has a lock file of the pod open. All of it is looked at again right before each
 * signal.
 */
import * as Fs from "node:fs"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { LeaseError } from "../../src/runtime/Lease.ts"
import { describeSystemError } from "../store/SystemError.ts"
import * as LeaseInspector from "./LeaseInspector.ts"
import { podLock, runtimeLock } from "./LeasePaths.ts"
import { runs } from "./LeaseProcess.ts"
import { userId } from "./PrivateDir.ts"

/** Nobody was ended. */
export class TakeoverRefused extends Data.TaggedError("TakeoverRefused")<{
  readonly message: string
  readonly hint: string
}> {}

export interface TakeoverOptions extends LeaseInspector.InspectOptions {
  readonly podName: string
  /** As `LeaseInspector.ownerOf` has found it. */
  readonly owner: LeaseInspector.Owner
  /** From SIGTERM to SIGKILL. */
  readonly grace: Duration.Input
}

const poll = "50 millis"
/** For the kernel to free the locks of a killed process. */
const afterKill = "5 seconds"

/** Returns when the owner holds the pod's locks no more: "ended" by SIGTERM, or "killed" when that did not help. */
export const end = Effect.fn("LeaseTakeover.end")(function* (
  options: TakeoverOptions
): Effect.fn.Return<"ended" | "killed", TakeoverRefused | LeaseError> {
  const { grace, owner, podName } = options
  const gone = LeaseInspector.ownerOf(options).pipe(
    Effect.repeat({
      until: (now) => now === undefined || now.pid !== owner.pid || now.start_time !== owner.start_time,
      schedule: Schedule.spaced(poll)
    })
  )
  yield* send(options, "SIGTERM")
  // A stopped process takes nothing else before it goes on. One that has ended meanwhile is what was wanted.
  yield* Effect.ignore(send(options, "SIGCONT"))
  if (Option.isSome(yield* Effect.timeoutOption(gone, grace))) return "ended"
  yield* Effect.ignore(send(options, "SIGKILL"))
  if (Option.isSome(yield* Effect.timeoutOption(gone, afterKill))) return "killed"
  return yield* new TakeoverRefused({
    message: `process ${owner.pid} still holds the pod ${podName}, ${afterKill} after SIGKILL`,
    hint: `it may wait for a disk: look at its state with "ps -o pid,stat,wchan ${owner.pid}"`
  })
})

const send = (
  options: TakeoverOptions,
  signal: "SIGTERM" | "SIGCONT" | "SIGKILL"
): Effect.Effect<void, TakeoverRefused> =>
  Effect.suspend(() => {
    const { owner, podName } = options
    const refused = (why: string) =>
      new TakeoverRefused({
        message: `the pod ${podName} is held, and its owner's record names process ${owner.pid}, ${why}; no process was signalled`,
        hint: `find the owner yourself: fuser -v ${runtimeLock(options.runtimeDir, podName)}`
      })
    const problem = problemWith(options)
    if (problem !== undefined) return refused(problem)
    try {
      process.kill(owner.pid, signal)
      return Effect.void
    } catch (cause) {
      return refused(`which takes no signal from here: ${describeSystemError(cause)}`)
    }
  })

/** Why the process of this pid is not known to be the owner; undefined if it is. */
const problemWith = ({ dataDir, owner, podName, runtimeDir }: TakeoverOptions): string | undefined => {
  if (owner.pid === process.pid) return "which is this one"
  if (owner.boot_id === null || owner.start_time === null) {
    return "which this system does not tell from a later one of the same pid"
  }
  if (!runs(owner)) return "which is not, or not any more, the one that wrote it"
  const user = Fs.statSync(`/proc/${owner.pid}`, { throwIfNoEntry: false })?.uid
  if (user === undefined || user !== userId()) return "which belongs to another user"
  const locks = [runtimeLock(runtimeDir, podName), ...(dataDir === undefined ? [] : [podLock(dataDir, podName)])]
  return holds(owner.pid, locks) ? undefined : "which does not have the pod's lock open"
}

const holds = (pid: number, files: ReadonlyArray<string>): boolean => {
  const wanted = new Set(files.flatMap((path) => idOf(path) ?? []))
  try {
    return Fs.readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const id = idOf(`/proc/${pid}/fd/${fd}`)
      return id !== undefined && wanted.has(id)
    })
  } catch {
    return false
  }
}

const idOf = (path: string): string | undefined => {
  try {
    const { dev, ino } = Fs.statSync(path)
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}
