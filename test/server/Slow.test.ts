import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Reply } from "../../src/pod/PodHandle.ts"
import type { ConnectionInfo } from "../../src/server/Connections.ts"
import * as FakePod from "./fakePod.ts"
import { type Client, connect, connectNative, type Line, serve, stalled } from "./support.ts"

const big = "z".repeat(10_000)

/** Emits so much that a client which does not read falls behind, in steps that the other one keeps up with. */
const outpace = Effect.fnUntraced(function* (pod: FakePod.FakePod, fast: Client, events: number) {
  for (let i = 0; i < events; i += 10) {
    yield* pod.emit(...Array.from({ length: 9 }, () => FakePod.delta(big)))
    yield* pod.commit(`${pod.seq()}`)
    for (let k = 0; k < 10; k++) yield* fast.line
  }
})

/** So many turns of the server that anything it could do about other clients it has done. */
const settle = Effect.fnUntraced(function* (client: Client) {
  for (let i = 0; i < 25; i++) {
    yield* client.send({ method: "list_completions", params: { kind: "file", prefix: "" } })
    yield* client.until("completions")
  }
})

const queuedOf = (served: { readonly server: { readonly connections: { list(): ReadonlyArray<ConnectionInfo> } } }) =>
  served.server.connections.list().map((connection) => connection.queued)

describe("a client that does not keep up", () => {
  it.live("on the native protocol: others get everything, and it is told and joined again exactly", () =>
    Effect.gen(function* () {
      const served = yield* serve({ limits: { maxEvents: 100 } })
      const { path, pod } = served
      const fast = yield* connectNative(path)
      const slow = yield* connectNative(path, { entries: { tail: 1_000 } })
      yield* outpace(pod, fast, 500)
      assert.isAtMost(queuedOf(served)[1]!, 101)

      const before = yield* slow.until("lagged")
      const lagged = before.pop()!
      const last = before.at(-1)!.seq!
      assert.deepStrictEqual(
        before.map((line) => line.seq),
        before.map((_, i) => i + 1)
      )
      assert.deepStrictEqual(lagged, { event: "lagged", data: { missed_from: last + 1, resume_seq: pod.seq() } })
      const snapshot = yield* slow.line
      assert.deepStrictEqual([snapshot.event, snapshot.data.seq], ["snapshot", pod.seq()])
      assert.deepStrictEqual(
        snapshot.data.entries,
        pod.entries.map((text) => JSON.parse(text))
      )

      yield* pod.commit("after")
      assert.strictEqual((yield* slow.line).seq, pod.seq())
      assert.strictEqual((yield* fast.line).seq, pod.seq())
    })
  )

  it.live(
    "may fall behind again in the middle of its fresh snapshot",
    () =>
      Effect.gen(function* () {
        const served = yield* serve({
          entries: Array.from({ length: 1_000 }, (_, i) => FakePod.entry(`${i} ${"e".repeat(1_000)}`)),
          limits: { maxEvents: 100 }
        })
        const { path, pod } = served
        const fast = yield* connectNative(path, { entries: { tail: 0 } })
        const slow = yield* connectNative(path)
        let snapshot: Line = slow.first
        for (let round = 0; round < 3; round++) {
          yield* outpace(pod, fast, 500)
          const missed = yield* slow.until("lagged")
          const { data } = missed.pop()!
          assert.strictEqual(data.missed_from, snapshot.data.seq + missed.length + 1)
          // The client stands still here: the snapshot is half-way out while the pod goes on.
          yield* outpace(pod, fast, 500)
          assert.isAtMost(queuedOf(served)[1]!, 101)
          snapshot = yield* slow.line
          assert.strictEqual(snapshot.data.seq, data.resume_seq)
          // Every tenth event is a commit.
          assert.strictEqual(snapshot.data.total, 1_000 + Math.floor(snapshot.data.seq / 10))
          const whole = pod.entries.slice(0, snapshot.data.total).map((text) => JSON.parse(text))
          assert.deepStrictEqual(snapshot.data.entries, whole)
        }
      }),
    20_000
  )

  it.live("on the seed protocol: it is cut off, others get everything, and nothing of it is left", () =>
    Effect.gen(function* () {
      const served = yield* serve({ limits: { maxEvents: 100 } })
      const fast = yield* connectNative(served.path)
      const slow = yield* connect(served.path)
      yield* slow.until("snapshot")
      yield* outpace(served.pod, fast, 500)
      const got = yield* slow.rest
      assert.deepStrictEqual(
        got.filter((line) => line.event !== "text_delta" && line.event !== "user_message"),
        []
      )
      assert.isBelow(got.length, 500)
      assert.strictEqual(queuedOf(served).length, 1)
    })
  )

  it.live("is held to a size as well as to a count", () =>
    Effect.gen(function* () {
      const served = yield* serve({ limits: { maxEventSize: 200_000 } })
      const fast = yield* connectNative(served.path)
      const slow = yield* connectNative(served.path)
      yield* outpace(served.pod, fast, 500)
      assert.isAtMost(queuedOf(served)[1]!, 30)
      assert.strictEqual((yield* slow.until("lagged")).at(-1)!.data.resume_seq, served.pod.seq())
    })
  )

  it.live("is told when the pod itself dropped events before they could be moved", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve({ hubBound: 16 })
      const client = yield* connectNative(path)
      yield* pod.emit(...Array.from({ length: 100 }, (_, i) => FakePod.delta(`${i}`)))
      const before = yield* client.until("lagged")
      const lagged = before.pop()
      assert.deepStrictEqual(
        before.map((line) => line.seq),
        before.map((_, i) => i + 1)
      )
      assert.deepStrictEqual(lagged, { event: "lagged", data: { missed_from: before.length + 1, resume_seq: 100 } })
      const snapshot = yield* client.line
      assert.deepStrictEqual([snapshot.event, snapshot.data.seq], ["snapshot", 100])
      yield* pod.commit("next")
      assert.strictEqual((yield* client.line).seq, 101)
    })
  )

  it.live("is not read while 64 of its lines are unanswered, and is read again as answers go out", () =>
    Effect.gen(function* () {
      const replies: Array<Reply> = []
      const { path, pod } = yield* serve({ submit: (_method, reply) => Effect.sync(() => replies.push(reply!)) })
      const other = yield* connect(path)
      const client = yield* connectNative(path)
      for (let i = 0; i < 100; i++) yield* client.send({ method: "list_inbox", id: `${i}` })
      yield* settle(other)
      assert.strictEqual(pod.submitted.length, 64)
      for (let i = 0; i < 100; i++) {
        replies[i]!({ ok: true, result: {} })
        assert.strictEqual((yield* client.line).data.reply_to, `${i}`)
        if (i % 10 === 0) yield* settle(other)
        assert.isAtMost(replies.length, 65 + i)
        if (i % 10 === 0) assert.strictEqual(replies.length, Math.min(100, 65 + i))
      }
    })
  )

  it.live("that asks and asks and takes no answer is not read any further", () =>
    Effect.gen(function* () {
      const served = yield* serve()
      const other = yield* connect(served.path)
      const socket = yield* stalled(served.path)
      const line = `${JSON.stringify({ method: "list_completions", params: { kind: "file", prefix: big } })}\n`
      for (let i = 0; i < 500; i++) socket.write(line)
      yield* settle(other)
      assert.isAtMost(queuedOf(served)[1]!, 64)
      assert.isAbove(socket.writableLength, 0)
    })
  )

  it.live("that says hello again and again gets one snapshot for the last, not one for each", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 2_000 }, (_, i) => FakePod.entry(`${i} ${"t".repeat(1_000)}`))
      const { path } = yield* serve({ entries })
      const client = yield* connect(path)
      const line = (i: number) => `${JSON.stringify({ method: "hello", id: `${i}`, params: { protocol: 2 } })}\n`
      yield* client.sendRaw(Array.from({ length: 40 }, (_, i) => line(i)).join(""))
      yield* settle(yield* connect(path))
      const lines = [
        ...(yield* client.until("welcome", (welcome) => welcome.data.reply_to === "39")),
        ...(yield* client.until("snapshot"))
      ]
      assert.deepStrictEqual(
        lines.map((each) => each.event),
        ["snapshot", ...Array.from({ length: 40 }, () => "welcome"), "snapshot"]
      )
    })
  )

  it.live("reads a long transcript at its own pace: no more of it is read from the log than it takes", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 10_000 }, (_, i) => FakePod.entry(`${i} ${"t".repeat(1_000)}`))
      const { path, pod } = yield* serve({ entries })
      const slow = yield* connect(path)
      const other = yield* connectNative(path, { entries: { tail: 0 } })
      // The other one's own seed snapshot was read whole.
      const own = 100
      yield* settle(other)
      assert.isAtMost(pod.reads() - own, 10)
      const snapshot = yield* slow.line
      assert.strictEqual(pod.reads() - own, 100)
      assert.deepStrictEqual(
        snapshot.data.entries,
        entries.map((text) => JSON.parse(text))
      )
    })
  )
})
