/** The whole way from a line on a socket to the journal and back, with a model in the test's hands. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { join } from "node:path"
import * as SocketServer from "../../layers/runtime/SocketServer.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { PodRefused } from "../../src/pod/PodHandle.ts"
import { open } from "../support/podBench.ts"
import { back, entriesOf, say } from "../support/talk.ts"
import { connect, connectNative, type Line, tempDir } from "./support.ts"

const streamed = (lines: ReadonlyArray<Line>): string =>
  lines
    .filter((line) => line.event === "text_delta")
    .map((line) => line.data.text)
    .join("")

describe("a pod on a socket", () => {
  it.live("answers, streams, shows a latecomer the whole of an unfinished answer, and says goodbye", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      const path = join(yield* tempDir, "sock")
      yield* SocketServer.listen(handle, { path })
      const seed = yield* connect(path)
      const first = yield* connectNative(path)
      yield* seed.until("snapshot")

      yield* first.send({ method: "run", id: "r", params: { input: [{ kind: "text", content: "hello" }] } })
      const accepted = (yield* first.until("reply")).at(-1)!.data.result
      const message = (yield* first.until("user_message")).at(-1)!
      assert.strictEqual(message.seq, accepted.accepted_seq)

      const call = yield* model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half " })
      yield* first.until("text_delta")
      const late = yield* connectNative(path, { entries: { tail: 1 } })
      assert.strictEqual(late.first.data.status, "running")
      assert.deepStrictEqual(late.first.data.in_flight.blocks, [{ kind: "text", text: "half " }])
      yield* call.push({ type: "delta", index: 0, text: "an answer" })
      yield* call.answer("")

      const ended = yield* late.until("run_end")
      assert.strictEqual(`half ${streamed(ended)}`, "half an answer")
      assert.deepStrictEqual(
        ended.map((line) => line.seq),
        ended.map((_, i) => late.welcome.data.seq + 1 + i)
      )
      const live = yield* seed.until("run_end")
      assert.strictEqual(streamed(live), "half an answer")
      assert.deepStrictEqual(
        live.filter((line) => line.seq !== undefined),
        []
      )

      const again = yield* connectNative(path, {
        resume_from: { epoch: late.welcome.data.epoch, seq: message.seq! - 1 }
      })
      assert.isTrue(again.welcome.data.resumed)
      assert.deepStrictEqual(again.first, message)

      yield* first.send({ method: "shutdown", id: "bye" })
      assert.deepStrictEqual((yield* first.until("reply")).at(-1)!.data, { reply_to: "bye", ok: true, result: {} })
      for (const client of [first, late, seed]) assert.strictEqual((yield* client.rest).at(-1)!.event, "shutdown")
    })
  )

  it.live("taken back, or in a new segment: who resumes from before it gets the log that is left", () =>
    Effect.gen(function* () {
      const { memory, path, pod } = yield* forked
      const resume = Effect.fnUntraced(function* (event: string, change: Effect.Effect<unknown, PodRefused>) {
        const { data } = (yield* connectNative(path)).welcome
        yield* Effect.orDie(change)
        const client = yield* connectNative(path, { resume_from: { epoch: data.epoch, seq: data.seq } })
        assert.isTrue(client.welcome.data.resumed)
        const seen = client.first.event === event ? [client.first] : yield* client.until(event)
        return seen.at(-1)!.data
      })
      yield* say(pod, "three")
      const applied = yield* resume("rewind_applied", back(pod.handle, "three"))
      assert.deepStrictEqual(applied.entries, yield* entriesOf(pod.handle))
      const foreign = '{"kind":"user_input","ts":1,"segments":[{"kind":"text","content":"foreign"}]}\n'
      memory.write(pod.ref, new TextEncoder().encode(foreign))
      yield* say(pod, "four")
      memory.write({ ...pod.ref, segmentId: pod.journal.segmentId() ?? "" }, new TextEncoder().encode(foreign))
      const rotated = yield* resume("segment_rotated", say(pod, "five"))
      const [first] = yield* entriesOf(pod.handle)
      assert.deepStrictEqual(rotated.entry, first)
      assert.include(JSON.stringify(first), "answer to four")
    })
  )

  it.live("taken back into an earlier segment: who was away, and who had fallen behind, is joined again exactly", () =>
    Effect.gen(function* () {
      const { path, pod } = yield* forked
      const slow = yield* connectNative(path, { entries: { tail: 1_000 } })
      const before = yield* connectNative(path)
      const { epoch, seq } = before.welcome.data
      const words = "w".repeat(10_000)
      const ended = yield* Effect.forkChild(pod.handle.runToEnd("three"))
      const call = yield* pod.model.next
      yield* call.push({ type: "text_start", index: 0 })
      for (let i = 0; i < 300; i++) {
        yield* call.push({ type: "delta", index: 0, text: words })
        yield* before.until("text_delta")
      }
      yield* call.answer("")
      yield* Fiber.join(ended)
      yield* back(pod.handle, "two")
      yield* before.until("rewind_applied")
      const log = yield* entriesOf(pod.handle)
      assert.include(JSON.stringify(log[0]), "answer to one")
      assert.notInclude(JSON.stringify(log), "two")

      // Of two events that carry the log only the last is kept, so that this client gets a whole snapshot.
      const anew = yield* connectNative(path, { resume_from: { epoch, seq } })
      assert.isFalse(anew.welcome.data.resumed)
      assert.deepStrictEqual([anew.first.event, anew.first.data.entries], ["snapshot", log])

      const lines = yield* slow.until("lagged")
      const snapshot = yield* slow.line
      assert.strictEqual(lines.filter(({ event }) => event === "rewind_applied").length, 0)
      const after = yield* entriesOf(pod.handle)
      assert.deepStrictEqual([snapshot.event, snapshot.data.entries], ["snapshot", after])
    })
  )
})

/** A pod that goes on behind another one's log, on a socket. */
const forked = Effect.gen(function* () {
  const memory = MemoryStore.make()
  const source = yield* open(memory)
  yield* say(source, "one")
  yield* say(source, "two")
  yield* source.handle.fork("copy")
  const pod = yield* open(memory, { name: "copy" })
  const path = join(yield* tempDir, "sock")
  yield* SocketServer.listen(pod.handle, { path, limits: { maxEvents: 100 } })
  return { memory, path, pod }
})
