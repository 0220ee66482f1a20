import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as OpenAiResponses from "../../../layers/llm/OpenAiResponses.ts"
import { build } from "../../../layers/llm/openaiResponses/Request.ts"
import type { VendorOptions } from "../../../layers/llm/vendor/Vendor.ts"
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
  name: "openai_responses",
  make: OpenAiResponses.make,
  baseUrl: (address) => `${address}/v1`,
  conversation: "input",
  stopReasons: { completed: "end_turn", max_output_tokens: "max_tokens", content_filter: "refusal" },
  streamErrors: [
    { type: "rate_limit_exceeded", status: 429 },
    { type: "server_error", status: 500 },
    { type: "some_new_error", status: undefined }
  ],
  overflows: [
    {
      status: 400,
      type: "context_length_exceeded",
      message: "Your input exceeds the context window of this model. Please adjust your input and try again."
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
      assert.strictEqual(received.path, "/v1/responses")
      assert.strictEqual(received.headers["authorization"], `Bearer ${key}`)
      assert.strictEqual(received.headers["openai-organization"], undefined)
      assert.deepStrictEqual(received.body, {
        model: "model-1",
        instructions: "You are a pod.",
        input: [
          {
            type: "message",
            role: "developer",
            content: [{ type: "input_text", text: "[File: notes.md]\nalpha" }]
          },
          { type: "message", role: "user", content: [{ type: "input_text", text: "Compare a and b." }] },
          {
            type: "reasoning",
            summary: [{ type: "summary_text", text: "Two files." }],
            encrypted_content: "HIDDEN"
          },
          { type: "message", role: "assistant", content: [{ type: "output_text", text: "Reading both." }] },
          { type: "function_call", call_id: "call_a", name: "Read", arguments: '{"file_path":"/a"}' },
          { type: "function_call", call_id: "call_b", name: "Read", arguments: '{"file_path":"/b"}' },
          { type: "function_call_output", call_id: "call_a", output: "1 line\nalpha" },
          { type: "function_call_output", call_id: "call_b", output: "/b: no such file" },
          { type: "message", role: "developer", content: [{ type: "input_text", text: "[Notification]\nhurry" }] },
          { type: "message", role: "assistant", content: [{ type: "output_text", text: "b is missing." }] },
          { type: "message", role: "user", content: [{ type: "input_text", text: "Then search." }] }
        ],
        tools: [
          {
            type: "function",
            name: "Grep",
            description: "Searches.",
            parameters: { type: "object", properties: { pattern: { type: "string" } }, required: ["pattern"] },
            strict: false
          },
          {
            type: "function",
            name: "Now",
            description: "Tells the time.",
            parameters: { type: "object", properties: {} },
            strict: false
          }
        ],
        max_output_tokens: 2000,
        include: ["reasoning.encrypted_content"],
        prompt_cache_key: "segment-1",
        store: false,
        stream: true
      })
    })
  )

  it("carries the settings that are set, and says which ones have no place", () => {
    const { body, ignored } = wire({
      config: { ...config, temperature: 0.5, top_p: 0.9, top_k: 40, reasoning: "high", stop_sequences: ["END"] }
    })
    assert.deepInclude(body, { temperature: 0.5, top_p: 0.9, reasoning: { effort: "high", summary: "auto" } })
    assert.lengthOf(ignored, 2)
    assert.lengthOf(wire({ config: { ...config, reasoning: 2000 } }).ignored, 1)
    const sequential = wire({ tools: scenario.tools }, { capability: { tool_calling: "sequential" } })
    assert.strictEqual(sequential.body.parallel_tool_calls, false)
    assert.notProperty(wire({ tools: scenario.tools }, { capability: { tool_calling: "none" } }).body, "tools")
  })

  it("does not ask a model that never reasons for its reasoning", () => {
    for (const model of ["gpt-4.1-mini", "openai/gpt-4o", "gpt-5-chat-latest"]) {
      assert.notProperty(wire({}, { model }).body, "include", model)
    }
    for (const model of ["gpt-5.4", "o3", "gpt-oss:20b"]) assert.property(wire({}, { model }).body, "include", model)
  })

  it("leaves out reasoning that another vendor made, and says a refusal as one", () => {
    const { body } = wire({
      messages: [
        { role: "user", text: "a" },
        {
          role: "assistant",
          blocks: [
            { kind: "thinking", text: "hm", signature: "SIG" },
            { kind: "text", text: "Well. " },
            { kind: "refusal", text: "No." }
          ]
        },
        { role: "user", text: "b" }
      ]
    })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(body.input)), [
      { type: "message", role: "user", content: [{ type: "input_text", text: "a" }] },
      {
        type: "message",
        role: "assistant",
        content: [
          { type: "output_text", text: "Well. " },
          { type: "refusal", refusal: "No." }
        ]
      },
      { type: "message", role: "user", content: [{ type: "input_text", text: "b" }] }
    ])
  })
})

describe("the stream", () => {
  const read = (...events: ReadonlyArray<object | string>) =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, bytes(...events))
      return fold(yield* collect(client))
    })
  const items = (response: ReturnType<typeof fold>) => response.items().map(({ item }) => item)
  const added = (output_index: number, item: object) => ({ type: "response.output_item.added", output_index, item })
  const done = (output_index: number, item: object) => ({ type: "response.output_item.done", output_index, item })
  const text = (delta: string, more: object = { output_index: 0, content_index: 0 }) => ({
    type: "response.output_text.delta",
    delta,
    ...more
  })
  const args = (output_index: number, delta: string) => ({
    type: "response.function_call_arguments.delta",
    output_index,
    delta
  })
  const call = (call_id: string, more: object = {}) => ({
    type: "function_call",
    id: `fc_${call_id}`,
    call_id,
    name: "Read",
    arguments: "",
    ...more
  })
  const completed = { type: "response.completed", response: { status: "completed", output: [], usage: null } }

  it.effect(
    "has a block for each part of a summary, the encrypted content with the last, and sends one item back",
    () =>
      Effect.gen(function* () {
        const part = (summary_index: number, delta: string) => ({
          type: "response.reasoning_summary_text.delta",
          output_index: 0,
          summary_index,
          delta
        })
        const summary = ["First.", "Then."].map((words) => ({ type: "summary_text", text: words }))
        const response = yield* read(
          added(0, { type: "reasoning", id: "rs", summary: [], encrypted_content: "not yet" }),
          part(0, "First."),
          part(1, "Th"),
          part(1, "en."),
          done(0, { type: "reasoning", id: "rs", summary, encrypted_content: "E1" }),
          done(1, { type: "reasoning", id: "rs2", summary: [], encrypted_content: "E2" }),
          text("Yes", { output_index: 2, content_index: 0 }),
          completed
        )
        assert.deepStrictEqual(items(response), [
          { kind: "reasoning", text: "First." },
          { kind: "reasoning", text: "Then.", encrypted_content: "E1" },
          { kind: "reasoning", text: "", encrypted_content: "E2" },
          message("assistant", "Yes")
        ])
        const { body } = wire({
          messages: [
            {
              role: "assistant",
              blocks: [
                { kind: "thinking", text: "First." },
                { kind: "thinking", text: "Then.", encrypted: "E1" },
                { kind: "thinking", text: "", encrypted: "E2" }
              ]
            }
          ]
        })
        assert.deepStrictEqual(JSON.parse(JSON.stringify(body.input)), [
          { type: "reasoning", summary, encrypted_content: "E1" },
          { type: "reasoning", summary: [], encrypted_content: "E2" }
        ])
      })
  )

  it.effect("may interleave calls, and names them by call id, not by item id", () =>
    Effect.gen(function* () {
      const response = yield* read(
        added(0, call("a")),
        added(1, call("b")),
        args(0, '{"n"'),
        args(1, "{"),
        args(0, ":1}"),
        args(1, "}"),
        done(1, call("b", { arguments: "{}" })),
        done(0, call("a", { arguments: '{"n":1}' })),
        completed
      )
      assert.deepStrictEqual(items(response), [
        { kind: "tool_call", call_id: "a", name: "Read", arguments: '{"n":1}' },
        { kind: "tool_call", call_id: "b", name: "Read", arguments: "{}" }
      ])
      assert.strictEqual(response.stop()?.reason, "tool_use")
    })
  )

  it.effect("that leaves out events is completed from the whole of an item", () =>
    Effect.gen(function* () {
      const said = { type: "message", id: "m", content: [{ type: "output_text", text: "Hello" }] }
      const response = yield* read(
        text("Hel"),
        done(0, said),
        args(1, '{"n":'),
        done(1, call("a", { arguments: '{"n":1}' })),
        done(2, call("b", { arguments: '{"n":2}' })),
        completed
      )
      assert.deepStrictEqual(items(response), [
        message("assistant", "Hello"),
        { kind: "tool_call", call_id: "a", name: "Read", arguments: '{"n":1}' },
        { kind: "tool_call", call_id: "b", name: "Read", arguments: '{"n":2}' }
      ])
      const last = yield* read({ type: "response.completed", response: { output: [said, call("a")] } })
      assert.strictEqual(items(last).length, 2)
    })
  )

  it.effect("with a delta twice, or in the wrong place, is Protocol: what was said is not what was meant", () =>
    Effect.gen(function* () {
      const end = done(0, call("a", { arguments: '{"n":12}' }))
      const pieces = [args(0, '{"n":'), args(0, "12"), args(0, "}")] as const
      assert.strictEqual((yield* read(added(0, call("a")), ...pieces, end, completed)).stop()?.reason, "tool_use")
      for (const wrong of [
        [pieces[0], pieces[1], pieces[1], pieces[2]],
        [pieces[1], pieces[0], pieces[2]]
      ]) {
        const error = yield* Effect.flip(read(added(0, call("a")), ...wrong, end, completed))
        assert.strictEqual(error.reason, "Protocol")
      }
      const late = yield* Effect.flip(
        read(text("a"), done(0, { type: "message", content: [{ type: "output_text", text: "a" }] }), text("b"))
      )
      assert.strictEqual(late.reason, "Protocol")
    })
  )

  it.effect("of a server that does not number its items goes by their ids, and one that renames them by numbers", () =>
    Effect.gen(function* () {
      const unnumbered = yield* read(
        text("a", { item_id: "m" }),
        { type: "response.output_item.added", item: call("c1") },
        { type: "response.function_call_arguments.delta", item_id: "fc_c1", delta: "{}" },
        { type: "response.output_item.done", item: call("c1", { arguments: "{}" }) },
        completed
      )
      assert.strictEqual(items(unnumbered).length, 2)
      const renamed = yield* read(
        added(0, call("c1", { id: "one" })),
        { ...args(0, "{}"), item_id: "two" },
        done(0, call("c1", { id: "three", arguments: "{}" })),
        completed
      )
      assert.deepStrictEqual(items(renamed), [{ kind: "tool_call", call_id: "c1", name: "Read", arguments: "{}" }])
    })
  )

  it.effect("that fails, in whichever form, is never an answer", () =>
    Effect.gen(function* () {
      const failed = (error: object) => ({ type: "response.failed", response: { status: "failed", error } })
      const limited = yield* Effect.flip(
        read(text("x"), failed({ code: "rate_limit_exceeded", message: "slow down" }), completed)
      )
      assert.strictEqual(limited.reason, "Refused")
      assert.strictEqual(limited.status, 429)
      const full = yield* Effect.flip(read(failed({ code: "context_length_exceeded", message: "too long" })))
      assert.strictEqual(full.reason, "Overflow")
      const nested = yield* Effect.flip(read({ type: "error", error: { code: "server_error", message: "sorry" } }))
      assert.strictEqual(nested.status, 500)
      const bare = yield* Effect.flip(read({ error: { code: 502, message: "upstream" } }))
      assert.strictEqual(bare.status, 502)
      const incomplete = { type: "response.incomplete", response: { incomplete_details: { reason: "steered" } } }
      assert.include((yield* Effect.flip(read(text("x"), incomplete))).message, "steered")
      const ended = (status: string) => ({ type: "response.completed", response: { status, error: null } })
      assert.strictEqual((yield* read(text("x"), ended("incomplete"))).stop()?.reason, "max_tokens")
      assert.strictEqual((yield* Effect.flip(read(text("x"), ended("failed")))).reason, "Refused")
      assert.strictEqual((yield* Effect.flip(read(text("x"), "data: [DONE]\n\n"))).reason, "Cut")
    })
  )
})
