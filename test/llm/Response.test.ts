import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { fold, parseArguments } from "../../src/llm/Response.ts"
import { LoggedItem } from "../../src/protocol/Item.ts"

const text = (index: number, ...pieces: ReadonlyArray<string>): ReadonlyArray<LlmEvent> => [
  { type: "text_start", index },
  ...pieces.map((piece) => ({ type: "delta", index, text: piece }) as const),
  { type: "block_stop", index }
]

const call = (index: number, id: string, ...pieces: ReadonlyArray<string>): ReadonlyArray<LlmEvent> => [
  { type: "tool_call_start", index, id, name: "Read" },
  ...pieces.map((piece) => ({ type: "delta", index, text: piece }) as const),
  { type: "block_stop", index }
]

describe("items", () => {
  it("come in block order with their block, whatever the order of the events", () => {
    const events: ReadonlyArray<LlmEvent> = [
      { type: "tool_call_start", index: 2, id: "b", name: "Grep" },
      { type: "thinking_start", index: 0 },
      { type: "delta", index: 2, text: '{"pattern":' },
      { type: "delta", index: 0, text: "let me " },
      { type: "text_start", index: 1 },
      { type: "delta", index: 1, text: "Look" },
      { type: "delta", index: 0, text: "see" },
      { type: "delta", index: 2, text: ' "x" }' },
      { type: "block_stop", index: 2 },
      { type: "block_stop", index: 0, signature: "SIG" },
      { type: "delta", index: 1, text: "ing" },
      { type: "block_stop", index: 1 },
      { type: "stop", reason: "tool_use" }
    ]
    assert.deepStrictEqual(fold(events).items(), [
      { block: 0, item: { kind: "reasoning", text: "let me see", signature: "SIG" }, badArguments: undefined },
      {
        block: 1,
        item: { kind: "message", role: "assistant", content: [{ kind: "text", text: "Looking" }] },
        badArguments: undefined
      },
      {
        block: 2,
        item: { kind: "tool_call", call_id: "b", name: "Grep", arguments: '{"pattern":"x"}' },
        badArguments: undefined
      }
    ])
  })

  it("merge neighbouring text, also across blocks that hold nothing", () => {
    const events = [...text(0, "a"), ...text(1), ...text(2, "b"), ...call(3, "c"), ...text(4, "d")]
    assert.deepStrictEqual(
      fold(events)
        .items()
        .map(({ block, item }) => [block, item.kind]),
      [
        [0, "message"],
        [3, "tool_call"],
        [4, "message"]
      ]
    )
    assert.deepStrictEqual(fold(events).items()[0]?.item, {
      kind: "message",
      role: "assistant",
      content: [{ kind: "text", text: "ab" }]
    })
  })

  it("keep a refusal apart from text", () => {
    const events: ReadonlyArray<LlmEvent> = [
      ...text(0, "Well. "),
      { type: "text_start", index: 1, refusal: true },
      { type: "delta", index: 1, text: "No." }
    ]
    assert.deepStrictEqual(fold(events).items()[0]?.item, {
      kind: "message",
      role: "assistant",
      content: [
        { kind: "text", text: "Well. " },
        { kind: "refusal", refusal: "No." }
      ]
    })
  })

  it("keep thinking that is only a signature or only encrypted, and drop thinking that is nothing", () => {
    const events: ReadonlyArray<LlmEvent> = [
      { type: "thinking_start", index: 0 },
      { type: "block_stop", index: 0 },
      { type: "thinking_start", index: 1 },
      { type: "block_stop", index: 1, signature: "S" },
      { type: "thinking_start", index: 2 },
      { type: "block_stop", index: 2, encrypted: "E" }
    ]
    assert.deepStrictEqual(
      fold(events)
        .items()
        .map(({ item }) => item),
      [
        { kind: "reasoning", text: "", signature: "S" },
        { kind: "reasoning", text: "", encrypted_content: "E" }
      ]
    )
  })

  it("ignore pieces of blocks that are not open", () => {
    const events: ReadonlyArray<LlmEvent> = [
      { type: "delta", index: 7, text: "lost" },
      { type: "block_stop", index: 7 },
      ...text(0, "a"),
      { type: "delta", index: 0, text: "late" }
    ]
    assert.deepStrictEqual(fold(events).items().length, 1)
    assert.deepStrictEqual(fold(events).items()[0]?.item, {
      kind: "message",
      role: "assistant",
      content: [{ kind: "text", text: "a" }]
    })
  })
})

describe("arguments", () => {
  const cases: ReadonlyArray<[sent: string, committed: string, flagged: boolean]> = [
    ["", "{}", false],
    ["  \n", "{}", false],
    ["null", "{}", false],
    ["{}", "{}", false],
    ['{ "a" : [1, 2] }', '{"a":[1,2]}', false],
    ['{"a": "cut off he', "{}", true],
    ["[1]", "{}", true],
    ['"text"', "{}", true],
    ["3", "{}", true],
    ["{}{}", "{}", true]
  ]
  for (const [sent, committed, flagged] of cases) {
    it(`${JSON.stringify(sent)} is committed as ${committed}${flagged ? " and flagged" : ""}`, () => {
      const [item] = fold(call(0, "c", ...sent)).items()
      assert.deepStrictEqual(item?.item, { kind: "tool_call", call_id: "c", name: "Read", arguments: committed })
      assert.strictEqual(item?.badArguments !== undefined, flagged)
    })
  }

  it("of a call that was cut off by the token limit say how far they came", () => {
    assert.strictEqual(
      fold(call(0, "c", '{"file_path":"/a')).items()[0]?.badArguments,
      "16 characters that are no complete JSON were sent"
    )
  })

  it.prop("are always the text of an object, and an object survives", [Schema.String, Schema.Json], ([junk, json]) => {
    const parsed: unknown = JSON.parse(parseArguments(junk).text)
    assert.isTrue(typeof parsed === "object" && parsed !== null && !Array.isArray(parsed))
    const object = { json }
    assert.deepStrictEqual(JSON.parse(parseArguments(JSON.stringify(object)).text), JSON.parse(JSON.stringify(object)))
  })
})

describe("usage and stop", () => {
  it("a later report replaces an earlier one field by field", () => {
    const response = fold([
      { type: "usage", usage: { inputTokens: 10, outputTokens: 1 } },
      { type: "usage", usage: { outputTokens: 7 } },
      { type: "stop", reason: "refusal", detail: "not that" }
    ])
    assert.deepStrictEqual(response.usage(), { inputTokens: 10, outputTokens: 7 })
    assert.deepStrictEqual(response.stop(), { type: "stop", reason: "refusal", detail: "not that" })
  })
})

const Script = Schema.Array(
  Schema.Struct({
    kind: Schema.Literals(["text", "refusal", "thinking", "tool_call"]),
    pieces: Schema.Array(Schema.String).check(Schema.isMaxLength(4)),
    signed: Schema.Boolean
  })
).check(Schema.isMaxLength(6))

it.prop(
  "interleaving blocks changes nothing, and every item is one that can be logged",
  [Script, Schema.Array(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))],
  ([script, order]) => {
    const lanes = script.map(
      ({ kind, pieces, signed }, index): Array<LlmEvent> => [
        kind === "text" || kind === "refusal"
          ? { type: "text_start", index, refusal: kind === "refusal" }
          : kind === "thinking"
            ? { type: "thinking_start", index }
            : { type: "tool_call_start", index, id: `c${index}`, name: "T" },
        ...pieces.map((piece) => ({ type: "delta", index, text: piece }) as const),
        { type: "block_stop", index, ...(signed && kind === "thinking" ? { signature: "S" } : {}) }
      ]
    )
    const inOrder = fold(lanes.flat()).items()
    const shuffled: Array<LlmEvent> = []
    for (let n = 0; lanes.some((lane) => lane.length > 0); n++) {
      const open = lanes.filter((lane) => lane.length > 0)
      const next = open[(order[n % Math.max(1, order.length)] ?? 0) % open.length]?.shift()
      if (next !== undefined) shuffled.push(next)
    }
    assert.deepStrictEqual(fold(shuffled).items(), inOrder)
    const decode = Schema.decodeUnknownSync(LoggedItem)
    for (const { item } of inOrder) assert.deepStrictEqual(decode(item), item)
    const blocks = inOrder.map(({ block }) => block)
    assert.deepStrictEqual(
      blocks,
      [...blocks].toSorted((a, b) => a - b)
    )
  }
)
