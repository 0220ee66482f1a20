import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as OpenAiChat from "../../../layers/llm/OpenAiChat.ts"
import { build } from "../../../layers/llm/openaiChat/Request.ts"
import type { LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { fold } from "../../../src/llm/Response.ts"
import { message } from "../../../src/protocol/Item.ts"
import { request } from "../../llm/fakeClient.ts"
import { say } from "../../support/VendorServer.ts"
import { bytes, scenario } from "./scenario.ts"
import { answers } from "./vendor/Answers.ts"
import { failures } from "./vendor/Failures.ts"
import { collect, key, setUp, type VendorUnderTest } from "./vendor/UnderTest.ts"

const vendor: VendorUnderTest = {
  name: "openai_chat",
  make: OpenAiChat.make,
  baseUrl: (address) => `${address}/v1`,
  conversation: "messages",
  stopReasons: {
    stop: "end_turn",
    length: "max_tokens",
    content_filter: "refusal",
    tool_calls: "end_turn",
    something_new: "end_turn"
  },
  streamErrors: [
    { type: "rate_limit_exceeded", status: 429 },
    { type: "server_error", status: 500 },
    { type: "some_new_error", status: undefined }
  ],
  overflows: [
    {
      status: 400,
      type: "context_length_exceeded",
      message: "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
    },
    {
      status: 400,
      type: "invalid_request_error",
      message: "Please reduce the length of the messages or completion."
    },
    {
      status: 400,
      type: "exceed_context_size_error",
      message: "the request exceeds the available context size, try increasing it"
    },
    { status: 413, type: "", message: "Payload Too Large" }
  ]
}

answers(vendor)
failures(vendor)

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

describe("the stream", () => {
  const read = (...events: ReadonlyArray<object | string>) =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, bytes(...events))
      return fold(yield* collect(client))
    })
  const delta = (change: object, rest: object = {}) => ({ choices: [{ index: 0, delta: change, ...rest }] })
  const call = (piece: object) => delta({ tool_calls: [piece] })
  const end = (reason: string) => delta({}, { finish_reason: reason })
  const calls = (response: { items: () => ReadonlyArray<{ item: object }> }) =>
    response.items().map(({ item }) => {
      const { arguments: args, call_id, name } = item as Record<string, string>
      return [call_id, name, args]
    })

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

  describe("of a compatible server", () => {
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
          read(
            { object: "error", message: "engine is dead", type: "InternalServerError", code: 500 },
            "data: [DONE]\n\n"
          )
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
})
