/** The whole way from a line on a socket to the journal and back, with a model in the test's hands. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as SocketServer from "../../layers/runtime/SocketServer.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { open } from "../support/podBench.ts"
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

      const back = yield* connectNative(path, {
        resume_from: { epoch: late.welcome.data.epoch, seq: message.seq! - 1 }
      })
      assert.isTrue(back.welcome.data.resumed)
      assert.deepStrictEqual(back.first, message)

      yield* first.send({ method: "shutdown", id: "bye" })
      assert.deepStrictEqual((yield* first.until("reply")).at(-1)!.data, { reply_to: "bye", ok: true, result: {} })
      for (const client of [first, late, seed]) assert.strictEqual((yield* client.rest).at(-1)!.event, "shutdown")
    })
  )
})
