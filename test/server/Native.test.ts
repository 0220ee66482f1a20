import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { noUsage } from "../../src/protocol/LogEntry.ts"
import type { Answer, Reply } from "../../src/pod/PodHandle.ts"
import * as FakePod from "./fakePod.ts"
import { connect, connectNative, type Line, type Loose, serve } from "./support.ts"

const contents = (entries: ReadonlyArray<Loose>): Array<string> => entries.map((entry) => entry.segments[0].content)

/** What a client knows after a snapshot and the events behind it. */
const known = (snapshot: Line, events: ReadonlyArray<Line>): Array<string> => [
  ...contents(snapshot.data.entries),
  ...events.filter((line) => line.event === "user_message").map((line) => line.data.segments[0].content)
]

const accepted: Answer = { ok: true, result: { run_id: "r", accepted_seq: 1, synced: true } }

describe("hello", () => {
  it.live("makes the connection native: welcome, a snapshot with everything, then numbered events", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve({ entries: [FakePod.entry("a")] })
      yield* pod.commit("b")
      yield* pod.emit(FakePod.delta("before"))
      const inFlight = { run_id: "r", leg: 1, turn: 1, blocks: [{ kind: "text" as const, text: "before" }] }
      pod.set({ status: "running", inFlight })
      const client = yield* connectNative(path)
      assert.deepStrictEqual(client.welcome, {
        event: "welcome",
        data: {
          reply_to: "h",
          protocol: 2,
          server: "effect-pod/test",
          pod_name: "agent",
          epoch: FakePod.epoch,
          seq: 2,
          resumed: false
        }
      })
      assert.deepStrictEqual(client.first, {
        event: "snapshot",
        data: {
          entries: pod.entries.map((text) => JSON.parse(text)),
          greeting: FakePod.greeting,
          status: "running",
          seq: 2,
          epoch: FakePod.epoch,
          entries_from: 0,
          total: 2,
          in_flight: inFlight,
          inbox: [],
          pending_approvals: [],
          waiting_on: null,
          usage: noUsage,
          tasks: { pending: 0, inprogress: 0, completed: 0, deleted: 0 }
        }
      })
      yield* pod.commit("c")
      yield* pod.emit({ event: "thinking_start" })
      const durable = yield* client.line
      assert.deepStrictEqual([durable.event, durable.seq, durable.durable], ["user_message", 3, true])
      assert.deepStrictEqual(yield* client.line, { event: "thinking_start", seq: 4 })
    })
  )

  it.live("takes only the last entries if asked, and read_entries gets the ones before", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 250 }, (_, i) => FakePod.entry(`${i}`))
      const { path } = yield* serve({ entries })
      const client = yield* connectNative(path, { entries: { tail: 120 } })
      assert.deepStrictEqual([client.first.data.entries_from, client.first.data.total], [130, 250])
      assert.deepStrictEqual(
        contents(client.first.data.entries),
        Array.from({ length: 120 }, (_, i) => `${i + 130}`)
      )
      yield* client.send({ method: "read_entries", id: "e", params: { from: 128, limit: 2 } })
      assert.deepStrictEqual((yield* client.line).data, {
        reply_to: "e",
        ok: true,
        result: { from: 128, entries: entries.slice(128, 130).map((text) => JSON.parse(text)), total: 250 }
      })
      const none = yield* connectNative(path, { entries: { tail: 0 } })
      assert.deepStrictEqual([none.first.data.entries, none.first.data.entries_from], [[], 250])
    })
  )

  it.live("resumes: the durable events that were missed with their numbers, what is in flight, then live ones", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      yield* pod.commit("a")
      yield* pod.commit("b")
      yield* pod.emit(FakePod.delta("x"))
      yield* pod.commit("c")
      const client = yield* connectNative(path, { resume_from: { epoch: FakePod.epoch, seq: 1 } })
      assert.deepStrictEqual([client.welcome.data.resumed, client.welcome.data.seq], [true, 4])
      const second = yield* client.line
      assert.deepStrictEqual(
        [client.first, second].map((line) => [line.event, line.seq, line.durable]),
        [
          ["user_message", 2, true],
          ["user_message", 4, true]
        ]
      )
      assert.deepStrictEqual(yield* client.line, { event: "in_flight", data: null })
      yield* pod.emit(FakePod.delta("y"))
      assert.strictEqual((yield* client.line).seq, 5)
    })
  )

  for (const [what, from] of [
    ["of another epoch", { epoch: "0197a1c2-0000-7000-8000-000000000000", seq: 1 }],
    ["that was never given out", { epoch: FakePod.epoch, seq: 99 }]
  ] as const) {
    it.live(`with a number ${what} gets a snapshot and no silent gap`, () =>
      Effect.gen(function* () {
        const { path, pod } = yield* serve()
        yield* pod.commit("a")
        const client = yield* connectNative(path, { resume_from: from })
        assert.deepStrictEqual([client.welcome.data.resumed, client.welcome.data.seq], [false, 1])
        assert.deepStrictEqual(known(client.first, []), ["a"])
      })
    )
  }

  it.live("loses and doubles nothing, at whatever moment and however often it comes", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      const client = yield* connect(path)
      const busy = yield* Effect.suspend(() => pod.commit(`${pod.seq()}`)).pipe(
        Effect.andThen(Effect.yieldNow),
        Effect.forever,
        Effect.forkScoped
      )
      let snapshot: Line = { event: "" }
      let events: Array<Line> = []
      for (let round = 0; round < 12; round++) {
        yield* client.send({ method: "hello", id: `h${round}`, params: { protocol: 2 } })
        const before = yield* client.until("welcome")
        const welcome = before.pop()!
        if (round > 0) {
          // What came since the last snapshot joins it without a hole, also when another hello cut it short.
          const seqs = before.map((line) => line.seq)
          assert.deepStrictEqual(
            seqs,
            seqs.map((_, i) => snapshot.data.seq + 1 + i)
          )
        }
        snapshot = yield* client.line
        assert.strictEqual(snapshot.data.seq, welcome.data.seq)
      }
      yield* Fiber.interrupt(busy)
      yield* pod.commit("end")
      events = yield* client.until("user_message", (line) => line.data.segments[0].content === "end")
      assert.deepStrictEqual(known(snapshot, events), contents(pod.entries.map((text) => JSON.parse(text))))
    })
  )
})

describe("a method with an id", () => {
  it.live("is answered once, to its sender, before the event that records it", () =>
    Effect.gen(function* () {
      const { path } = yield* serve({
        submit: (_method, reply, pod) => {
          reply?.(accepted)
          return pod.commit("recorded")
        }
      })
      const other = yield* connectNative(path)
      const seed = yield* connect(path)
      yield* seed.until("snapshot")
      const client = yield* connectNative(path)
      for (let i = 0; i < 20; i++) {
        yield* client.send({ method: "run", id: `r${i}`, params: { input: [] } })
        assert.deepStrictEqual(yield* client.line, { event: "reply", data: { reply_to: `r${i}`, ...accepted } })
        assert.strictEqual((yield* client.line).event, "user_message")
        assert.strictEqual((yield* other.line).event, "user_message")
        assert.strictEqual((yield* seed.line).event, "user_message")
      }
      yield* seed.send({ method: "run", id: "s", params: { input: [] } })
      assert.deepStrictEqual((yield* seed.line).data.reply_to, "s")
      assert.strictEqual((yield* seed.line).event, "user_message")
      yield* client.send({ method: "run", params: { input: [] } })
      assert.deepStrictEqual([(yield* client.line).event, (yield* client.line).event], ["user_message", "user_message"])
    })
  )

  it.live("gets what the pod refuses, with code, message and hint", () =>
    Effect.gen(function* () {
      const error = { code: "already_running", message: "a run is going on", hint: "queue it" } as const
      const { path } = yield* serve({ submit: (_method, reply) => Effect.sync(() => reply?.({ ok: false, error })) })
      const client = yield* connectNative(path)
      yield* client.send({ method: "resume", id: "r" })
      assert.deepStrictEqual((yield* client.line).data, { reply_to: "r", ok: false, error })
    })
  )

  it.live("may be answered late and out of order, while others go on", () =>
    Effect.gen(function* () {
      const replies = new Map<string, Reply>()
      const { path } = yield* serve({
        submit: (method, reply) => Effect.sync(() => replies.set(method.id!, reply!))
      })
      const client = yield* connectNative(path)
      yield* client.send({ method: "compact", id: "slow" })
      yield* client.send({ method: "list_inbox", id: "fast" })
      yield* client.send({ method: "list_completions", id: "now", params: { kind: "file", prefix: "a/" } })
      assert.deepStrictEqual((yield* client.line).data, {
        reply_to: "now",
        ok: true,
        result: { kind: "file", entries: [{ value: "a/main.ts", is_dir: false }] }
      })
      replies.get("fast")!({ ok: true, result: { items: [] } })
      assert.strictEqual((yield* client.line).data.reply_to, "fast")
      replies.get("slow")!({ ok: true, result: {} })
      assert.strictEqual((yield* client.line).data.reply_to, "slow")
    })
  )

  it.live("attach_status tells who is connected, and what waits", () =>
    Effect.gen(function* () {
      const { path } = yield* serve()
      const seed = yield* connect(path)
      yield* seed.until("snapshot")
      const client = yield* connectNative(path)
      yield* seed.send({ method: "attach_status", id: "a" })
      assert.deepStrictEqual((yield* seed.line).data.result, {
        connections: [
          { client: null, protocol: 1, queued: 0 },
          { client: "test/1", protocol: 2, queued: 0 }
        ],
        inbox: 3,
        waiting_on: null
      })
      yield* seed.end
      yield* seed.rest
      yield* client.send({ method: "attach_status", id: "b" })
      assert.deepStrictEqual((yield* client.line).data.result.connections.length, 1)
    })
  )

  it.live("reading a log that cannot be read is refused, and the connection goes on", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve({ entries: Array.from({ length: 20 }, (_, i) => FakePod.entry(`${i}`)) })
      const client = yield* connectNative(path)
      pod.set({ failAt: 5 })
      yield* client.send({ method: "read_entries", id: "e", params: { from: 0, limit: 10 } })
      const { data } = yield* client.line
      assert.deepStrictEqual([data.reply_to, data.ok, data.error.code], ["e", false, "storage_error"])
      yield* client.send({ method: "read_entries", id: "f", params: { from: 0, limit: 5 } })
      assert.lengthOf((yield* client.line).data.result.entries, 5)
    })
  )

  it.live("what breaks in the middle of such an answer is told, and the client is cut off", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve({ entries: Array.from({ length: 300 }, (_, i) => FakePod.entry(`${i}`)) })
      const client = yield* connectNative(path)
      pod.set({ failAt: 250 })
      yield* client.send({ method: "read_entries", id: "e", params: { from: 0, limit: 300 } })
      const first = yield* Effect.flip(client.next)
      assert.deepInclude(first, { _tag: "ConnectError", reason: "Garbled" })
      const { data, event } = yield* client.line
      assert.deepStrictEqual([event, data.code], ["error", "storage_error"])
      assert.deepStrictEqual(yield* client.rest, [])
    })
  )

  it.live("does not make another one wait that the pod takes long to accept", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { path } = yield* serve({
        submit: (method, reply) =>
          Effect.andThen(
            method.method === "notify" ? Deferred.await(gate) : Effect.void,
            Effect.sync(() => reply?.(accepted))
          )
      })
      const blocked = yield* connectNative(path)
      const client = yield* connectNative(path)
      yield* blocked.send({ method: "notify", params: { message: "mailbox full" } })
      yield* blocked.send({ method: "pause", id: "p" })
      yield* client.send({ method: "pause", id: "q" })
      assert.strictEqual((yield* client.line).data.reply_to, "q")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* blocked.line).data.reply_to, "p")
    })
  )
})
