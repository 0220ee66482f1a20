import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { LlmMessage } from "../../src/llm/LlmRequest.ts"
import { continueNote, type HistoryItem, transcript, unknownOutcome } from "../../src/llm/Transcript.ts"
import { message as messageItem, type ToolResultItem } from "../../src/protocol/Item.ts"

const user = (text: string): HistoryItem => ({ item: messageItem("user", text) })
const system = (text: string): HistoryItem => ({ item: messageItem("system", text) })
const said = (turn: number | undefined, text: string): HistoryItem => ({ turn, item: messageItem("assistant", text) })
const called = (turn: number | undefined, id: string, name = "Read"): HistoryItem => ({
  turn,
  item: { kind: "tool_call", call_id: id, name, arguments: "{}" }
})
const result = (id: string, more: Partial<ToolResultItem> = {}): HistoryItem => ({
  item: { kind: "tool_result", call_id: id, summary: `result of ${id}`, ...more }
})
const thought = (turn: number | undefined, text: string, signature?: string): HistoryItem => ({
  turn,
  item: { kind: "reasoning", text, ...(signature === undefined ? {} : { signature }) }
})

const answered = (id: string, text = `result of ${id}`, isError = false, name = "Read") => ({ id, name, text, isError })

describe("a generation", () => {
  it("is one message with its blocks in order, its results right behind it in call order", () => {
    const history = [
      user("go"),
      thought(1, "hm", "S"),
      said(1, "Looking."),
      called(1, "a"),
      called(1, "b", "Grep"),
      result("b", { summary: "2 hits", content: "x\ny" }),
      result("a", { is_error: true }),
      said(2, "Done.")
    ]
    assert.deepStrictEqual(transcript(history).slice(0, 4), [
      { role: "user", text: "go" },
      {
        role: "assistant",
        blocks: [
          { kind: "thinking", text: "hm", signature: "S" },
          { kind: "text", text: "Looking." },
          { kind: "tool_call", id: "a", name: "Read", arguments: "{}" },
          { kind: "tool_call", id: "b", name: "Grep", arguments: "{}" }
        ]
      },
      {
        role: "tool",
        results: [answered("a", "result of a", true), answered("b", "2 hits\nx\ny", false, "Grep")]
      },
      { role: "assistant", blocks: [{ kind: "text", text: "Done." }] }
    ])
  })

  it("without turn numbers is what lies between results and messages", () => {
    const history = [
      user("go"),
      thought(undefined, "hm"),
      called(undefined, "a"),
      result("a"),
      called(undefined, "b"),
      result("b"),
      user("more")
    ]
    assert.deepStrictEqual(
      transcript(history).map(({ role }) => role),
      ["user", "assistant", "tool", "assistant", "tool", "user"]
    )
  })

  it("ends where the turn changes, with nothing in between", () => {
    assert.strictEqual(
      transcript([user("go"), said(1, "a"), said(2, "b"), user("x")]).filter(({ role }) => role === "assistant").length,
      2
    )
  })

  it("with nothing in it leaves no message", () => {
    const empty: HistoryItem = { turn: 1, item: { kind: "message", role: "assistant", content: [] } }
    assert.deepStrictEqual(
      transcript([user("go"), empty, user("again")]).map(({ role }) => role),
      ["user", "user"]
    )
  })

  it("keeps hidden and refused parts as what they are", () => {
    const history: ReadonlyArray<HistoryItem> = [
      user("go"),
      { turn: 1, item: { kind: "reasoning", text: "", encrypted_content: "E" } },
      { turn: 1, item: { kind: "message", role: "assistant", content: [{ kind: "refusal", refusal: "No." }] } },
      user("x")
    ]
    assert.deepStrictEqual(transcript(history)[1], {
      role: "assistant",
      blocks: [
        { kind: "thinking", text: "", encrypted: "E" },
        { kind: "refusal", text: "No." }
      ]
    })
  })
})

describe("results", () => {
  it("that came after a later message still stand behind their call", () => {
    const roles = transcript([user("go"), called(1, "a"), user("stop"), result("a")])
    assert.deepStrictEqual(roles, [
      { role: "user", text: "go" },
      { role: "assistant", blocks: [{ kind: "tool_call", id: "a", name: "Read", arguments: "{}" }] },
      { role: "tool", results: [answered("a")] },
      { role: "user", text: "stop" }
    ])
  })

  it("that are missing are said to be unknown", () => {
    assert.deepStrictEqual(transcript([user("go"), called(1, "a"), called(1, "b"), result("b"), user("x")])[2], {
      role: "tool",
      results: [answered("a", unknownOutcome, true), answered("b")]
    })
  })

  it("without a call, and second results, are left out", () => {
    assert.deepStrictEqual(
      transcript([
        user("go"),
        result("ghost"),
        called(1, "a"),
        result("a"),
        result("a", { summary: "again" }),
        user("x")
      ]),
      [
        { role: "user", text: "go" },
        { role: "assistant", blocks: [{ kind: "tool_call", id: "a", name: "Read", arguments: "{}" }] },
        { role: "tool", results: [answered("a")] },
        { role: "user", text: "x" }
      ]
    )
  })

  it("of calls that share an id go to their own call, and the ids are told apart", () => {
    const history = [
      user("go"),
      called(1, "a"),
      result("a", { summary: "one" }),
      called(2, "a"),
      result("a", { summary: "two" })
    ]
    assert.deepStrictEqual(
      transcript(history).filter(({ role }) => role === "tool"),
      [
        { role: "tool", results: [answered("a", "one")] },
        { role: "tool", results: [answered("a_2", "two")] }
      ]
    )
  })
})

it("a result goes to the latest open call of its id, not to one that was given up", () => {
  assert.deepStrictEqual(
    transcript([user("go"), called(1, "a"), user("never mind"), called(2, "a"), result("a")]).filter(
      ({ role }) => role === "tool"
    ),
    [
      { role: "tool", results: [answered("a", unknownOutcome, true)] },
      { role: "tool", results: [answered("a_2", "result of a")] }
    ]
  )
})

it("what the pod says stands where it was said", () => {
  assert.deepStrictEqual(transcript([system("[File: a]\nx"), user("go")]), [
    { role: "system", text: "[File: a]\nx" },
    { role: "user", text: "go" }
  ])
})

it("a history that ends with an answer asks for its continuation in words", () => {
  assert.deepStrictEqual(transcript([user("go"), said(1, "Once upon")]).at(-1), { role: "system", text: continueNote })
})

const Turn = Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })))
const Id = Schema.Literals(["a", "b", "c", "a_2"])
const AnyHistory = Schema.Array(
  Schema.Union([
    Schema.Struct({ is: Schema.Literals(["user", "system"]) }),
    Schema.Struct({ is: Schema.Literals(["text", "thought"]), turn: Turn }),
    Schema.Struct({ is: Schema.Literals(["call"]), turn: Turn, id: Id }),
    Schema.Struct({ is: Schema.Literals(["result"]), id: Id })
  ])
).check(Schema.isMaxLength(24))

const build = (entries: typeof AnyHistory.Type): ReadonlyArray<HistoryItem> =>
  entries.map((entry, n) => {
    switch (entry.is) {
      case "user":
        return user(`u${n}`)
      case "system":
        return system(`s${n}`)
      case "text":
        return said(entry.turn, `t${n}`)
      case "thought":
        return thought(entry.turn, `h${n}`)
      case "call":
        return called(entry.turn, entry.id)
      case "result":
        return result(entry.id, { summary: `r${n}` })
    }
  })

const callsOf = (message: LlmMessage | undefined): ReadonlyArray<string> =>
  message?.role === "assistant" ? message.blocks.flatMap((block) => (block.kind === "tool_call" ? [block.id] : [])) : []

it.prop(
  "for any history every call is answered at once and once, in order, and no result is without a call",
  [AnyHistory],
  ([entries]) => {
    const history = build(entries)
    const messages = transcript(history)
    const seen = new Set<string>()
    for (const [n, message] of messages.entries()) {
      const calls = callsOf(message)
      for (const id of calls) {
        assert.isFalse(seen.has(id))
        seen.add(id)
      }
      const next = messages[n + 1]
      if (calls.length > 0) {
        assert.deepStrictEqual(next?.role === "tool" ? next.results.map(({ id }) => id) : undefined, calls)
      }
      if (message.role === "tool")
        assert.deepStrictEqual(
          message.results.map(({ id }) => id),
          callsOf(messages[n - 1])
        )
      if (message.role === "assistant") assert.isAbove(message.blocks.length, 0)
    }
    assert.notStrictEqual(messages.at(-1)?.role, "assistant")
    // Everything that was said is in there, once, in order.
    const words =
      JSON.stringify(messages)
        .match(/"[usth]\d+(?:t\d+)*"/g)
        ?.join("")
        .match(/[usth]\d+/g) ?? []
    assert.deepStrictEqual(
      [...words].toSorted(),
      entries
        .flatMap((entry, n) =>
          entry.is === "call" || entry.is === "result"
            ? []
            : [`${{ user: "u", system: "s", text: "t", thought: "h" }[entry.is]}${n}`]
        )
        .toSorted()
    )
    assert.strictEqual(JSON.stringify(transcript(history)), JSON.stringify(messages))
  }
)

it.prop(
  "a longer history repeats the messages of a settled shorter one, byte for byte",
  [AnyHistory, AnyHistory],
  ([a, b]) => {
    const settled = transcript([...build(a), user("settled")])
    const open = settled.some(
      (message) => message.role === "tool" && message.results.some(({ text }) => text === unknownOutcome)
    )
    if (open) return
    const longer = transcript([...build(a), user("settled"), ...build(b)])
    assert.strictEqual(JSON.stringify(longer.slice(0, settled.length)), JSON.stringify(settled))
  }
)
