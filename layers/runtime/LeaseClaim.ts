/**
 * A lease from the moment when its locks are held: the owner's record, and its claim to write somewhere.
 *
 * The record is written before the register of scopes: the register can be made from records, not the reverse. At the
 * end both are taken back while the locks are still held; what cannot be taken back is dropped by the next one to come.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import type { HeldLease, LeaseRequest } from "../../src/runtime/Lease.ts"
import { LockFailed, type LockFile, openLockFile } from "./LeaseLockFile.ts"
import type { Locks } from "./LeaseLocks.ts"
import { canonical } from "./LeaseOverlap.ts"
import { scopesLock } from "./LeasePaths.ts"
import { thisProcess } from "./LeaseProcess.ts"
import { clearRecord, type LeaseRecord, writeRecord } from "./LeaseRecord.ts"
import { unavailable } from "./LeaseRefusal.ts"
import * as LeaseScopes from "./LeaseScopes.ts"

export interface ClaimOptions {
  /** Locked, and open as long as the Scope is. */
  readonly files: ReadonlyArray<LockFile>
  readonly locks: Locks
  readonly request: LeaseRequest
  readonly runtimeDir: string
}

class Busy extends Data.TaggedError("Busy") {}

/** The register is locked for milliseconds each time, so whoever waits tries again soon. */
const retryAfter = "15 millis"
const patience = { claim: "5 seconds", leave: "1 second" } as const

export const make = Effect.fnUntraced(function* ({
  files,
  locks,
  request,
  runtimeDir
}: ClaimOptions): Effect.fn.Return<HeldLease, LockFailed, Scope.Scope> {
  const { podName } = request
  const inOrder = Semaphore.makeUnsafe(1)
  let registered = false
  let closed = false

  const record = (scope: ScopeRules): LeaseRecord => ({
    pod_name: podName,
    session_id: request.sessionId ?? "",
    ...thisProcess(),
    socket: request.socket,
    by: locks.by(),
    scope
  })

  const claim = Effect.fnUntraced(function* (wanted: ScopeRules) {
    if (closed) return yield* new LockFailed({ message: "it has ended" })
    const mine = record(yield* canonical(wanted))
    // Who writes nowhere is in nobody's way, and was not before.
    if (mine.scope.allow.length === 0 && !registered) return yield* writeRecords(files, mine)
    yield* takeRegister(patience.claim)
    const others = yield* LeaseScopes.check(locks, runtimeDir, podName, mine.scope)
    registered = true
    yield* writeRecords(files, mine)
    yield* LeaseScopes.write(runtimeDir, [...others, mine])
  }, Effect.scoped)

  /** Until the Scope closes. */
  const takeRegister = Effect.fnUntraced(function* (atMost: "5 seconds" | "1 second") {
    const file = yield* openLockFile(scopesLock(runtimeDir))
    const once = Effect.flatMap(locks.take([file]), (refused) => (refused === undefined ? Effect.void : new Busy()))
    const timedOut = new LockFailed({
      message: `another process has held ${file.path} for ${atMost}; see with "fuser -v ${file.path}" if it is stopped`
    })
    yield* once.pipe(
      Effect.retry({ schedule: Schedule.spaced(retryAfter), while: (error) => error._tag === "Busy" }),
      Effect.catchTag("Busy", () => timedOut),
      Effect.timeoutOrElse({ duration: atMost, orElse: () => timedOut })
    )
  })

  const unregister = takeRegister(patience.leave).pipe(
    Effect.andThen(LeaseScopes.remove(locks, runtimeDir, podName)),
    Effect.scoped,
    Effect.interruptible,
    Effect.catch(({ message }) => Effect.logDebug(message))
  )

  const leave = Effect.suspend(() => {
    closed = true
    const erase = Effect.ignore(recording(() => files.forEach(({ fd }) => clearRecord(fd))))
    return registered ? Effect.andThen(unregister, erase) : erase
  })

  yield* Effect.acquireRelease(writeRecords(files, record(nothing)), () => inOrder.withPermit(leave))
  return {
    claim: Effect.fn("Lease.claim")((scope) =>
      Effect.catchTag(inOrder.withPermit(claim(scope)), "LockFailed", ({ message }) =>
        Effect.fail(unavailable(podName, message))
      )
    )
  }
})

const nothing: ScopeRules = { allow: [], deny: [] }

const writeRecords = (files: ReadonlyArray<LockFile>, record: LeaseRecord): Effect.Effect<void, LockFailed> =>
  recording(() => files.forEach(({ fd }) => writeRecord(fd, record)))

const recording = (run: () => void): Effect.Effect<void, LockFailed> =>
  Effect.try({
    try: run,
    catch: (cause) => new LockFailed({ message: `cannot write the owner into its lock file: ${String(cause)}` })
  })
