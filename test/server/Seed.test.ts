import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { BroadcastEvent } from "../../src/protocol/Event.ts"
import * as FakePod from "./fakePod.ts"
import { connect, serve, stalled } from "./support.ts"

const alert = (message: string): BroadcastEvent => ({
  event: "alert",
  data: { level: "warn", source: "pod", message, timestamp_ms: 1 }
})

const names = (lines: ReadonlyArray<{ readonly event: string }>) => lines.map((line) => line.event)

describe("a client of the seed protocol", () => {
  it.live("gets the alerts so far, one snapshot with exactly three fields, then events without numbers", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve({ entries: [FakePod.entry("a"), FakePod.entry("b")] })
      yield* pod.emit(alert("one"), alert("two"))
      const client = yield* connect(path)
      const prelude = yield* client.until("snapshot")
      yield* pod.emit(FakePod.delta("hi"), alert("three"))
      assert.deepStrictEqual(names(prelude), ["alert", "alert", "snapshot"])
      assert.strictEqual(prelude[1]!.data.message, "two")
      assert.deepStrictEqual(prelude[2]!.data, {
        entries: pod.entries.map((text) => JSON.parse(text)),
        greeting: FakePod.greeting,
        status: "idle"
      })
      assert.deepStrictEqual(yield* client.line, { event: "text_delta", data: { text: "hi" } })
      assert.strictEqual((yield* client.line).data.message, "three")
    })
  )

  it.live("is told only what the seed protocol has a word for", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      pod.set({ status: "compacting" })
      const client = yield* connect(path)
      assert.strictEqual((yield* client.line).data.status, "idle")
      yield* pod.emit(
        { event: "run_start", data: { run_id: "r", leg: 1, kind: "run" } },
        { event: "status", data: { status: "running" } },
        { event: "status", data: { status: "restoring" } },
        { event: "error", data: { code: "storage_error", message: "disk", phase: "store" } }
      )
      assert.deepStrictEqual(yield* client.line, { event: "status", data: { status: "running" } })
      assert.strictEqual((yield* client.line).data.code, "internal")
    })
  )

  it.live("has its lines taken as methods in their order, however they are cut up", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      const client = yield* connect(path)
      const bytes = new TextEncoder().encode(
        `\r\n  {"method":"notify","params":{"message":"grüß"}}\r\n\n{"method":"pause"}\n{"method":"list_completions",` +
          `"params":{"kind":"file","prefix":"src/"}}`
      )
      for (const byte of bytes) yield* client.sendRaw(Uint8Array.of(byte))
      yield* client.sendRaw("\n")
      const lines = yield* client.until("completions")
      assert.deepStrictEqual(names(lines), ["snapshot", "completions"])
      assert.deepStrictEqual(lines[1]!.data, { kind: "file", entries: [{ value: "src/main.ts", is_dir: false }] })
      assert.deepStrictEqual(pod.submitted, [{ method: "notify", params: { message: "grüß" } }, { method: "pause" }])
    })
  )

  it.live("is answered alone for a line that is no method, and goes on", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      const other = yield* connect(path)
      const client = yield* connect(path)
      yield* client.until("snapshot")
      yield* client.sendRaw("{nope}\n")
      yield* client.sendRaw(Uint8Array.of(0x22, 0xff, 0x22, 0x0a))
      yield* client.send({ method: "zap", id: "z1" })
      yield* client.send({ method: "hello", id: "z2", params: { protocol: 7 } })
      yield* client.send({ method: "hello", params: { protocol: 1 } })
      yield* client.send({ method: "read_entries", params: { from: 0, limit: 1 } })
      yield* client.send({ method: "pause" })
      for (const text of ["not JSON", "not UTF-8"]) {
        const { data, event } = yield* client.line
        assert.strictEqual(event, "error")
        assert.strictEqual(data.code, "invalid_request")
        assert.match(data.message, new RegExp(`^invalid method: .*${text}`))
      }
      for (const [id, text] of [
        ["z1", /^invalid method: unknown method "zap"/],
        ["z2", /protocol 7.*hello takes 2/]
      ] as const) {
        const { data, event } = yield* client.line
        assert.strictEqual(event, "reply")
        assert.strictEqual(data.reply_to, id)
        assert.deepStrictEqual([data.ok, data.error.code], [false, "invalid_request"])
        assert.match(data.error.message, text)
      }
      assert.match((yield* client.line).data.message, /protocol 1/)
      assert.match((yield* client.line).data.message, /^invalid method: read_entries needs an "id"/)
      yield* pod.emit(FakePod.delta("still here"))
      assert.deepStrictEqual(yield* client.line, { event: "text_delta", data: { text: "still here" } })
      assert.deepStrictEqual(names(yield* other.until("text_delta")), ["snapshot", "text_delta"])
      assert.deepStrictEqual(pod.submitted, [{ method: "pause" }])
    })
  )

  it.live("may send a line of 17 MiB: it is refused, and the next one is taken", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      const client = yield* connect(path)
      yield* client.until("snapshot")
      const piece = new Uint8Array(1024 * 1024).fill(0x61)
      for (let i = 0; i < 17; i++) yield* client.sendRaw(piece)
      yield* client.sendRaw(`\n{"method":"pause"}\n`)
      const { data } = yield* client.line
      assert.match(data.message, /^invalid method: the line is longer than 16777216 bytes/)
      yield* client.send({ method: "list_completions", params: { kind: "file", prefix: "" } })
      assert.strictEqual((yield* client.line).event, "completions")
      assert.deepStrictEqual(pod.submitted, [{ method: "pause" }])
    })
  )

  it.live("that reads nothing has its methods taken while the snapshot is still on its way", () =>
    Effect.gen(function* () {
      const taken = yield* Latch.make()
      const { path } = yield* serve({
        entries: Array.from({ length: 2_000 }, (_, i) => FakePod.entry(`${i} ${"x".repeat(2_000)}`)),
        submit: () => taken.open
      })
      const socket = yield* stalled(path)
      socket.write(`{"method":"notify","params":{"message":"big"}}\n`)
      yield* taken.await
    })
  )

  it.live("gets everybody's events in the order in which they were published, through any burst", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* serve()
      const client = yield* connect(path)
      yield* client.until("snapshot")
      const texts = Array.from({ length: 8_000 }, (_, i) => `${i} ${"y".repeat(100)}`)
      yield* pod.emit(...texts.map(FakePod.delta))
      const lines = yield* client.until("text_delta", (line) => line.data.text === texts.at(-1))
      assert.deepStrictEqual(
        lines.map((line) => line.data.text),
        texts
      )
    })
  )
})
