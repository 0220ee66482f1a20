import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { build } from "../../../layers/llm/anthropic/Request.ts"
import type { ModelCapability } from "../../../layers/llm/vendor/Vendor.ts"
import type { LlmMessage, LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { request } from "../../llm/fakeClient.ts"
import { say } from "../../support/VendorServer.ts"
import { scenario } from "./scenario.ts"

import { anthropic as vendor } from "./anthropicUnderTest.ts"
import { collect, key, setUp } from "./vendor/UnderTest.ts"

const config = request.config

const body = (changes: Partial<LlmRequest>, capability?: ModelCapability) =>
  build({ apiKey: undefined, model: "m", contextWindow: 200_000, capability }, { ...request, ...changes }).body

const rolesOf = (messages: ReadonlyArray<LlmMessage>) => body({ messages }).messages.map(({ role }) => role)

describe("the request", () => {
  it.effect("of a whole conversation", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setUp(vendor, say([{ text: "x" }]))
      yield* Stream.runDrain(client.stream(scenario))
      const received = yield* Effect.promise(() => server.request(0))
      assert.strictEqual(received.path, "/v1/messages")
      assert.strictEqual(received.headers["authorization"], `Bearer ${key}`)
      assert.strictEqual(received.headers["x-api-key"], key)
      assert.deepStrictEqual(received.body, {
        model: "model-1",
        max_tokens: 2000,
        system: [{ type: "text", text: "You are a pod.", cache_control: { type: "ephemeral" } }],
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "[File: notes.md]\nalpha" },
              { type: "text", text: "Compare a and b." }
            ]
          },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "Two files.", signature: "SIG" },
              { type: "redacted_thinking", data: "HIDDEN" },
              { type: "text", text: "Reading both." },
              { type: "tool_use", id: "call_a", name: "Read", input: { file_path: "/a" } },
              { type: "tool_use", id: "call_b", name: "Read", input: { file_path: "/b" } }
            ]
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "call_a", content: "1 line\nalpha" },
              { type: "tool_result", tool_use_id: "call_b", content: "/b: no such file", is_error: true },
              { type: "text", text: "[Notification]\nhurry", cache_control: { type: "ephemeral" } }
            ]
          },
          { role: "assistant", content: [{ type: "text", text: "b is missing." }] },
          { role: "user", content: [{ type: "text", text: "Then search.", cache_control: { type: "ephemeral" } }] }
        ],
        tools: [
          {
            name: "Grep",
            description: "Searches.",
            input_schema: { type: "object", properties: { pattern: { type: "string" } }, required: ["pattern"] }
          },
          {
            name: "Now",
            description: "Tells the time.",
            input_schema: { type: "object" },
            cache_control: { type: "ephemeral" }
          }
        ],
        stop_sequences: ["END"],
        stream: true
      })
    })
  )

  it("alternates roles and begins with the user, whatever was said by whom", () => {
    assert.deepStrictEqual(
      rolesOf([
        { role: "assistant", blocks: [{ kind: "text", text: "a" }] },
        { role: "assistant", blocks: [{ kind: "text", text: "b" }] },
        { role: "user", text: "c" },
        { role: "system", text: "d" },
        { role: "user", text: "e" }
      ]),
      ["user", "assistant", "user"]
    )
  })

  it("leaves out what the API refuses: blank text, thinking without proof or at the end", () => {
    const { messages } = body({
      messages: [
        { role: "user", text: " \n" },
        { role: "user", text: "hi" },
        {
          role: "assistant",
          blocks: [
            { kind: "thinking", text: "unsigned" },
            { kind: "text", text: "  " }
          ]
        },
        {
          role: "assistant",
          blocks: [
            { kind: "text", text: "a" },
            { kind: "thinking", text: "b", signature: "S" }
          ]
        },
        { role: "user", text: "more" }
      ]
    })
    assert.deepStrictEqual(
      messages.map(({ content, role }) => [role, (content as ReadonlyArray<{ type: string }>).map(({ type }) => type)]),
      [
        ["user", ["text"]],
        ["assistant", ["text"]],
        ["user", ["text"]]
      ]
    )
  })

  it("takes ids that another vendor made, and keeps call and result together", () => {
    const id = `call:${"x".repeat(80)}`
    const { messages } = body({
      messages: [
        { role: "user", text: "hi" },
        { role: "assistant", blocks: [{ kind: "tool_call", id, name: "Read", arguments: "not json" }] },
        { role: "tool", results: [{ id, name: "Read", text: "", isError: true }] }
      ]
    })
    const [call] = (messages[1]?.content ?? []) as ReadonlyArray<{ id: string; input: unknown }>
    const [result] = (messages[2]?.content ?? []) as ReadonlyArray<{ tool_use_id: string; content: string }>
    assert.match(call?.id ?? "", /^[a-zA-Z0-9_-]{1,64}$/)
    assert.strictEqual(result?.tool_use_id, call?.id)
    assert.deepStrictEqual(call?.input, {})
    assert.strictEqual(result?.content, "(no output)")
  })

  it("repairs halves of characters", () => {
    const { messages } = body({ messages: [{ role: "user", text: "a\ud800b" }] })
    assert.deepStrictEqual(messages[0]?.content, [
      { type: "text", text: "a\ufffdb", cache_control: { type: "ephemeral" } }
    ])
  })

  it("asks for a sensible length of answer, a quarter of a small context window at most", () => {
    assert.strictEqual(body({}).max_tokens, 16_384)
    assert.strictEqual(build({ apiKey: undefined, model: "m", contextWindow: 8192 }, request).body.max_tokens, 2048)
    assert.strictEqual(body({ config: { ...config, max_tokens: 77 } }).max_tokens, 77)
  })

  it.effect("with sampling settings goes out under the version of the API that takes them", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setUp(vendor, say([{ text: "x" }]), say([{ text: "x" }]))
      const sampled = { ...request, config: { ...config, temperature: 0.5, top_p: 0.9, top_k: 40 } }
      yield* Stream.runDrain(client.stream(sampled))
      yield* collect(client)
      const [first, second] = server.requests
      assert.strictEqual(first?.headers["anthropic-version"], "2023-06-01")
      assert.deepInclude(first?.body, { temperature: 0.5, top_p: 0.9, top_k: 40 })
      assert.notStrictEqual(second?.headers["anthropic-version"], "2023-06-01")
      assert.notProperty(second?.body, "temperature")
    })
  )

  describe("for thinking", () => {
    const thinking = (reasoning: string | number, max_tokens: number | null = null, capability?: ModelCapability) => {
      const sent = body({ config: { ...config, reasoning, max_tokens } }, capability)
      return { asked: sent.max_tokens, output_config: sent.output_config, thinking: sent.thinking }
    }
    const adaptive = { type: "adaptive", display: "summarized" } as const

    it("a word is an effort, and the model decides how much to think", () => {
      assert.deepStrictEqual(thinking("high"), { asked: 16_384, thinking: adaptive, output_config: { effort: "high" } })
      assert.deepStrictEqual(thinking("minimal").output_config, { effort: "low" })
      assert.deepStrictEqual(thinking("none").thinking, { type: "disabled" })
    })

    it("a number is a budget on top of the answer, or within a limit that is set", () => {
      assert.deepStrictEqual(thinking(4000), {
        asked: 20_384,
        thinking: { type: "enabled", budget_tokens: 4000 },
        output_config: undefined
      })
      assert.deepStrictEqual(thinking(4000, 3000).thinking, { type: "enabled", budget_tokens: 2999 })
      assert.deepStrictEqual(thinking(10).thinking, { type: "enabled", budget_tokens: 1024 })
      assert.deepStrictEqual(thinking(4000, 1000).thinking, undefined)
      assert.deepStrictEqual(thinking(0).thinking, { type: "disabled" })
      assert.deepStrictEqual(thinking(-1).thinking, adaptive)
    })

    it("a form that the model does not take is not sent, and that is said", () => {
      const onlyBudget: ModelCapability = { reasoning: "budget_tokens" }
      assert.deepStrictEqual(thinking("high", null, onlyBudget), {
        asked: 16_384,
        thinking: undefined,
        output_config: undefined
      })
      const { ignored } = build(
        { apiKey: undefined, model: "m", contextWindow: 200_000, capability: onlyBudget },
        { ...request, config: { ...config, reasoning: "high" } }
      )
      assert.deepStrictEqual(ignored, ['reasoning = "high": m takes a number of tokens'])
    })
  })

  describe("for the cache", () => {
    const marks = (capability?: ModelCapability) =>
      JSON.stringify(build({ apiKey: undefined, model: "m", contextWindow: 200_000, capability }, scenario).body).split(
        "cache_control"
      ).length - 1

    it("marks no more places than the model takes", () => {
      assert.strictEqual(marks(), 4)
      assert.strictEqual(marks({ prompt_caching: { kind: "explicit", max_breakpoints: 9 } }), 4)
      assert.strictEqual(marks({ prompt_caching: { kind: "explicit", max_breakpoints: 1 } }), 1)
      assert.strictEqual(marks({ prompt_caching: { kind: "auto" } }), 0)
    })

    it("apart from the marks, a longer conversation begins with the bytes of the shorter one", () => {
      const plain = (messages: ReadonlyArray<LlmMessage>) =>
        body({ messages }, { prompt_caching: { kind: "auto" } }).messages.map((each) => JSON.stringify(each))
      const shorter = plain(scenario.messages)
      const longer = plain([...scenario.messages, { role: "assistant", blocks: [{ kind: "text", text: "ok" }] }])
      assert.deepStrictEqual(longer.slice(0, shorter.length), shorter)
    })
  })

  it("offers no tools to a model that calls none, and one at a time to one that wants that", () => {
    const { tools } = scenario
    assert.strictEqual(body({ tools }, { tool_calling: "none" }).tools, undefined)
    assert.deepStrictEqual(body({ tools }, { tool_calling: "sequential" }).tool_choice, {
      type: "auto",
      disable_parallel_tool_use: true
    })
    assert.strictEqual(body({ tools }, { tool_calling: "parallel" }).tool_choice, undefined)
  })
})
