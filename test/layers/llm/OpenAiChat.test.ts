import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fold } from "../../../src/llm/Response.ts"
import { say } from "../../support/VendorServer.ts"
import { call, calls, delta, end, openAiChat as vendor, read } from "./openAiChatUnderTest.ts"
import { bytes } from "./scenario.ts"
import { answers } from "./vendor/Answers.ts"
import { failures } from "./vendor/Failures.ts"
import { collect, setUp } from "./vendor/UnderTest.ts"

answers(vendor)
failures(vendor)

describe("the stream", () => {
  it.effect("with reasoning of a compatible server has thinking before text", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, say([{ thinking: "h" }, { thinking: "m" }, { text: "Hello" }]))
      assert.deepStrictEqual(
        fold(yield* collect(client))
          .items()
          .map(({ item }) => item),
        [
          { kind: "reasoning", text: "hm" },
          { kind: "message", role: "assistant", content: [{ kind: "text", text: "Hello" }] }
        ]
      )
      const other = yield* read(delta({ reasoning: "hm", content: "" }), delta({ content: "x" }), end("stop"))
      assert.strictEqual(other.items()[0]?.item.kind, "reasoning")
    })
  )

  it.effect("that refuses ends with a refusal, told apart from text", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, say([{ refusal: "I will " }, { refusal: "not." }]))
      const response = fold(yield* collect(client))
      assert.strictEqual(response.stop()?.reason, "refusal")
      assert.deepStrictEqual(response.items()[0]?.item, {
        kind: "message",
        role: "assistant",
        content: [{ kind: "refusal", refusal: "I will not." }]
      })
    })
  )

  it.effect("may interleave calls by index", () =>
    Effect.gen(function* () {
      const response = yield* read(
        call({ index: 0, id: "a", function: { name: "X", arguments: '{"n"' } }),
        call({ index: 1, id: "b", function: { name: "Y", arguments: "" } }),
        call({ index: 0, function: { arguments: ":1}" } }),
        call({ index: 1, function: { arguments: "{}" } }),
        end("tool_calls"),
        "data: [DONE]\n\n"
      )
      assert.deepStrictEqual(calls(response), [
        ["a", "X", '{"n":1}'],
        ["b", "Y", "{}"]
      ])
    })
  )

  it.effect("may number all calls 0, or not at all, as long as the ids differ", () =>
    Effect.gen(function* () {
      const zero = yield* read(
        call({ index: 0, id: "a", function: { name: "X", arguments: '{"n":1}' } }),
        call({ index: 0, id: "b", function: { name: "Y", arguments: '{"n":' } }),
        call({ index: 0, function: { arguments: "2}" } }),
        end("stop")
      )
      assert.deepStrictEqual(calls(zero), [
        ["a", "X", '{"n":1}'],
        ["b", "Y", '{"n":2}']
      ])
      // Whatever the server calls it: there are calls to run.
      assert.strictEqual(zero.stop()?.reason, "tool_use")
      const none = yield* read(
        call({ id: "a", function: { name: "X", arguments: "{}" } }),
        call({ id: "b", function: { name: "Y", arguments: '{"n":' } }),
        call({ function: { arguments: "3}" } }),
        end("tool_calls")
      )
      assert.deepStrictEqual(calls(none), [
        ["a", "X", "{}"],
        ["b", "Y", '{"n":3}']
      ])
    })
  )

  it.effect("without ids gets ids of ours", () =>
    Effect.gen(function* () {
      const response = yield* read(
        call({ index: 0, function: { name: "X", arguments: "{}" } }),
        call({ index: 1, function: { name: "X", arguments: "{}" } }),
        end("tool_calls")
      )
      assert.deepStrictEqual(calls(response), [
        ["call_1", "X", "{}"],
        ["call_2", "X", "{}"]
      ])
    })
  )

  it.effect("may name a call after its arguments have begun", () =>
    Effect.gen(function* () {
      const response = yield* read(
        call({ index: 0, id: "a", function: { arguments: '{"n"' } }),
        call({ index: 0, function: { name: "X", arguments: ":1}" } }),
        end("tool_calls")
      )
      assert.deepStrictEqual(calls(response), [["a", "X", '{"n":1}']])
    })
  )

  it.effect("may repeat usage in every chunk, or give none", () =>
    Effect.gen(function* () {
      const usage = { prompt_tokens: 4, completion_tokens: 2, prompt_cache_hit_tokens: 3 }
      const { client } = yield* setUp(
        vendor,
        bytes({ ...delta({ content: "x" }), usage }, { ...delta({ content: "y" }), usage }, { ...end("stop"), usage })
      )
      const events = yield* collect(client)
      assert.deepStrictEqual(
        events.filter(({ type }) => type === "usage"),
        [{ type: "usage", usage: { inputTokens: 4, outputTokens: 2, cacheReadTokens: 3 } }]
      )
      assert.deepStrictEqual((yield* read({ ...delta({ content: "x" }), usage: null }, end("stop"))).usage(), {})
    })
  )

  it.effect("without [DONE] is whole if the reason to stop is known, and cut if not", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* read(delta({ content: "x" }), end("stop"))).stop()?.reason, "end_turn")
      const error = yield* Effect.flip(read(delta({ content: "x" })))
      assert.strictEqual(error.reason, "Cut")
      // No reason given, but an end mark.
      const marked = yield* read(delta({ content: "x" }), delta({}, { finish_reason: null }), "data: [DONE]\n\n")
      assert.strictEqual(marked.stop()?.reason, "end_turn")
    })
  )

  it.effect("with an error of a relay has the relay's status", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read({ error: { code: 502, message: "upstream" }, choices: [] }))
      assert.strictEqual(error.reason, "Refused")
      assert.strictEqual(error.status, 502)
      assert.strictEqual((yield* Effect.flip(read(delta({ content: "x" }), end("error")))).reason, "Refused")
      assert.strictEqual(
        (yield* Effect.flip(read({ error: { code: "context_length_exceeded", message: "too long" } }))).reason,
        "Overflow"
      )
    })
  )

  it.effect("whose last event has no empty line behind it is read to its end", () =>
    Effect.gen(function* () {
      const response = yield* read(delta({ content: "x" }), `data: ${JSON.stringify(end("length"))}`)
      assert.strictEqual(response.stop()?.reason, "max_tokens")
    })
  )
})
