/** Servers that speak Chat Completions, each with its own deviations. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { message } from "../../../src/protocol/Item.ts"
import { call, calls, delta, end, read } from "./openAiChatUnderTest.ts"

describe("the stream of a compatible server", () => {
  const chunk = (rest: object) => ({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", ...rest })

  it.effect("like OpenRouter has comments, empty choices, both names of reasoning, and usage behind the end", () =>
    Effect.gen(function* () {
      const response = yield* read(
        ": OPENROUTER PROCESSING\n\n",
        ": OPENROUTER PROCESSING\n\n",
        chunk({ provider: "X", choices: [] }),
        delta({ role: "assistant", content: "", reasoning: "hm", reasoning_details: [{ type: "reasoning.text" }] }),
        delta({ content: "Hi", reasoning: null }),
        delta({ content: "" }, { finish_reason: "stop", native_finish_reason: "end_turn" }),
        chunk({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, cost: 0.1 } }),
        "data: [DONE]\n\n"
      )
      assert.deepStrictEqual(
        response.items().map(({ item }) => item),
        [{ kind: "reasoning", text: "hm" }, message("assistant", "Hi")]
      )
      assert.deepStrictEqual(response.usage(), { inputTokens: 3, outputTokens: 2 })
    })
  )

  it.effect("like OpenRouter says in the middle that the upstream failed", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        read(
          delta({ content: "x" }),
          {
            ...delta({ content: "" }, { finish_reason: "error" }),
            error: { code: "server_error", message: "Provider disconnected unexpectedly" }
          },
          "data: [DONE]\n\n"
        )
      )
      assert.strictEqual(error.reason, "Refused")
      assert.strictEqual(error.status, 500)
      assert.include(error.message, "Provider disconnected")
    })
  )

  it.effect("like Ollama gives calls whole, all at once, and says that it stopped", () =>
    Effect.gen(function* () {
      const response = yield* read(
        delta({
          role: "assistant",
          content: "",
          tool_calls: ["a", "b", "c"].map((id, index) => ({
            id: `call_${id}`,
            index,
            type: "function",
            function: { name: "Read", arguments: `{"n":${index}}` }
          }))
        }),
        end("stop"),
        "data: [DONE]\n\n"
      )
      assert.deepStrictEqual(calls(response), [
        ["call_a", "Read", '{"n":0}'],
        ["call_b", "Read", '{"n":1}'],
        ["call_c", "Read", '{"n":2}']
      ])
      assert.strictEqual(response.stop()?.reason, "tool_use")
      assert.deepStrictEqual(response.usage(), {})
      const objects = yield* read(call({ id: "x", function: { name: "X", arguments: { n: 1 } } }), end("tool_calls"))
      assert.deepStrictEqual(calls(objects), [["x", "X", '{"n":1}']])
      assert.include((yield* Effect.flip(read({ error: "model runner has stopped" }))).message, "model runner")
    })
  )

  it.effect("like vLLM tells of its errors as events, and of its aborts as a reason to stop", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        read({ object: "error", message: "engine is dead", type: "InternalServerError", code: 500 }, "data: [DONE]\n\n")
      )
      assert.strictEqual(error.reason, "Refused")
      assert.strictEqual(error.status, 500)
      assert.strictEqual((yield* Effect.flip(read(delta({ content: "x" }), end("abort")))).reason, "Refused")
    })
  )

  it.effect("like llama.cpp sends the whole of it in one chunk, with timings", () =>
    Effect.gen(function* () {
      const response = yield* read(
        {
          ...delta({ role: "assistant", content: null }),
          timings: { prompt_n: 3 }
        },
        delta({ reasoning_content: "hm" }),
        call({ index: 0, id: "q", type: "function", function: { name: "X", arguments: "{" } }),
        call({ index: 0, function: { arguments: "}" } }),
        { ...end("tool_calls"), timings: { prompt_n: 3 } },
        chunk({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 9 }, timings: { prompt_n: 3 } }),
        "data: [DONE]\n\n"
      )
      assert.deepStrictEqual(calls({ items: () => response.items().slice(1) }), [["q", "X", "{}"]])
      assert.strictEqual(response.usage().outputTokens, 9)
    })
  )
})
