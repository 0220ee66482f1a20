import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Gemini from "../../../layers/llm/Gemini.ts"
import { project } from "../../../layers/llm/gemini/JsonSchema.ts"
import { build } from "../../../layers/llm/gemini/Request.ts"
import type { VendorOptions } from "../../../layers/llm/vendor/Vendor.ts"
import type { LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { fold } from "../../../src/llm/Response.ts"
import { transcript } from "../../../src/llm/Transcript.ts"
import { message } from "../../../src/protocol/Item.ts"
import { request } from "../../llm/fakeClient.ts"
import { say } from "../../support/VendorServer.ts"
import { bytes, scenario } from "./scenario.ts"
import { answers } from "./vendor/Answers.ts"
import { failures } from "./vendor/Failures.ts"
import { collect, key, setUp, type VendorUnderTest } from "./vendor/UnderTest.ts"

const vendor: VendorUnderTest = {
  name: "gemini",
  make: Gemini.make,
  baseUrl: (address) => address,
  conversation: "contents",
  wholeArguments: true,
  silentRefusal: true,
  stopReasons: {
    STOP: "end_turn",
    MAX_TOKENS: "max_tokens",
    SAFETY: "refusal",
    RECITATION: "refusal",
    PROHIBITED_CONTENT: "refusal",
    OTHER: "refusal",
    SOMETHING_NEW: "end_turn"
  },
  streamErrors: [
    { type: "UNAVAILABLE", status: 503 },
    { type: "RESOURCE_EXHAUSTED", status: 429 },
    { type: "SOMETHING_NEW", status: 418 }
  ],
  overflows: [
    {
      status: 400,
      type: "INVALID_ARGUMENT",
      message: "The input token count (1300000) exceeds the maximum number of tokens allowed (1048576)."
    },
    { status: 413, type: "", message: "Payload Too Large" }
  ]
}

answers(vendor)
failures(vendor)

const { config } = request

const wire = (changes: Partial<LlmRequest>, options: Partial<VendorOptions> = {}) =>
  build({ apiKey: undefined, model: "m", contextWindow: 128_000, ...options }, { ...request, ...changes })

describe("the request", () => {
  it.effect("of a whole conversation", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setUp(vendor, say([{ text: "x" }]))
      yield* Stream.runDrain(client.stream(scenario))
      const received = yield* Effect.promise(() => server.request(0))
      assert.strictEqual(received.path, "/v1beta/models/model-1:streamGenerateContent?alt=sse")
      assert.strictEqual(received.headers["x-goog-api-key"], key)
      assert.deepStrictEqual(received.body, {
        systemInstruction: { parts: [{ text: "You are a pod." }] },
        contents: [
          { role: "user", parts: [{ text: "[File: notes.md]\nalpha" }, { text: "Compare a and b." }] },
          {
            role: "model",
            parts: [
              { text: "Two files.", thought: true, thoughtSignature: "SIG" },
              { text: "", thoughtSignature: "HIDDEN" },
              { text: "Reading both." },
              { functionCall: { id: "call_a", name: "Read", args: { file_path: "/a" } } },
              { functionCall: { id: "call_b", name: "Read", args: { file_path: "/b" } } }
            ]
          },
          {
            role: "user",
            parts: [
              { functionResponse: { id: "call_a", name: "Read", response: { output: "1 line\nalpha" } } },
              { functionResponse: { id: "call_b", name: "Read", response: { error: "/b: no such file" } } },
              { text: "[Notification]\nhurry" }
            ]
          },
          { role: "model", parts: [{ text: "b is missing." }] },
          { role: "user", parts: [{ text: "Then search." }] }
        ],
        tools: [
          {
            functionDeclarations: [
              {
                name: "Grep",
                description: "Searches.",
                parametersJsonSchema: {
                  type: "object",
                  properties: { pattern: { type: "string" } },
                  required: ["pattern"]
                }
              },
              { name: "Now", description: "Tells the time.", parametersJsonSchema: { type: "object" } }
            ]
          }
        ],
        generationConfig: { maxOutputTokens: 2000, stopSequences: ["END"] }
      })
    })
  )

  it("signs calls that have no signature with Google's placeholder: the first of an answer, for models that ask for it", () => {
    const call = (id: string) => ({ kind: "tool_call", id, name: "Read", arguments: "{}" }) as const
    const results = (...ids: ReadonlyArray<string>) =>
      ({ role: "tool", results: ids.map((id) => ({ id, name: "Read", text: "x", isError: false })) }) as const
    const messages = [
      { role: "user", text: "go" },
      { role: "assistant", blocks: [{ kind: "text", text: "Both." }, call("a"), call("b")] },
      results("a", "b"),
      { role: "assistant", blocks: [{ kind: "thinking", text: "", signature: "OWN" }, call("c"), call("d")] },
      results("c", "d")
    ] as const
    const signatures = (model: string) =>
      wire({ messages }, { model }).contents.flatMap(({ parts = [] }) =>
        parts.flatMap((part) =>
          part.functionCall === undefined ? [] : [[part.functionCall.id, part.thoughtSignature]]
        )
      )
    const placeholder = "skip_thought_signature_validator"
    for (const model of [
      "gemini-3-flash-preview",
      "gemini-3.8-flash",
      "models/gemini-3.1-pro",
      "gemini-flash-latest"
    ]) {
      assert.deepStrictEqual(
        signatures(model),
        [
          ["a", placeholder],
          ["b", undefined],
          ["c", "OWN"],
          ["d", undefined]
        ],
        model
      )
    }
    for (const model of ["gemini-2.5-pro", "gemini-2.0-flash", "gemini-1.5-pro", "gemma-3"]) {
      assert.deepStrictEqual(signatures(model)[0], ["a", undefined], model)
    }
  })

  it("carries the settings that are set, in the form that the model takes", () => {
    const set = { ...config, temperature: 0.5, top_p: 0.9, top_k: 40 }
    assert.deepInclude(wire({ config: set }).config, { temperature: 0.5, topP: 0.9, topK: 40 })
    const thinking = (reasoning: string | number) =>
      JSON.parse(JSON.stringify(wire({ config: { ...config, reasoning } }).config.thinkingConfig)) as object
    assert.deepStrictEqual(thinking("high"), { includeThoughts: true, thinkingLevel: "HIGH" })
    assert.deepStrictEqual(thinking(2000), { includeThoughts: true, thinkingBudget: 2000 })
    assert.deepStrictEqual(thinking(-7), { includeThoughts: true, thinkingBudget: -1 })
    assert.deepStrictEqual(thinking("none"), { thinkingBudget: 0 })
    const effort = wire({ config: { ...config, reasoning: 2000 } }, { capability: { reasoning: "effort" } })
    assert.lengthOf(effort.ignored, 1)
    assert.notProperty(effort.config, "thinkingConfig")
  })

  it("describes parameters in the words that the API takes", () => {
    assert.deepStrictEqual(
      project({
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: {
          // A property may be called like a keyword.
          pattern: { type: "string", pattern: "^a", minLength: 1, description: "d" },
          count: { type: "integer", allOf: [{ exclusiveMinimum: 0 }, { maximum: 9 }] },
          mode: { anyOf: [{ const: "a" }, { type: "null", default: null }] },
          list: { type: "array", items: { $ref: "#/$defs/Item" }, uniqueItems: true }
        },
        required: ["pattern"],
        additionalProperties: false,
        $defs: { Item: { type: "number", exclusiveMinimum: 0.5, enum: [1, 2] } }
      }),
      {
        type: "object",
        properties: {
          pattern: { type: "string", description: "d" },
          count: { type: "integer", minimum: 1, maximum: 9 },
          mode: { anyOf: [{ enum: ["a"] }, { type: "null" }] },
          list: { type: "array", items: { $ref: "#/$defs/Item" } }
        },
        required: ["pattern"],
        additionalProperties: false,
        $defs: { Item: { type: "number", enum: [1, 2] } }
      }
    )
  })
})

describe("the stream", () => {
  const chunk = (parts: ReadonlyArray<object>, more: object = {}) => ({
    candidates: [{ content: { role: "model", parts }, ...more }]
  })
  const end = (finishReason = "STOP", more: object = {}) => ({ candidates: [{ finishReason, ...more }] })
  const read = (...events: ReadonlyArray<object | string>) =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, bytes(...events))
      return fold(yield* collect(client))
    })
  const calls = (...names: ReadonlyArray<string>) => names.map((name) => ({ functionCall: { name, args: {} } }))

  it.effect("without ids gets ids of ours, that no other call of the conversation has", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, bytes(chunk(calls("Read", "Read")), chunk(calls("Read")), end()))
      const response = fold(yield* Stream.runCollect(client.stream(scenario)))
      const ids = response.items().map(({ item }) => (item.kind === "tool_call" ? item.call_id : ""))
      assert.strictEqual(new Set([...ids, "call_a", "call_b"]).size, 5)
      assert.strictEqual(response.stop()?.reason, "tool_use")
    })
  )

  it.effect("with a call twice has it once; another call under the same id is another call", () =>
    Effect.gen(function* () {
      const call = (args: object) => ({
        candidates: [{ content: { parts: [{ functionCall: { id: "a", name: "Act", args } }] } }]
      })
      const { client } = yield* setUp(
        vendor,
        bytes(call({ n: 1 }), call({ n: 1 }), call({ n: 2 }), { candidates: [{ finishReason: "STOP" }] })
      )
      const items = fold(yield* collect(client)).items()
      assert.deepStrictEqual(
        items.map(({ item }) => item.kind === "tool_call" && [item.call_id, item.arguments]),
        [
          ["a", '{"n":1}'],
          ["call_1", '{"n":2}']
        ]
      )
    })
  )

  it.effect("signs parts in any place, and each signature goes back on its part", () =>
    Effect.gen(function* () {
      const signed: ReadonlyArray<ReadonlyArray<object>> = [
        // A thought is told, and the call behind it is signed.
        [{ functionCall: { id: "a", name: "Read", args: { n: 1 } }, thoughtSignature: "AA==" }],
        [
          { functionCall: { id: "a", name: "Read", args: {} }, thoughtSignature: "AA==" },
          { functionCall: { id: "b", name: "Read", args: {} } },
          { functionCall: { id: "c", name: "Read", args: {} }, thoughtSignature: "BB==" }
        ],
        [{ text: "Hello" }, { text: "", thoughtSignature: "CC==" }],
        [{ text: "Hel" }, { text: "lo", thoughtSignature: "DD==" }],
        [{ text: "hm", thought: true, thoughtSignature: "EE==" }, { text: "Hello" }],
        [{ text: "Hello" }, { text: "", thoughtSignature: "FF==" }, { functionCall: { id: "a", name: "X", args: {} } }]
      ]
      for (const parts of signed) {
        const items = (yield* read(...parts.map((part) => chunk([part])), end())).items()
        const journal = JSON.parse(JSON.stringify(items)) as typeof items
        const { contents } = wire({ messages: transcript(journal.map(({ item }) => ({ item, turn: 1 }))) })
        const model = contents.find(({ role }) => role === "model")
        assert.deepStrictEqual(JSON.parse(JSON.stringify(model?.parts)), parts)
      }
      const [thought, proof, call] = (yield* read(
        chunk([{ text: "hm", thought: true }]),
        chunk([{ functionCall: { name: "X" }, thoughtSignature: "GG==" }]),
        end()
      )).items()
      assert.deepStrictEqual(
        [thought?.item, proof?.item, call?.item.kind],
        [{ kind: "reasoning", text: "hm" }, { kind: "reasoning", text: "", signature: "GG==" }, "tool_call"]
      )
    })
  )

  it.effect("whose prompt was blocked is a refusal with its reason", () =>
    Effect.gen(function* () {
      const response = yield* read({ promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, usageMetadata: {} })
      assert.deepStrictEqual(response.stop(), { type: "stop", reason: "refusal", detail: "PROHIBITED_CONTENT" })
      const safety = yield* read(chunk([{ text: "x" }]), end("SAFETY", { finishMessage: `harm by ${key}` }))
      assert.deepStrictEqual(safety.stop(), { type: "stop", reason: "refusal", detail: "SAFETY: harm by <key>" })
    })
  )

  it.effect("that the model has spoilt is a failure that may be tried again, never an answer", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read(end("MALFORMED_FUNCTION_CALL", { finishMessage: "Malformed: print(" })))
      assert.strictEqual(error.reason, "Refused")
      assert.strictEqual(error.status, 500)
      assert.include(error.message, "print(")
    })
  )

  it.effect("counts thoughts as output and tells the cached part of the prompt", () =>
    Effect.gen(function* () {
      const usageMetadata = {
        promptTokenCount: 10,
        cachedContentTokenCount: 4,
        candidatesTokenCount: 2,
        thoughtsTokenCount: 3
      }
      const response = yield* read({ ...chunk([{ text: "x" }]), usageMetadata }, { ...end(), usageMetadata })
      assert.deepStrictEqual(response.usage(), { inputTokens: 10, outputTokens: 5, cacheReadTokens: 4 })
    })
  )

  it.effect("without a reason to stop was cut; an answer of a signature alone is empty", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(read(chunk([{ text: "x" }])))).reason, "Cut")
      assert.lengthOf((yield* read(chunk([{ text: "", thoughtSignature: "S" }]), end())).items(), 0)
    })
  )
})

describe("an HTTP error", () => {
  it.effect("says in its body how long to wait", () =>
    Effect.gen(function* () {
      const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.5s" }]
      const error = { code: 429, message: "quota", status: "RESOURCE_EXHAUSTED", details }
      for (const body of [{ error }, [{ error }]]) {
        const { client } = yield* setUp(vendor, {
          kind: "whole",
          status: 429,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body)
        })
        const failed = yield* Effect.flip(collect(client))
        assert.strictEqual(failed.retryAfterMs, 34_500)
        assert.include(failed.message, "RESOURCE_EXHAUSTED: quota")
      }
    })
  )

  it.effect("400 for a key that is not known points to the key", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, {
        kind: "whole",
        status: 400,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ error: { code: 400, message: "API key not valid.", status: "INVALID_ARGUMENT" } })
      })
      assert.include((yield* Effect.flip(collect(client))).hint ?? "", "model.auth.env")
    })
  )
})

describe("the signature of text", () => {
  it("goes back on the text", () => {
    const { contents } = wire({
      messages: transcript([
        { item: message("user", "hi") },
        { item: { kind: "reasoning", text: "", signature: "S" }, turn: 1 },
        { item: message("assistant", "Hello"), turn: 1 }
      ])
    })
    assert.deepStrictEqual(contents[1]?.parts, [{ text: "Hello", thoughtSignature: "S" }])
  })
})
