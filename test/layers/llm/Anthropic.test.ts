import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { fold } from "../../../src/llm/Response.ts"
import { transcript } from "../../../src/llm/Transcript.ts"
import { message } from "../../../src/protocol/Item.ts"
import { request } from "../../llm/fakeClient.ts"
import { type Reply, say } from "../../support/VendorServer.ts"
import { bytes, scenario } from "./scenario.ts"

import { anthropic as vendor } from "./anthropicUnderTest.ts"
import { answers } from "./vendor/Answers.ts"
import { failures } from "./vendor/Failures.ts"
import { collect, setUp } from "./vendor/UnderTest.ts"

answers(vendor)
failures(vendor)

describe("thinking", () => {
  it.effect("comes with its signature, hidden thinking as it is, and both go back unchanged", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setUp(
        vendor,
        say([
          { thinking: "Let me " },
          { thinking: "see." },
          { signature: "SIG==" },
          { redacted: "OPAQUE" },
          { text: "Here." },
          { tool: "Read", id: "toolu_1", args: { a: 1 } }
        ]),
        say([{ text: "done" }])
      )
      const items = fold(yield* collect(client)).items()
      assert.deepStrictEqual(
        items.slice(0, 2).map(({ item }) => item),
        [
          { kind: "reasoning", text: "Let me see.", signature: "SIG==" },
          { kind: "reasoning", text: "", encrypted_content: "OPAQUE" }
        ]
      )
      const history = [
        { item: message("user", "hi") },
        ...items.map(({ item }) => ({ item, turn: 1 })),
        { item: { kind: "tool_result", call_id: "toolu_1", summary: "one" } as const }
      ]
      yield* Stream.runDrain(client.stream({ ...request, messages: transcript(history) }))
      const { body: second } = yield* Effect.promise(() => server.request(1))
      assert.deepStrictEqual((second["messages"] as ReadonlyArray<unknown>)[1], {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Let me see.", signature: "SIG==" },
          { type: "redacted_thinking", data: "OPAQUE" },
          { type: "text", text: "Here." },
          { type: "tool_use", id: "toolu_1", name: "Read", input: { a: 1 } }
        ]
      })
    })
  )
})

describe("the stream", () => {
  const start = { type: "message_start", message: { usage: { input_tokens: 3, output_tokens: 1 } } }
  const end = { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } }
  const read = (...events: ReadonlyArray<object | string>) =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, bytes(...events) satisfies Reply)
      return yield* collect(client)
    })
  const textBlock = (text: string) => [
    { type: "content_block_start", index: 0, content_block: { type: "text", text } },
    { type: "content_block_stop", index: 0 }
  ]

  it.effect("tells the vendor's reason for a refusal", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(vendor, say([{ refusal: "I" }]))
      assert.deepStrictEqual(fold(yield* collect(client)).stop(), {
        type: "stop",
        reason: "refusal",
        detail: "not that"
      })
    })
  )

  it.effect("may hold blocks and events that are not known", () =>
    Effect.gen(function* () {
      const events = yield* read(
        start,
        'event: something_new\ndata: {"type":"something_new"}\n\n',
        { type: "content_block_start", index: 1, content_block: { type: "server_tool_use", id: "s", name: "web" } },
        { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "{}" } },
        { type: "content_block_stop", index: 1 },
        ...textBlock("hello"),
        end,
        { type: "message_stop" }
      )
      assert.deepStrictEqual(
        fold(events)
          .items()
          .map(({ item }) => item),
        [message("assistant", "hello")]
      )
    })
  )

  it.effect("may give arguments whole, with the start of the call", () =>
    Effect.gen(function* () {
      const events = yield* read(
        start,
        {
          type: "content_block_start",
          index: 0,
          content_block: { type: "tool_use", id: "t", name: "X", input: { a: 1 } }
        },
        { type: "content_block_stop", index: 0 },
        end,
        { type: "message_stop" }
      )
      assert.deepInclude(fold(events).items()[0]?.item, { arguments: '{"a":1}' })
    })
  )

  it.effect("may give a signature in pieces", () =>
    Effect.gen(function* () {
      const piece = (signature: string) => ({
        type: "content_block_delta",
        index: 0,
        delta: { type: "signature_delta", signature }
      })
      const events = yield* read(
        start,
        { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "hm", signature: "" } },
        piece("SI"),
        piece("G"),
        { type: "content_block_stop", index: 0 },
        ...textBlock("x").map((event) => ({ ...event, index: 1 })),
        end,
        { type: "message_stop" }
      )
      assert.deepStrictEqual(fold(events).items()[0]?.item, { kind: "reasoning", text: "hm", signature: "SIG" })
    })
  )

  it.effect("without its last event is whole if the reason to stop is known, and cut if not", () =>
    Effect.gen(function* () {
      assert.strictEqual(fold(yield* read(start, ...textBlock("x"), end)).stop()?.reason, "end_turn")
      const error = yield* Effect.flip(read(start, ...textBlock("x")))
      assert.strictEqual(error.reason, "Cut")
    })
  )

  it.effect("may use the number of a block again, but not while it is open", () =>
    Effect.gen(function* () {
      const twice = fold(yield* read(start, ...textBlock("one "), ...textBlock("two"), end, { type: "message_stop" }))
      assert.deepStrictEqual(
        twice.items().map(({ item }) => item),
        [message("assistant", "one two")]
      )
      const [begin] = textBlock("one ")
      const error = yield* Effect.flip(read(start, begin ?? {}, ...textBlock("two"), end, { type: "message_stop" }))
      assert.strictEqual(error.reason, "Protocol")
    })
  )

  it.effect("with a delta for a block that is not open is Protocol", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        read(start, { type: "content_block_delta", index: 4, delta: { type: "text_delta", text: "x" } })
      )
      assert.strictEqual(error.reason, "Protocol")
      assert.include(error.message, "block 4")
    })
  )

  it.effect("with the same id for calls of two answers gives the second one a new id", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(
        vendor,
        say([
          { tool: "Read", id: "call_a", args: {} },
          { tool: "Read", id: "", args: {} }
        ])
      )
      const items = fold(yield* Stream.runCollect(client.stream(scenario))).items()
      const ids = items.map(({ item }) => (item.kind === "tool_call" ? item.call_id : ""))
      assert.strictEqual(new Set([...ids, "call_a", "call_b"]).size, 4)
    })
  )
})
