/**
 * The four dialects against a server that nobody of this project has written: the npm package `@copilotkit/aimock`.
 *
 * Everything goes over its socket. It has one idea of an answer and says it in the dialect that it is asked in.
 */
import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Model from "../../../layers/llm/Model.ts"
import { defaultLimits } from "../../../src/llm/Limits.ts"
import { patient } from "../../../src/llm/Patience.ts"
import { fold } from "../../../src/llm/Response.ts"
import { transcript } from "../../../src/llm/Transcript.ts"
import { message } from "../../../src/protocol/Item.ts"
import { request } from "../../llm/fakeClient.ts"
import { scenario } from "./scenario.ts"

const schemes = ["anthropic", "openai_chat", "openai_responses", "gemini"] as const
type VendorScheme = (typeof schemes)[number]

const limits = defaultLimits
const models: Readonly<Record<VendorScheme, string>> = {
  anthropic: "claude-sonnet-5-5",
  openai_chat: "gpt-5",
  openai_responses: "gpt-5",
  gemini: "gemini-2.5-pro"
}

const setUp = Effect.fnUntraced(function* (
  scheme: VendorScheme,
  options: ConstructorParameters<typeof LLMock>[0] = {}
) {
  const mock = yield* Effect.acquireRelease(
    Effect.sync(() => new LLMock({ host: "127.0.0.1", port: 0, chunkSize: 7, ...options })),
    (running) => Effect.promise(() => running.stop())
  )
  yield* Effect.promise(() => mock.start())
  const client = yield* Model.make({
    scheme,
    modelId: models[scheme],
    baseUrl: scheme.startsWith("openai") ? `${mock.url}/v1` : mock.url,
    apiKey: Redacted.make("sk-secret-0123456789"),
    contextWindow: 100_000,
    limits,
    capability: { tool_calling: "parallel", vision: false },
    notes: []
  })
  const ask = (text: string) =>
    Effect.map(
      Stream.runCollect(
        client.stream({ ...request, tools: scenario.tools, messages: [{ role: "user", text }], system: "Be brief." })
      ),
      fold
    )
  return { mock, client, ask }
})

const itemsOf = (response: ReturnType<typeof fold>) => response.items().map(({ item }) => item)

describe.each(schemes)("%s against aimock", (scheme) => {
  it.effect("text and its usage", () =>
    Effect.gen(function* () {
      const { ask, mock } = yield* setUp(scheme)
      const words = "Grüße aus 世界, and a line\nmore. ".repeat(20)
      const usage = {
        anthropic: { input_tokens: 31, output_tokens: 17 },
        openai_chat: { prompt_tokens: 31, completion_tokens: 17 },
        openai_responses: { input_tokens: 31, output_tokens: 17 },
        gemini: { promptTokenCount: 31, candidatesTokenCount: 17 }
      } as const
      mock.onMessage("hello", { content: words, usage: usage[scheme] })
      const response = yield* ask("hello")
      assert.deepStrictEqual(itemsOf(response).at(-1), message("assistant", words))
      assert.strictEqual(response.stop()?.reason, "end_turn")
      assert.deepInclude(response.usage(), { inputTokens: 31, outputTokens: 17 })
    })
  )

  it.effect("reasoning, three calls, and their results in the next request", () =>
    Effect.gen(function* () {
      const { client, mock } = yield* setUp(scheme)
      mock.on(
        { userMessage: "look", hasToolResult: false },
        {
          reasoning: "Three of them.",
          toolCalls: ["a", "b", "c"].map((name) => ({
            name: "Grep",
            arguments: JSON.stringify({ pattern: `ü"${name}` })
          }))
        }
      )
      mock.on({ userMessage: "look", hasToolResult: true }, { content: "Found." })
      const user = { item: message("user", "look") }
      const asked = { ...request, tools: scenario.tools }
      const first = fold(yield* Stream.runCollect(client.stream({ ...asked, messages: transcript([user]) })))
      assert.strictEqual(first.stop()?.reason, "tool_use")
      const calls = itemsOf(first).flatMap((item) => (item.kind === "tool_call" ? [item] : []))
      assert.deepStrictEqual(
        calls.map((call) => call.arguments),
        ["a", "b", "c"].map((name) => JSON.stringify({ pattern: `ü"${name}` }))
      )
      assert.strictEqual(new Set(calls.map((call) => call.call_id)).size, 3)
      const [thought] = itemsOf(first)
      assert.deepInclude(thought, { kind: "reasoning", text: "Three of them." })
      if (thought?.kind !== "reasoning") return assert.fail()
      const proof = thought.signature ?? thought.encrypted_content
      // It signs for the two that have proofs of thinking everywhere.
      assert.strictEqual(proof != null, scheme === "anthropic" || scheme === "openai_responses")

      const history = [
        user,
        ...itemsOf(first).map((item) => ({ item, turn: 1 })),
        ...calls.map(({ call_id }) => ({
          item: { kind: "tool_result", call_id, summary: `one of ${call_id}` } as const
        }))
      ]
      const second = fold(yield* Stream.runCollect(client.stream({ ...asked, messages: transcript(history) })))
      assert.deepStrictEqual(itemsOf(second).at(-1), message("assistant", "Found."))
      // What the server understood of the request, in its own one form.
      const understood = JSON.stringify(mock.getLastRequest()?.body)
      for (const { call_id } of calls) assert.include(understood, `one of ${call_id}`)
    })
  )

  it.effect("an answer that its limit has cut", () =>
    Effect.gen(function* () {
      const { ask, mock } = yield* setUp(scheme)
      mock.onMessage("long", { content: "and so on and", finishReason: "length" })
      assert.strictEqual((yield* ask("long")).stop()?.reason, "max_tokens")
    })
  )

  it.effect("errors of HTTP, with the wait that is asked for", () =>
    Effect.gen(function* () {
      const { ask, client, mock } = yield* setUp(scheme)
      mock.onMessage("limited", {
        error: { message: "slow down", type: "rate_limit_error", code: "rate_limit_exceeded" },
        status: 429,
        retryAfter: 7
      })
      const limited = yield* Effect.flip(ask("limited"))
      assert.strictEqual(limited.reason, "Status")
      assert.strictEqual(limited.status, 429)
      assert.strictEqual(limited.retryAfterMs, 7000)
      assert.include(limited.message, "slow down")
      mock.onMessage("wait", { content: "There." })
      mock.nextRequestError(503, { message: "overloaded", type: "server_error" })
      const waiting = yield* Deferred.make<number>()
      const fiber = yield* patient(client, defaultLimits, ({ waitMs }) => Deferred.succeed(waiting, waitMs))({
        ...request,
        messages: [{ role: "user", text: "wait" }]
      }).pipe(Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust(yield* Deferred.await(waiting))
      assert.deepStrictEqual(itemsOf(fold(yield* Fiber.join(fiber))).at(-1), message("assistant", "There."))
    })
  )

  it.effect("malformed bodies and connections that it drops", () =>
    Effect.gen(function* () {
      const { ask, mock } = yield* setUp(scheme)
      mock.onMessage("hello", { content: "Hello." })
      mock.setChaos({ malformedRate: 1 })
      const malformed = yield* Effect.flip(ask("hello"))
      assert.oneOf(malformed.reason, ["Protocol", "Cut"])
      mock.setChaos({ disconnectRate: 1 })
      const dropped = yield* Effect.flip(ask("hello"))
      assert.oneOf(dropped.reason, ["Cut", "Connect"])
      mock.setChaos({ dropRate: 1 })
      assert.strictEqual((yield* Effect.flip(ask("hello"))).status, 500)
    })
  )
})
