/**
 * A pod without a controller: a log, numbered events on a real sliding PubSub, and methods answered as a test says.
 * Attaching is exact in the same way as with a journal: subscribe, then read everything in one step.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type { PodHandle, Reply } from "../../src/pod/PodHandle.ts"
import type { BroadcastEvent, Envelope } from "../../src/protocol/Event.ts"
import type { Greeting } from "../../src/protocol/Greeting.ts"
import type { InFlight } from "../../src/protocol/Inbox.ts"
import { noUsage } from "../../src/protocol/LogEntry.ts"
import type { Method } from "../../src/protocol/Method.ts"
import type { PodStatus } from "../../src/protocol/Status.ts"
import { countTasks } from "../../src/protocol/Task.ts"
import type { Attachment } from "../../src/session/Attachment.ts"
import { type Pieces, separated } from "../../src/session/Pieces.ts"
import { StorageError } from "../../src/session/StorageError.ts"

export const epoch = "0197a1c2-0000-7000-8000-00000000000e"

export const greeting: Greeting = {
  pod_name: "agent",
  cwd: "/w",
  provider: "scripted",
  model: "none",
  scope_summary: "Writable:\n  - /w",
  tools: ["Read"],
  context_window: 1000,
  context_tokens: 0
}

export interface FakePodOptions {
  readonly entries?: ReadonlyArray<string>
  readonly hubBound?: number
  readonly submit?: (method: Method, reply: Reply | undefined, pod: FakePod) => Effect.Effect<void>
  /** Reading entries fails at this index. */
  readonly failAt?: number | undefined
}

export interface FakePod {
  readonly handle: PodHandle
  readonly entries: Array<string>
  readonly submitted: Array<Method>
  readonly set: (state: {
    readonly status?: PodStatus
    readonly inFlight?: InFlight | null
    readonly failAt?: number
  }) => void
  readonly emit: (...events: ReadonlyArray<BroadcastEvent>) => Effect.Effect<void>
  /** Adds an entry and announces it, in one step. */
  readonly commit: (text: string) => Effect.Effect<void>
  readonly seq: () => number
  /** Pieces of the log that were read for snapshots. */
  readonly reads: () => number
  readonly stop: Effect.Effect<void>
}

export const entry = (text: string): string =>
  JSON.stringify({ kind: "user_input", ts: 1, segments: [{ kind: "text", content: text }] })

export const delta = (text: string): BroadcastEvent => ({ event: "text_delta", data: { text } })

const unused = Effect.die("not part of this test")

export const make = Effect.fnUntraced(function* (options: FakePodOptions = {}) {
  const hub = yield* PubSub.sliding<Envelope>(options.hubBound ?? 8_192)
  const stopped = yield* Deferred.make<void>()
  const entries = Array.from(options.entries ?? [])
  const durable: Array<Envelope> = []
  const submitted: Array<Method> = []
  const alerts: Array<Extract<BroadcastEvent, { readonly event: "alert" }>> = []
  let status: PodStatus = "idle"
  let inFlight: InFlight | null = null
  let { failAt } = options
  let seq = 0
  let reads = 0

  const number = (event: BroadcastEvent, isDurable: boolean): Envelope => {
    seq += 1
    if (event.event === "alert") alerts.push(event)
    if (event.event === "status") status = event.data.status
    const envelope: Envelope = isDurable ? { ...event, seq, durable: true } : { ...event, seq }
    if (isDurable) durable.push(envelope)
    return envelope
  }

  const read = (from: number, to: number): Pieces =>
    Stream.range(0, Math.ceil((to - from) / 100) - 1).pipe(
      Stream.mapEffect((chunk) => {
        const start = from + chunk * 100
        reads += 1
        return failAt !== undefined && failAt < Math.min(start + 100, to)
          ? Effect.fail(new StorageError({ reason: "Io", operation: "read", path: "log", message: "log: EIO" }))
          : Effect.succeed(entries.slice(start, Math.min(start + 100, to)).join(","))
      }),
      separated
    )

  const attach: PodHandle["attach"] = Effect.flatMap(PubSub.subscribe(hub), (subscription) =>
    Effect.sync((): Attachment => {
      const at = seq
      const total = entries.length
      const take: Attachment["take"] = Effect.flatMap(PubSub.takeAll(subscription), (events) => {
        const later = events.filter((event) => event.seq > at)
        return later.length > 0 ? Effect.succeed(later) : take
      })
      return {
        epoch,
        seq: at,
        status,
        inFlight,
        inbox: [],
        pendingApprovals: [],
        waitingOn: null,
        usage: noUsage,
        tasks: countTasks([]),
        alerts: Array.from(alerts),
        total,
        entries: (from, to = total) => (from < total ? read(from, Math.min(to, total)) : Stream.empty),
        replay: (after) => (after > at ? null : durable.filter((event) => event.seq > after && event.seq <= at)),
        take
      }
    })
  )

  const pod: FakePod = {
    entries,
    submitted,
    set: (state) => {
      status = state.status ?? status
      if (state.inFlight !== undefined) inFlight = state.inFlight
      failAt = state.failAt ?? failAt
    },
    emit: (...events) =>
      Effect.suspend(() =>
        Effect.asVoid(
          PubSub.publishAll(
            hub,
            events.map((event) => number(event, false))
          )
        )
      ),
    commit: (text) =>
      Effect.suspend(() => {
        entries.push(entry(text))
        const event: BroadcastEvent = { event: "user_message", data: { segments: [{ kind: "text", content: text }] } }
        return Effect.asVoid(PubSub.publish(hub, number(event, true)))
      }),
    seq: () => seq,
    reads: () => reads,
    stop: Effect.suspend(() =>
      Effect.andThen(PubSub.publish(hub, number({ event: "shutdown" }, false)), Deferred.succeed(stopped, undefined))
    ),
    handle: {
      name: "agent",
      greeting,
      sessionId: "s",
      segmentId: Effect.succeed(null),
      status: Effect.sync(() => status),
      waitingOn: Effect.succeed(null),
      inboxSize: Effect.succeed(3),
      tasks: Effect.succeed([]),
      submit: (method, reply) =>
        Effect.suspend(() => {
          submitted.push(method)
          return options.submit?.(method, reply, pod) ?? Effect.void
        }),
      attach,
      readEntries: (from, limit) =>
        failAt === undefined
          ? Effect.succeed({ entries: entries.slice(from, from + limit), total: entries.length })
          : Effect.fail(new StorageError({ reason: "Io", operation: "read", path: "log", message: "log: EIO" })),
      completions: (_kind, prefix) => Effect.succeed([{ value: `${prefix}main.ts`, is_dir: false }]),
      stopped: Deferred.await(stopped),
      approvals: Effect.succeed([]),
      attendApprovals: Effect.void,
      approve: () => unused,
      run: () => unused,
      runToEnd: () => unused,
      notify: () => unused,
      pause: unused,
      resume: unused,
      inbox: Effect.succeed([]),
      removeInbox: () => unused,
      rewindTargets: unused,
      rewindTo: () => unused,
      undoRewind: unused,
      fork: () => unused,
      cancel: unused,
      shutdown: Effect.suspend(() => pod.stop),
      events: Stream.empty
    }
  }
  return pod
})
