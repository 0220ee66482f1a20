/** How connections end: the client leaves, the pod stops, the server is closed, the log breaks. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import type { Reply } from "../../src/pod/PodHandle.ts"
import * as FakePod from "./fakePod.ts"
import { connect, connectNative, serve, stalled } from "./support.ts"

const names = (lines: ReadonlyArray<{ readonly event: string }>) => lines.map((line) => line.event)

describe("a client that ends its side", () => {
  it.live("gets the snapshot and every reply before the connection closes, however late they come", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<Reply>()
      const { path, pod } = yield* serve({
        entries: Array.from({ length: 1_000 }, () => FakePod.entry("e".repeat(1_000))),
        submit: (_method, reply) => (reply === undefined ? Effect.void : Deferred.succeed(asked, reply))
      })
      const client = yield* connect(path)
      yield* client.sendRaw(`{"method":"notify","params":{"message":"x"}}\n{"method":"compact","id":"c"}`)
      yield* client.end
      const reply = yield* Deferred.await(asked)
      assert.deepStrictEqual(names(yield* client.until("snapshot")), ["snapshot"])
      yield* pod.emit(FakePod.delta("meanwhile"))
      assert.deepStrictEqual((yield* client.line).data, { text: "meanwhile" })
      reply({ ok: true, result: {} })
      assert.deepStrictEqual(yield* client.rest, [{ event: "reply", data: { reply_to: "c", ok: true, result: {} } }])
      assert.deepStrictEqual(names(pod.submitted.map(({ method }) => ({ event: method }))), ["notify", "compact"])
    })
  )

  it.live("gets the parts of the log that it has asked for", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 1_000 }, () => FakePod.entry("e".repeat(1_000)))
      const { path } = yield* serve({ entries, limits: { maxUnanswered: 2 } })
      const client = yield* connect(path)
      for (const id of ["a", "b", "c", "d"]) {
        yield* client.send({ method: "read_entries", id, params: { from: 0, limit: 300 } })
      }
      yield* client.end
      const [, ...replies] = yield* client.rest
      assert.deepStrictEqual(
        replies.map(({ data }) => [data.reply_to, data.result.entries.length]),
        ["a", "b", "c", "d"].map((id) => [id, 300])
      )
    })
  )

  it.live("without having asked for anything gets its snapshot and the end", () =>
    Effect.gen(function* () {
      const { path } = yield* serve()
      const client = yield* connect(path)
      yield* client.end
      assert.deepStrictEqual(names(yield* client.rest), ["snapshot"])
    })
  )

  it.live("and then reads nothing is given up after a while", () =>
    Effect.gen(function* () {
      const { path, server } = yield* serve({
        entries: Array.from({ length: 1_000 }, () => FakePod.entry("e".repeat(10_000))),
        limits: { stallTimeout: Duration.millis(20) }
      })
      const socket = yield* stalled(path)
      socket.end()
      while (server.connections.list().length === 0) yield* Effect.yieldNow
      while (server.connections.list().length > 0) yield* Effect.yieldNow
    })
  )

  it.live("or goes away in the middle of everything has what it sent before taken", () =>
    Effect.gen(function* () {
      const { path, pod, server } = yield* serve({
        entries: Array.from({ length: 1_000 }, () => FakePod.entry("e".repeat(1_000)))
      })
      const busy = yield* connectNative(path, { entries: { tail: 0 } })
      for (let i = 0; i < 50; i++) {
        const socket = yield* stalled(path)
        socket.write(`{"method":"notify","params":{"message":"${i}"}}\n`, () => socket.destroy())
        yield* pod.emit(FakePod.delta(`${i}`))
        yield* busy.line
      }
      while (server.connections.list().length > 1) yield* Effect.yieldNow
      const messages = pod.submitted.map((method) => (method.method === "notify" ? Number(method.params.message) : -1))
      assert.deepStrictEqual(
        messages.toSorted((a, b) => a - b),
        Array.from({ length: 50 }, (_, i) => i)
      )
    })
  )
})

describe("when the pod stops", () => {
  it.live("everybody gets what was published to the last, `shutdown`, and the end", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve({
        submit: (_method, reply, self) => {
          reply?.({ ok: true, result: {} })
          return self.stop
        }
      })
      const seed = yield* connect(path)
      const native = yield* connectNative(path)
      yield* seed.until("snapshot")
      const texts = Array.from({ length: 3_000 }, (_, i) => `${i}`)
      yield* pod.emit(...texts.map(FakePod.delta))
      yield* native.send({ method: "shutdown", id: "s" })
      const last = yield* native.rest
      assert.deepStrictEqual(
        last.filter((line) => line.event !== "reply").map((line) => line.data?.text ?? line.event),
        [...texts, "shutdown"]
      )
      assert.deepStrictEqual(last.filter((line) => line.event === "reply").length, 1)
      assert.isBelow(names(last).indexOf("reply"), names(last).indexOf("shutdown"))
      assert.deepStrictEqual(
        (yield* seed.rest).map((line) => line.data?.text ?? line.event),
        [...texts, "shutdown"]
      )
    })
  )

  it.live("a client that reads nothing holds nobody up for longer than the limit", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { path, pod } = yield* serve({
        entries: Array.from({ length: 1_000 }, () => FakePod.entry("e".repeat(10_000))),
        limits: { drainTimeout: Duration.millis(50) }
      }).pipe(Scope.provide(scope))
      const socket = yield* stalled(path)
      const client = yield* connectNative(path, { entries: { tail: 0 } })
      const closed = yield* Latch.make()
      socket.once("close", () => closed.openUnsafe())
      yield* pod.stop
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(names(yield* client.rest), ["shutdown"])
      socket.resume()
      socket.end()
      yield* closed.await
    })
  )
})

describe("when the server is closed and the pod lives on", () => {
  it.live("clients get what was published so far and the end, and the socket is gone", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { path, pod, server } = yield* serve().pipe(Scope.provide(scope))
      const client = yield* connectNative(path)
      const texts = Array.from({ length: 2_000 }, (_, i) => `${i}`)
      yield* pod.emit(...texts.map(FakePod.delta))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        (yield* client.rest).map((line) => line.data?.text),
        texts
      )
      assert.isFalse(existsSync(path))
      assert.deepStrictEqual(server.connections.list(), [])
    })
  )
})

describe("when the log cannot be read", () => {
  it.live("a client is told in the middle of its snapshot, and cut off", () =>
    Effect.gen(function* () {
      const { path } = yield* serve({
        entries: Array.from({ length: 500 }, (_, i) => FakePod.entry(`${i}`)),
        failAt: 300
      })
      const client = yield* connect(path)
      const first = yield* Effect.flip(client.next)
      assert.deepInclude(first, { _tag: "ConnectError", reason: "Garbled" })
      const { data, event } = yield* client.line
      assert.strictEqual(event, "error")
      assert.strictEqual(data.code, "internal")
      assert.match(data.message, /^the log cannot be read: log: EIO/)
      assert.deepStrictEqual(yield* client.rest, [])
    })
  )
})
