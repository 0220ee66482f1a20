/**
 * Who owns a pod, for those who only want to know. Changes nothing on disk and makes no file.
 *
 * A lock that is free proves that nobody does; the record in it is what its owner says about itself.
 */
import * as Effect from "effect/Effect"
import type { LeaseError } from "../../src/runtime/Lease.ts"
import * as LeaseLocks from "./LeaseLocks.ts"
import { podLock, runtimeLock } from "./LeasePaths.ts"
import { isStopped } from "./LeaseProcess.ts"
import { type LeaseRecord, readRecord } from "./LeaseRecord.ts"
import { unavailable } from "./LeaseRefusal.ts"

export interface InspectOptions {
  readonly runtimeDir: string
  /** Named too, it finds an owner that has another runtime directory but the same data. */
  readonly dataDir?: string
  /** The program on the PATH that locks descriptors. Default `flock`. */
  readonly flock?: string
}

/** A `LeaseOwner`, with its session, its scope, and what tells its process from a later one of the same pid. */
export interface Owner extends LeaseRecord {
  readonly stopped: boolean
}

/**
 * The owner of each pod, in the order of the names; undefined if it has none. It starts one helper process for up to 64
 * locks that have a record, and none if no lock has one.
 */
export const inspect = Effect.fn("LeaseInspector.inspect")(function* (
  options: InspectOptions,
  podNames: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<Owner | undefined>, LeaseError> {
  const { dataDir, flock = "flock", runtimeDir } = options
  // A clean end clears the record: without one there is no owner, or one that is not live yet.
  const records = podNames.flatMap((name, index) =>
    [...(dataDir === undefined ? [] : [podLock(dataDir, name)]), runtimeLock(runtimeDir, name)].flatMap((path) => {
      const record = readRecord(path)
      return record === undefined ? [] : [{ index, path, record }]
    })
  )
  if (records.length === 0) return podNames.map(() => undefined)
  const held = yield* LeaseLocks.make(flock)
    .held(records.map(({ path }) => path))
    .pipe(Effect.mapError(({ message }) => unavailable(podNames.join(", "), message)))
  return podNames.map((_, index) => {
    const found = records.find((candidate, at) => candidate.index === index && held[at] === true)
    return found === undefined ? undefined : { ...found.record, stopped: isStopped(found.record) }
  })
})

/** The owner of one pod, or undefined if it is not live. */
export const ownerOf = (
  options: InspectOptions & { readonly podName: string }
): Effect.Effect<Owner | undefined, LeaseError> => Effect.map(inspect(options, [options.podName]), ([owner]) => owner)
