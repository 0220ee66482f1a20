/**
 * The pods of this machine, as commands find them: what is stored, what is live, where its socket is.
 *
 * Made from the environment alone. It opens nothing for writing and makes no directory: looking changes nothing.
 */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Directories } from "../../layers/runtime/Directories.ts"
import * as LeaseInspector from "../../layers/runtime/LeaseInspector.ts"
import { socketPathOf } from "../../layers/runtime/RuntimeDir.ts"
import * as JsonLinesStore from "../../layers/store/JsonLinesStore.ts"
import * as PodFiles from "../../layers/store/PodFiles.ts"
import { isPodName } from "../manifest/PodName.ts"
import { nearest } from "../protocol/Nearest.ts"
import type { LeaseOwner } from "../runtime/Lease.ts"
import { type PodMetadata, PodStore } from "../session/PodStore.ts"
import { SessionStore } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"
import * as Client from "./Client.ts"
import { type CliError, failed, held } from "./CliError.ts"
import { directoriesOf } from "./Directories.ts"
import { leaseError, storageError } from "./Failures.ts"

export type StoredPod =
  | { readonly name: string; readonly metadata: PodMetadata }
  | { readonly name: string; readonly error: StorageError }

export interface Machine {
  readonly directories: Directories
  readonly pods: PodStore["Service"]
  readonly sessions: SessionStore["Service"]
  readonly storedPods: Effect.Effect<ReadonlyArray<StoredPod>, CliError>
  /** Names that have a runtime directory: live pods, and what crashes have left. */
  readonly runtimeNames: Effect.Effect<ReadonlyArray<string>>
  /** Who holds the pod's lease now. */
  readonly owner: (name: string) => Effect.Effect<LeaseOwner | undefined, CliError>
  /** The same for many, in their order. */
  readonly owners: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<LeaseOwner | undefined>, CliError>
  /** Where the socket of a pod belongs if its owner does not say. */
  readonly socketPath: (name: string) => string
  readonly segmentPath: (sessionId: string, segmentId: string) => string
}

type Env = Readonly<Record<string, string | undefined>>

export const make = Effect.fn("Machine.make")(function* (env: Env): Effect.fn.Return<Machine, CliError> {
  const directories = yield* directoriesOf(env)
  const stores = yield* Effect.scoped(
    Layer.build(
      Layer.merge(
        PodFiles.layer({ podsDir: directories.pods }),
        JsonLinesStore.layer({ sessionsDir: directories.sessions })
      )
    )
  )
  const pods = Context.get(stores, PodStore)
  const where = { runtimeDir: directories.runtime, dataDir: directories.data }
  const owners = (names: ReadonlyArray<string>) => Effect.mapError(LeaseInspector.inspect(where, names), leaseError)
  return {
    directories,
    pods,
    sessions: Context.get(stores, SessionStore),
    storedPods: Effect.mapError(pods.list, storageError),
    runtimeNames: Effect.map(
      Effect.option(Effect.tryPromise(() => readdir(directories.runtime, { withFileTypes: true }))),
      Option.match({
        onNone: () => [],
        onSome: (entries) =>
          entries.filter((entry) => entry.isDirectory() && isPodName(entry.name)).map(({ name }) => name)
      })
    ),
    owner: (name) => Effect.map(owners([name]), ([owner]) => owner),
    owners,
    socketPath: (name) => socketPathOf(directories.runtime, name),
    segmentPath: (sessionId, segmentId) => join(directories.sessions, sessionId, `${segmentId}.jsonl`)
  }
})

/** The error for a name that nothing on this machine has. */
export const unknownPod = Effect.fnUntraced(function* (
  machine: Machine,
  name: string
): Effect.fn.Return<never, CliError> {
  const stored = yield* Effect.orElseSucceed(machine.storedPods, () => [])
  const meant = nearest(name, [...stored.map((pod) => pod.name), ...(yield* machine.runtimeNames)])
  return yield* failed(
    `there is no pod ${name}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
    "effect-pod list shows those that there are"
  )
})

/** Connects to the pod if it is live; says what it is if it is not. */
export const connect = Effect.fnUntraced(function* (
  machine: Machine,
  name: string,
  options: Client.Options
): Effect.fn.Return<Client.Client, CliError, Scope.Scope> {
  const owner = yield* machine.owner(name)
  if (owner === undefined) {
    const stored = yield* Effect.mapError(machine.pods.get(name), storageError)
    return yield* Option.isNone(stored)
      ? unknownPod(machine, name)
      : failed(`${name} is not running`, `effect-pod serve --pod ${name} starts it`)
  }
  if (owner.stopped) {
    return yield* held(
      `${name} is held by process ${owner.pid}, which is stopped and answers nothing`,
      `kill -CONT ${owner.pid} lets it go on, effect-pod serve --pod ${name} --takeover ends it and takes its place`
    )
  }
  return yield* connectTo(owner.socket ?? machine.socketPath(name), name, options)
})

export const connectTo = (
  socket: string,
  name: string,
  options: Client.Options
): Effect.Effect<Client.Client, CliError, Scope.Scope> =>
  Effect.mapError(Client.connect(socket, options), (error) => failed(`${name} does not answer: ${error.message}`))
