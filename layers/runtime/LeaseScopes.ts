/**
 * `<runtime>/scopes.json`: which live pod may write where. Only read and replaced under its lock.
 *
 * An entry is live as long as the lock of its pod is held, whatever its pid says; others are dropped by the next one
 * who comes. A file that cannot be read is put aside. That one, or one that is missing, is made anew from what the
 * owners wrote into their lock files.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import type { LeaseError } from "../../src/runtime/Lease.ts"
import { isPodName } from "../../src/manifest/PodName.ts"
import { replaceFile } from "../store/AtomicFile.ts"
import { describeSystemError, systemCode } from "../store/SystemError.ts"
import { LockFailed } from "./LeaseLockFile.ts"
import type { Locks } from "./LeaseLocks.ts"
import { conflicts } from "./LeaseOverlap.ts"
import { podOfLock, runtimeLock, runtimeLocks, scopesFile } from "./LeasePaths.ts"
import { runs } from "./LeaseProcess.ts"
import { LeaseRecord, ownerOf, readRecord } from "./LeaseRecord.ts"
import { scopeOverlap } from "./LeaseRefusal.ts"

const ScopesFile = Schema.Struct({ version: Schema.Literal(1), pods: Schema.Array(LeaseRecord) })
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(ScopesFile))

/** Fails if a live pod may write to the same place; else returns the entries that are live beside this pod's own. */
export const check = Effect.fnUntraced(function* (
  locks: Locks,
  runtimeDir: string,
  podName: string,
  scope: ScopeRules
): Effect.fn.Return<ReadonlyArray<LeaseRecord>, LeaseError | LockFailed> {
  const entries = yield* others(locks, runtimeDir, podName)
  const found = entries.map((entry) => ({ entry, shared: conflicts(scope, entry.scope) }))
  // Looking at a lock costs a process; an entry that is in nobody's way and seems alive can wait for another time.
  const doubtful = found.filter(({ entry, shared }) => shared.length > 0 || !runs(entry))
  const held = yield* locks.held(doubtful.map(({ entry }) => runtimeLock(runtimeDir, entry.pod_name)))
  const dead = new Set(doubtful.filter((_, index) => held[index] === false).map(({ entry }) => entry))
  const conflict = found.find(({ entry, shared }) => shared.length > 0 && !dead.has(entry))
  if (conflict !== undefined) return yield* scopeOverlap(podName, ownerOf(conflict.entry), conflict.shared)
  return entries.filter((entry) => !dead.has(entry))
})

/** Not synced: after a power cut no pod is live. */
export const write = (runtimeDir: string, pods: ReadonlyArray<LeaseRecord>): Effect.Effect<void, LockFailed> =>
  replaceFile(scopesFile(runtimeDir), `${JSON.stringify({ version: 1, pods }, null, 2)}\n`, { sync: false }).pipe(
    Effect.mapError(({ message }) => new LockFailed({ message }))
  )

export const remove = Effect.fnUntraced(function* (locks: Locks, runtimeDir: string, podName: string) {
  yield* write(runtimeDir, yield* others(locks, runtimeDir, podName))
})

/** The entries of all pods but this one. */
const others = Effect.fnUntraced(function* (locks: Locks, runtimeDir: string, podName: string) {
  const path = scopesFile(runtimeDir)
  const text = yield* attempt(`cannot read ${path}`, async () => {
    try {
      return await Fs.readFile(path, "utf8")
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return undefined
      throw cause
    }
  })
  if (text === undefined) return yield* rebuild(locks, runtimeDir, podName)
  const file = decode(text)
  if (Option.isSome(file) && file.value.pods.every(({ pod_name }) => isPodName(pod_name))) {
    return file.value.pods.filter((entry) => entry.pod_name !== podName)
  }
  const aside = `${path}.broken-${yield* Clock.currentTimeMillis}`
  yield* attempt(`cannot put ${path} aside`, () => Fs.rename(path, aside))
  yield* Effect.logWarning(`${path} could not be read; it is now ${aside}, and a new one is made from the live pods`)
  return yield* rebuild(locks, runtimeDir, podName)
})

const rebuild = Effect.fnUntraced(function* (locks: Locks, runtimeDir: string, podName: string) {
  const directory = runtimeLocks(runtimeDir)
  const files = yield* attempt(`cannot read ${directory}`, () => Fs.readdir(directory))
  const records = files.flatMap((file) => {
    const pod = podOfLock(file)
    const record = pod === undefined || pod === podName ? undefined : readRecord(Path.join(directory, file))
    return record !== undefined && record.pod_name === pod && record.scope.allow.length > 0 ? [record] : []
  })
  const held = yield* locks.held(records.map(({ pod_name }) => runtimeLock(runtimeDir, pod_name)))
  return records.filter((_, index) => held[index] === true)
})

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, LockFailed> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new LockFailed({ message: `${what}: ${describeSystemError(cause)}` })
  })
