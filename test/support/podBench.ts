/**
 * A pod without the outside world: the real journal, controller and turn loop on the memory store, a model in the
 * test's hands, and tools that the test defines.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { layerMemory } from "../../layers/runtime/Lease.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { LegServices } from "../../src/agent/LegContext.ts"
import * as Toolbox from "../../src/agent/Toolbox.ts"
import type { Hook } from "../../src/hooks/Hook.ts"
import * as Hooks from "../../src/hooks/Hooks.ts"
import { notificationBody } from "../../src/knowledge/Wrappers.ts"
import type { Prices } from "../../src/llm/Cost.ts"
import { defaultLimits } from "../../src/llm/Limits.ts"
import * as Approving from "../../src/pod/Approving.ts"
import * as Controller from "../../src/pod/Controller.ts"
import * as Forking from "../../src/pod/Forking.ts"
import * as Handle from "../../src/pod/Handle.ts"
import { isMethod, type LegEnded, type MethodMail } from "../../src/pod/Mail.ts"
import * as Mailbox from "../../src/pod/Mailbox.ts"
import * as Session from "../../src/pod/Session.ts"
import { Lease } from "../../src/runtime/Lease.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import * as Digest from "effect/crypto/Digest"
import { PodStore } from "../../src/session/PodStore.ts"
import type { SegmentFile, SegmentRef } from "../../src/session/SessionStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import type { Tool } from "../../src/tools/Tool.ts"
import * as ProbeModel from "./ProbeModel.ts"

export interface BenchOptions {
  /** Default "bench". */
  readonly name?: string
  readonly tools?: ReadonlyArray<Tool>
  readonly hooks?: ReadonlyArray<Hook>
  readonly maxTurns?: number
  readonly prices?: Prices
  readonly budget?: LegServices["budget"]
  readonly onInterrupted?: Session.OnInterrupted
  /** As `--session` names it. */
  readonly session?: SegmentRef
  /** May break the file that the pod writes. */
  readonly wrap?: (file: SegmentFile) => SegmentFile
  /** Takes the place of the memory's own stores, which it may be made of. */
  readonly stores?: Layer.Layer<SessionStore | PodStore>
  /** Default: nobody else has any. */
  readonly leases?: Lease["Service"]
  readonly services?: Partial<LegServices>
  /** Default: everything is allowed. */
  readonly permit?: (ask: Approving.Approving["ask"]) => LegServices["permit"]
  /** For a test that holds all time in its hands: the one of the platform takes its own. */
  readonly digest?: Layer.Layer<Digest.Digest>
}

const config = { max_tokens: null, temperature: null, top_p: null, top_k: null, stop_sequences: [], reasoning: null }

/** Opens a pod on the store. Opening it again on the same store is a restart. */
export const open = Effect.fnUntraced(function* (memory: MemoryStore.MemoryStore, options: BenchOptions = {}) {
  const model = yield* ProbeModel.make
  const name = options.name ?? "bench"
  const opened = Effect.gen(function* () {
    const real = yield* SessionStore
    const wrapped = SessionStore.of({
      ...real,
      create: (ref) => Effect.map(real.create(ref), options.wrap ?? ((file) => file)),
      open: (ref) => Effect.map(real.open(ref), options.wrap ?? ((file) => file))
    })
    return yield* Effect.gen(function* () {
      const found = yield* Session.find(name, options.session)
      const restored = yield* Session.restore(found)
      const journal = yield* Session.open({
        podName: name,
        found,
        restored,
        cwd: "/w",
        snapshot: undefined,
        scope: { allow: [{ target: "/w", permission: "write", recursive: true }], deny: [] },
        config,
        prompt: Effect.succeed({ text: "be good", alerts: [] }),
        syncs: true,
        onInterrupted: options.onInterrupted ?? "idle"
      })
      const sessions = yield* SessionStore
      const leases = options.leases ?? (yield* Effect.provide(Lease, layerMemory))
      const pods = yield* PodStore
      const fork = Forking.make({ name, journal, sessions, pods, leases, owner: yield* Effect.scope })
      return { found, fork, journal }
    }).pipe(Effect.provideService(SessionStore, wrapped))
  })
  const { found, fork, journal } = yield* Effect.provide(opened, options.stores ?? memory.layer)
  const approving = Approving.make(journal)
  const services: LegServices = {
    journal,
    client:
      options.prices === undefined
        ? model.client
        : { ...model.client, info: { ...model.client.info, prices: options.prices } },
    limits: defaultLimits,
    toolbox: Toolbox.make(options.tools ?? []),
    permit: options.permit?.(approving.ask) ?? (() => Effect.succeed({ _tag: "Allow" })),
    hooks: Hooks.make(options.hooks ?? []),
    resolve: () => Effect.succeed({ items: [], alerts: [] }),
    config,
    maxTurns: options.maxTurns,
    budget: options.budget,
    outputLimit: () => 65_536,
    commandState: () => "gone",
    notificationBody,
    inboxLock: Semaphore.makeUnsafe(1),
    ...options.services
  }
  const mailbox = yield* Mailbox.make<MethodMail, LegEnded>(isMethod)
  const controller = yield* Controller.make({
    journal,
    mailbox,
    services,
    fork,
    approve: approving.approve,
    resumesCut: options.onInterrupted === "resume",
    writeStatus: () => Effect.void,
    scope: yield* Effect.scope
  })
  yield* Effect.forkScoped(controller.loop)
  const handle = yield* Handle.make({
    name,
    greeting: {
      pod_name: name,
      cwd: "/w",
      provider: "probe",
      model: "probe-1",
      scope_summary: "",
      tools: [],
      context_window: 100_000,
      context_tokens: 0
    },
    sessionId: found.ref.sessionId,
    journal,
    mailbox,
    stopped: controller.stopped,
    isStopped: controller.isStopped,
    attend: approving.attend,
    completions: () => Effect.succeed([])
  }).pipe(Effect.provide(options.digest ?? Digest.layerWebCrypto))
  return { handle, journal, model, memory, ref: found.ref }
})

/** A pod on a store of its own, and what a client that is there from the start sees. */
export const fresh = Effect.fnUntraced(function* (options: BenchOptions = {}) {
  const bench = yield* open(MemoryStore.make(), options)
  const { take } = yield* bench.handle.attach
  return { ...bench, take }
})

/** Lets everything that can run go on, without time passing. */
export const rest = Effect.forEach(Array.from({ length: 2_000 }), () => Effect.yieldNow, { discard: true })

/** The lines of the file, parsed. */
export const fileOf = (memory: MemoryStore.MemoryStore, ref: SegmentRef): ReadonlyArray<LogEntry> =>
  memory.lines(ref).map((line) => JSON.parse(line) as LogEntry)

/** What the store knows of the pod of this name. */
export const metadataOf = (memory: MemoryStore.MemoryStore, name: string) =>
  Effect.flatMap(PodStore, (pods) => pods.get(name)).pipe(Effect.provide(memory.layer))

/** Short names of entries: the kind, and for records of ours the domain and what they do. */
export const names = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<string> =>
  entries.map((entry) => {
    if (entry.kind !== "extension") return entry.kind
    const op = (entry.payload as { readonly op?: string }).op
    return op === undefined ? entry.domain : `${entry.domain} ${op}`
  })

/** Takes events until one satisfies the test; returns them all. */
export const until = Effect.fnUntraced(function* (
  take: Effect.Effect<ReadonlyArray<Envelope>>,
  isLast: (event: Envelope) => boolean
) {
  const seen: Array<Envelope> = []
  while (!seen.some(isLast)) seen.push(...(yield* take))
  return seen
})

export const isStatus =
  (status: string) =>
  (event: Envelope): boolean =>
    event.event === "status" && event.data.status === status

export const isEvent =
  (name: Envelope["event"]) =>
  (event: Envelope): boolean =>
    event.event === name
