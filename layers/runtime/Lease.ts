/**
 * `Lease` on lock files, for processes of one machine, and in memory, for pods of one program.
 *
 * A lease is three locks, taken by one helper: the pod's name and its session in the data directory, its name in the
 * runtime directory. A claim is made under a fourth, held only while the write scopes of the live pods are compared.
 * Nothing of it blocks the process: a start-up can go on meanwhile.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { Lease, type LeaseError, type LeaseOwner, type LeaseRequest } from "../../src/runtime/Lease.ts"
import { checkPodName } from "../../src/runtime/PodName.ts"
import { makePrivate } from "../store/Directory.ts"
import * as LeaseClaim from "./LeaseClaim.ts"
import { openLockFile } from "./LeaseLockFile.ts"
import * as LeaseLocks from "./LeaseLocks.ts"
import { dataLocks, podLock, runtimeLock, runtimeLocks, sessionLock } from "./LeasePaths.ts"
import { runs } from "./LeaseProcess.ts"
import { ownerOf, readRecord } from "./LeaseRecord.ts"
import { podHeld, sessionHeld, unavailable } from "./LeaseRefusal.ts"
import { ensurePrivate } from "./PrivateDir.ts"
import { ensureRuntimeBase } from "./RuntimeDir.ts"

export { layerMemory } from "./LeaseMemory.ts"

export interface LeaseOptions {
  /** Absolute; null for pods that keep nothing: only their names in the runtime directory are locked then. */
  readonly dataDir: string | null
  /** Absolute. */
  readonly runtimeDir: string
  /** The program on the PATH that locks descriptors. Default `flock`. */
  readonly flock?: string
}

export const layer = (options: LeaseOptions): Layer.Layer<Lease> =>
  Layer.effect(
    Lease,
    Effect.sync(() => make(options))
  )

/** Nobody is known to live behind the lock: somebody looks at it, or its owner has not written its record yet. */
class Unowned extends Data.TaggedError("Unowned")<{ readonly refusal: LeaseError }> {}

const untilOwned = { schedule: Schedule.spaced("20 millis"), times: 10 } as const
const sessionIdPattern = /^[A-Za-z0-9_-]{1,64}$/

const make = (options: LeaseOptions): Lease["Service"] => {
  const locks = LeaseLocks.make(options.flock ?? "flock")
  const { dataDir, runtimeDir } = options

  const acquire = Effect.fn("Lease.acquire")(function* (request: LeaseRequest) {
    const { podName, sessionId } = request
    yield* Effect.mapError(checkPodName(podName), ({ message }) => unavailable(podName, message))
    if (sessionId !== null && !sessionIdPattern.test(sessionId)) {
      return yield* unavailable(podName, `${JSON.stringify(sessionId)} is not the id of a session`)
    }
    yield* Effect.mapError(prepare, ({ hint, message }) =>
      unavailable(podName, hint === undefined ? message : `${message}; ${hint}`)
    )
    return yield* attempt(request).pipe(
      Effect.retry({ ...untilOwned, while: (error) => error._tag === "Unowned" }),
      Effect.catchTags({
        Unowned: ({ refusal }) => Effect.fail(refusal),
        LockFailed: ({ message }) => Effect.fail(unavailable(podName, message))
      })
    )
  })

  const prepare = Effect.gen(function* () {
    yield* ensureRuntimeBase(runtimeDir)
    yield* ensurePrivate(runtimeLocks(runtimeDir), { isOurs: () => true, refuseLink: true })
    if (dataDir !== null) yield* makePrivate(dataLocks(dataDir))
  })

  /** What was locked is free again unless all of it was. */
  const attempt = Effect.fnUntraced(function* (request: LeaseRequest) {
    const scope = yield* Scope.fork(yield* Effect.scope)
    return yield* locked(request).pipe(
      Scope.provide(scope),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)))
    )
  })

  const locked = Effect.fnUntraced(function* (request: LeaseRequest) {
    const files = yield* Effect.forEach(wanted(request), ({ path, refusal }) =>
      Effect.map(openLockFile(path), (file) => ({ ...file, refusal }))
    )
    const refused = yield* locks.take(files)
    for (const [index, file] of files.slice(0, refused === undefined ? undefined : refused + 1).entries()) {
      const record = readRecord(file.fd)
      const owner = record !== undefined && runs(record) ? record : undefined
      // A lock of another kind says nothing about ours.
      const held = index === refused || (owner !== undefined && owner.by !== locks.by())
      if (!held) continue
      if (owner !== undefined) return yield* file.refusal(ownerOf(owner))
      return yield* new Unowned({ refusal: file.refusal(undefined) })
    }
    return yield* LeaseClaim.make({ files, locks, request, runtimeDir })
  })

  const wanted = ({ podName, sessionId }: LeaseRequest) => {
    const ofPod = (owner: LeaseOwner | undefined) => podHeld(podName, owner)
    const inRuntime = { path: runtimeLock(runtimeDir, podName), refusal: ofPod }
    if (dataDir === null) return [inRuntime]
    const ofSession =
      sessionId === null
        ? []
        : [
            {
              path: sessionLock(dataDir, sessionId),
              refusal: (owner: LeaseOwner | undefined) => sessionHeld(podName, sessionId, owner)
            }
          ]
    return [{ path: podLock(dataDir, podName), refusal: ofPod }, ...ofSession, inRuntime]
  }

  return { acquire }
}
