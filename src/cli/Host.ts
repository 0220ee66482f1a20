/**
 * Bringing a pod up inside this process: `serve` does it for good, `run` for the length of a turn.
 *
 * This is the one place where the command line puts the core and the outside world together. The pod lives in the
 * Scope; when that closes, the pod is shut down, its clients are told, and nothing of it is left but its journal.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Model from "../../layers/llm/Model.ts"
import * as PodLive from "../../layers/PodLive.ts"
import * as SocketServer from "../../layers/runtime/SocketServer.ts"
import { resolveFallbacks } from "../manifest/Fallback.ts"
import { modelError, resolveModel } from "../manifest/Model.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import { notYet } from "../manifest/NotYet.ts"
import { uncountable } from "../manifest/tables/Budget.ts"
import * as Pod from "../pod/Pod.ts"
import type { PodHandle } from "../pod/PodHandle.ts"
import { RuntimeDir } from "../runtime/RuntimeDir.ts"
import { type ActiveSegment, PodStore } from "../session/PodStore.ts"
import { type SegmentRef, SessionStore } from "../session/SessionStore.ts"
import { version } from "../Version.ts"
import { type CliError, failed, held } from "./CliError.ts"
import { type HostFailure, hostFailure, storageError } from "./Failures.ts"
import { directoriesOf } from "./Directories.ts"
import { origin, type Prepared } from "./Prepare.ts"

export interface Hosted {
  readonly handle: PodHandle
  readonly socket: string
  /** The pod existed, and its log goes on. */
  readonly restored: boolean
  /** Entries in the log. */
  readonly entries: number
}

/** Fails with what a person should read; `held` and `corrupt` carry their exit codes. */
export const host = Effect.fn("Host.host")(function* (
  prepared: Prepared
): Effect.fn.Return<Hosted, CliError, Scope.Scope> {
  const { env, flags } = prepared.invocation
  const { manifest, name } = prepared
  const directories = yield* directoriesOf(env)
  if (flags["takeover"] === true) yield* free(prepared)
  const ephemeral = flags["ephemeral"] === true
  const world = yield* Layer.build(PodLive.world({ directories, ephemeral, socket: true }))
  const pods = Context.get(world, PodStore)
  const known = Option.getOrUndefined(yield* Effect.mapError(pods.get(name), storageError))
  const session = yield* segmentOf(prepared, known?.active, Context.get(world, SessionStore))
  if (known === undefined && flags["require-pod-state"] === true) {
    return yield* failed(
      `there is no pod ${name}, and --require-pod-state was given`,
      "effect-pod list shows those that there are"
    )
  }
  const resolving = { env, configDir: directories.config, ...origin(prepared) }
  const [model, fallbacks] = yield* Effect.all([
    resolveModel(manifest.model, resolving),
    resolveFallbacks(manifest.model, resolving)
  ]).pipe(Effect.provideContext(world), Effect.mapError(hostFailure))
  for (const { prices } of [model, ...fallbacks]) {
    const uncounted = uncountable(manifest.budget, prices)
    if (uncounted !== undefined) return yield* hostFailure(modelError(uncounted, origin(prepared)))
  }
  const left = known?.active?.segment_id
  const notes = Array.from(
    new Set([
      ...prepared.notes,
      ...(session === undefined || left === undefined || left === session.segmentId
        ? []
        : [
            `the pod goes on from segment ${session.segmentId}; it was in ${left}, and --session ${left} goes back to it`
          ]),
      ...[model, ...fallbacks].flatMap((each) => each.notes)
    ])
  )
  const services = Context.merge(
    world,
    yield* Effect.mapError(Layer.build(Model.layer(model, fallbacks)).pipe(Effect.provideContext(world)), hostFailure)
  )
  const bringUp = Effect.gen(function* () {
    const handle = yield* Pod.make(manifest, {
      cwd: prepared.cwd,
      named: { manifest: prepared.file !== undefined, cwd: flags["cwd"] !== undefined },
      ...(session === undefined ? {} : { session }),
      env: Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)),
      prompts: { user: join(directories.config, "prompts"), workspace: join(prepared.cwd, ".pod/prompts") },
      notes
    })
    const socket = yield* Effect.flatMap(RuntimeDir, (runtime) => runtime.socketPath(name))
    const { total } = yield* handle.readEntries(0, 0)
    if (socket === null) return yield* Effect.die(new Error("a hosted pod has a socket"))
    yield* SocketServer.listen(handle, { path: socket, server: `effect-pod/${version}` })
    yield* Effect.forkScoped(leaveForOthers(join(directories.runtime, name), manifest))
    // Before the socket closes: whoever is connected hears how it ended.
    yield* Effect.addFinalizer(() => handle.shutdown)
    return { handle, socket, restored: total > 0, entries: total } satisfies Hosted
  })
  const hosted = yield* bringUp.pipe(
    Effect.provideContext(services),
    Effect.mapError((error: HostFailure) => hostFailure(error))
  )
  yield* tell(prepared, [
    ...(prepared.unused === undefined ? [] : [prepared.unused]),
    ...(hosted.handle.greeting.notes ?? []),
    ...notYet(manifest)
  ])
  return hosted
})

/** Ends an owner that is stopped or hangs. Few starts need it: it is loaded when it is asked for. */
const free = Effect.fnUntraced(function* (prepared: Prepared): Effect.fn.Return<void, CliError> {
  const { takeOver } = yield* Effect.promise(() => import("./Takeover.ts"))
  if ((yield* takeOver(prepared)) === "free") return
  return yield* held(
    `${prepared.name} is live and answers: --takeover ends only an owner that is stopped or hangs`,
    `talk to it with effect-pod attach ${prepared.name}, or stop it with effect-pod stop ${prepared.name}`
  )
})

/**
 * What tools of the seed look for beside the socket. Hints: no start waits for them, and nothing of ours reads them.
 * A stop does wait: a file that came after the directory was emptied would keep it from being removed.
 */
const leaveForOthers = (directory: string, manifest: Manifest): Effect.Effect<void> =>
  Effect.tryPromise(async () => {
    const { formatToml } = await import("../manifest/ManifestToml.ts")
    await writeFile(join(directory, "manifest.toml"), formatToml(manifest), { mode: 0o600 })
    await writeFile(join(directory, "spawned_pods.json"), "[]\n", { mode: 0o600 })
  }).pipe(Effect.ignore, Effect.uninterruptible)

/**
 * `--session`: the pod goes on from that segment, and its metadata will name it. A fork has the segments of its source
 * in its own session, too: what is meant is the pod's own, or else where the segment was written. A pod that has written
 * to a session is not taken out of it: nothing would name that session any more.
 */
const segmentOf = Effect.fnUntraced(function* (
  { name, segmentId }: Prepared,
  active: ActiveSegment | undefined,
  sessions: SessionStore["Service"]
): Effect.fn.Return<SegmentRef | undefined, CliError> {
  if (segmentId === undefined) return undefined
  const all = yield* Effect.mapError(sessions.list, storageError)
  const named = all.filter((candidate) => candidate.segmentId === segmentId)
  // Newest first: a session that came by a segment is younger than the one that it was written in.
  const segment = named.find(({ sessionId }) => sessionId === active?.session_id) ?? named.at(-1)
  if (segment === undefined) {
    return yield* failed(
      `--session ${segmentId}: there is no such segment`,
      "effect-pod status NAME shows the segment of a pod"
    )
  }
  if (segment.sessionId !== active?.session_id && all.some(({ sessionId }) => sessionId === active?.session_id)) {
    return yield* failed(
      `--session ${segmentId}: that segment is in session ${segment.sessionId}, and the pod ${name} has a session of ` +
        `its own, ${active?.session_id}, to which there would be no way back`,
      `go on from it as another pod, --pod NEW-NAME --session ${segmentId}; or, if what ${name} has is not needed, ` +
        `remove that first: effect-pod delete ${name}`
    )
  }
  return { sessionId: segment.sessionId, segmentId }
})

const tell = ({ invocation }: Prepared, notes: ReadonlyArray<string>): Effect.Effect<void> =>
  invocation.flags["log-format"] === "json"
    ? Effect.forEach(notes, (note) => Effect.logInfo(note), { discard: true })
    : invocation.terminal.err(notes.map((note) => `note: ${note}\n`).join(""))
