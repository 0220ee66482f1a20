import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as OpenAiChat from "../../../layers/llm/OpenAiChat.ts"
import { build } from "../../../layers/llm/openaiChat/Request.ts"
import type { LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { request } from "../../llm/fakeClient.ts"
import { say } from "../../support/VendorServer.ts"
import { openAiChat as vendor } from "./openAiChatUnderTest.ts"
import { scenario } from "./scenario.ts"
import { key, setUp } from "./vendor/UnderTest.ts"

const config = request.config

const wire = (changes: Partial<LlmRequest>, options: Partial<OpenAiChat.OpenAiChatOptions> = {}) =>
  build({ apiKey: undefined, model: "m", contextWindow: 128_000, ...options }, { ...request, ...changes })

describe("the request", () => {
  it.effect("of a whole conversation", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setUp(vendor, say([{ text: "x" }]))
      yield* Stream.runDrain(client.stream(scenario))
      const received = yield* Effect.promise(() => server.request(0))
      assert.strictEqual(received.path, "/v1/chat/completions")
      assert.strictEqual(received.headers["authorization"], `Bearer ${key}`)
      assert.strictEqual(received.headers["openai-organization"], undefined)
      assert.deepStrictEqual(received.body, {
        model: "model-1",
        messages: [
          { role: "system", content: "You are a pod." },
          { role: "system", content: "[File: notes.md]\nalpha" },
          { role: "user", content: "Compare a and b." },
          {
            role: "assistant",
            content: "Reading both.",
            tool_calls: [
              { id: "call_a", type: "function", function: { name: "Read", arguments: '{"file_path":"/a"}' } },
              { id: "call_b", type: "function", function: { name: "Read", arguments: '{"file_path":"/b"}' } }
            ]
          },
          { role: "tool", tool_call_id: "call_a", content: "1 line\nalpha" },
          { role: "tool", tool_call_id: "call_b", content: "/b: no such file" },
          { role: "system", content: "[Notification]\nhurry" },
          { role: "assistant", content: "b is missing." },
          { role: "user", content: "Then search." }
        ],
        tools: [
          {
            type: "function",
            function: {
              name: "Grep",
              description: "Searches.",
              parameters: { type: "object", properties: { pattern: { type: "string" } }, required: ["pattern"] }
            }
          },
          {
            type: "function",
            function: { name: "Now", description: "Tells the time.", parameters: { type: "object", properties: {} } }
          }
        ],
        max_completion_tokens: 2000,
        stop: ["END"],
        stream: true,
        stream_options: { include_usage: true }
      })
    })
  )

  it("carries the settings that are set, and says which ones have no place", () => {
    const { body, ignored } = wire({
      config: { ...config, temperature: 0.5, top_p: 0.9, top_k: 40, reasoning: "high" }
    })
    assert.deepInclude(body, { temperature: 0.5, top_p: 0.9, reasoning_effort: "high" })
    assert.notProperty(body, "top_k")
    assert.deepStrictEqual(ignored, ["top_k = 40: Chat Completions has no such setting"])
    assert.lengthOf(wire({ config: { ...config, reasoning: 2000 } }).ignored, 1)
    assert.lengthOf(
      wire({ config: { ...config, reasoning: "high" } }, { capability: { reasoning: "budget_tokens" } }).ignored,
      1
    )
    assert.notProperty(wire({}).body, "max_completion_tokens")
  })

  it("names the limit the old way for servers that want that", () => {
    const { body } = wire({ config: { ...config, max_tokens: 5 } }, { legacyMaxTokens: true })
    assert.strictEqual(body.max_tokens, 5)
    assert.notProperty(body, "max_completion_tokens")
  })

  it("routes to a warm cache at the vendor, and sends compatible servers no field of the vendor's own", () => {
    assert.strictEqual(wire({}).body.prompt_cache_key, "key")
    assert.strictEqual(wire({}, { baseUrl: "https://api.openai.com/v1/" }).body.prompt_cache_key, "key")
    assert.notProperty(wire({}, { baseUrl: "http://127.0.0.1/v1" }).body, "prompt_cache_key")
  })

  it("says a refusal as one, and nothing for an answer that held only thinking", () => {
    const { body } = wire({
      messages: [
        { role: "user", text: "a" },
        { role: "assistant", blocks: [{ kind: "refusal", text: "No." }] },
        { role: "user", text: "b" },
        { role: "assistant", blocks: [{ kind: "thinking", text: "hm" }] }
      ]
    })
    assert.deepStrictEqual(body.messages, [
      { role: "user", content: "a" },
      { role: "assistant", content: null, refusal: "No." },
      { role: "user", content: "b" }
    ])
  })

  it("takes ids that another vendor made, and keeps call and result together", () => {
    const id = `toolu_${"x".repeat(60)}`
    const { body } = wire({
      messages: [
        { role: "user", text: "hi" },
        { role: "assistant", blocks: [{ kind: "tool_call", id, name: "Read", arguments: "{}" }] },
        { role: "tool", results: [{ id, name: "Read", text: "x", isError: false }] }
      ]
    })
    const [, call, result] = body.messages as ReadonlyArray<{
      tool_calls?: ReadonlyArray<{ id: string }>
      tool_call_id?: string
    }>
    assert.isAtMost(call?.tool_calls?.[0]?.id.length ?? 99, 40)
    assert.strictEqual(result?.tool_call_id, call?.tool_calls?.[0]?.id)
  })
})
