import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Blocks from "../../src/agent/Blocks.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import * as Pieces from "../../src/llm/Pieces.ts"
import * as Response from "../../src/llm/Response.ts"
import * as Overlap from "../../src/llm/Overlap.ts"

const text = (index: number, ...pieces: ReadonlyArray<string>): ReadonlyArray<LlmEvent> => [
  { type: "text_start", index },
  ...pieces.map((piece) => ({ type: "delta", index, text: piece }) as const)
]
const stop = (index: number, signature?: string): LlmEvent => ({
  type: "block_stop",
  index,
  ...(signature === undefined ? {} : { signature })
})
const thinking = (index: number, said: string): ReadonlyArray<LlmEvent> => [
  { type: "thinking_start", index },
  { type: "delta", index, text: said }
]
const call = (index: number, id: string, args: string): ReadonlyArray<LlmEvent> => [
  { type: "tool_call_start", index, id, name: "Act" },
  { type: "delta", index, text: args }
]
const end: LlmEvent = { type: "stop", reason: "end_turn" }

/** What is committed, and what clients see, of an answer that came in these pieces. */
const play = (...all: ReadonlyArray<ReadonlyArray<LlmEvent>>) => {
  const pieces = Pieces.make()
  const response = Response.make()
  const blocks = Blocks.make()
  const seen: Array<string> = []
  const follow = (events: ReadonlyArray<Pieces.AnswerEvent>) => {
    for (const event of events) {
      response.push(event)
      for (const told of blocks.push(event)) {
        seen.push("data" in told ? `${told.event} ${Object.values(told.data).join(" ")}` : told.event)
      }
    }
  }
  for (const [n, events] of all.entries()) {
    if (n > 0) follow(pieces.cut())
    for (const event of events) follow(pieces.push(event))
  }
  follow(pieces.end())
  const items = response.items().map(({ item }) => {
    if (item.kind === "message") return item.content.map((part) => (part.kind === "text" ? part.text : "")).join("|")
    return item.kind === "reasoning" ? `(${item.text})` : `${item.name} ${item.call_id} ${item.arguments}`
  })
  return { items, seen }
}

describe("an answer that broke off in a text", () => {
  it("goes on with it in the next piece, and is one message", () => {
    assert.deepStrictEqual(play(text(0, "Hel"), [...text(0, "lo", " you"), stop(0), end]), {
      items: ["Hello you"],
      seen: ["text_delta Hel", "text_delta lo", "text_delta  you", "text_done Hello you"]
    })
  })

  it("has new thinking before the text, where vendors want it", () => {
    const { items, seen } = play(
      [...thinking(0, "a"), stop(0, "S"), ...text(1, "Hel")],
      [...thinking(0, "b"), stop(0, "T"), ...text(1, "lo"), stop(1), end]
    )
    assert.deepStrictEqual(items, ["(a)", "(b)", "Hello"])
    assert.strictEqual(seen.at(-1), "text_done Hello")
  })

  it("does not go on behind a call", () => {
    const { items, seen } = play(text(0, "I look."), [...call(0, "c", "{}"), stop(0), ...text(1, "So."), stop(1), end])
    assert.deepStrictEqual(items, ["I look.", "Act c {}", "So."])
    assert.isBelow(seen.indexOf("text_done I look."), seen.indexOf("tool_call_start c Act"))
  })

  it("by its token limit goes on as well, though the vendor has closed the block", () => {
    const limit: LlmEvent = { type: "stop", reason: "max_tokens" }
    const { items, seen } = play([...text(0, "Hel"), stop(0), limit], [...text(0, "lo"), stop(0), limit])
    assert.deepStrictEqual(items, ["Hello"])
    assert.deepStrictEqual(seen, ["text_delta Hel", "text_delta lo", "text_done Hello"])
  })

  it("keeps it over pieces that bring no text", () => {
    const { items } = play(text(0, "Hel"), thinking(0, "half"), [...text(0, "lo"), stop(0), end])
    assert.deepStrictEqual(items, ["Hello"])
  })
})

describe("what is void", () => {
  it("is every call, whole or half, and thinking without its end", () => {
    const { items } = play(
      [...text(0, "a"), stop(0), ...call(1, "c1", "{}"), stop(1), ...call(2, "c2", '{"x'), ...thinking(3, "hm")],
      [...text(0, "b"), stop(0), end]
    )
    assert.deepStrictEqual(items, ["ab"])
  })

  it("is what a model had begun behind a text that is not whole, which nobody has seen", () => {
    const { items, seen } = play(
      [...text(0, "a"), ...text(1, "later")],
      [...text(0, "b"), stop(0), ...text(1, "later"), stop(1), end]
    )
    assert.deepStrictEqual(items, ["ablater"])
    assert.deepStrictEqual(seen, [
      "text_delta a",
      "text_delta b",
      "text_done ab",
      "text_delta later",
      "text_done later"
    ])
  })
})

describe("a refusal", () => {
  it("makes its calls void, whole or half, and keeps what was said", () => {
    const { items } = play([
      ...text(0, "I look. "),
      stop(0),
      ...call(1, "c1", "{}"),
      stop(1),
      ...call(2, "c2", ""),
      ...text(3, "No."),
      { type: "stop", reason: "refusal" }
    ])
    assert.deepStrictEqual(items, ["I look. No."])
  })
})

describe("what belongs to a block", () => {
  const proof = (index: number, of: number): ReadonlyArray<LlmEvent> => [
    { type: "thinking_start", index, of },
    { type: "block_stop", index, encrypted: `of ${of}` }
  ]

  it("is void with it, whether it came before it or after it", () => {
    const first = [
      ...text(0, "I look."),
      stop(0),
      ...proof(1, 2),
      ...call(2, "c1", "{}"),
      stop(2),
      ...call(4, "c2", "{}"),
      ...proof(3, 4),
      stop(4)
    ]
    const { items } = play(first, [...proof(0, 1), ...text(1, "So."), stop(1), end])
    assert.deepStrictEqual(items, ["I look.", "()", "So."])
    assert.deepStrictEqual(play([...first, { type: "stop", reason: "refusal" }]).items, ["I look."])
  })

  it("is void with it in any piece", () => {
    const half = [...proof(0, 1), ...call(1, "c1", "{")]
    assert.deepStrictEqual(play(half, half, [...proof(0, 1), ...call(1, "c2", "{}"), stop(1), end]).items, [
      "()",
      "Act c2 {}"
    ])
  })
})

describe("a model that repeats itself", () => {
  const said = "The first sentence is short. The second one breaks off in the"

  it("from the start, or from the last words, is not heard twice", () => {
    for (const again of [`${said} middle.`, "The second one breaks off in the middle."]) {
      const { items, seen } = play(text(0, said), [...text(0, ...again), stop(0), end])
      assert.deepStrictEqual(items, [`${said} middle.`])
      const deltas = seen.filter((event) => event.startsWith("text_delta ")).map((event) => event.slice(11))
      assert.strictEqual(deltas.join(""), `${said} middle.`)
    }
  })

  it("is not heard twice either when it says a whole text again before the call that was void", () => {
    const { items } = play(
      [...text(0, "I read it."), stop(0), ...call(1, "c", "{")],
      [...text(0, "I read", " it."), stop(0), ...call(1, "d", "{}"), stop(1), end]
    )
    assert.deepStrictEqual(items, ["I read it.", "Act d {}"])
  })

  it("by chance and in few letters is left alone", () => {
    assert.deepStrictEqual(play(text(0, "Hel"), [...text(0, "lo"), stop(0), end]).items, ["Hello"])
    assert.deepStrictEqual(play(text(0, "a ha "), [...text(0, "ha!"), stop(0), end]).items, ["a ha ha!"])
  })
})

const Cuts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))).check(Schema.isMaxLength(3))

describe("for any text, cut anywhere", () => {
  it.prop(
    "clients see it once, and it is committed as it is",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 40, maximum: 60 })),
      Cuts,
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
    ],
    ([length, cuts, again]) => {
      // Letters that differ, so that what repeats does so because the model does.
      const whole = `${Array.from({ length }, (_, n) => String.fromCodePoint(0x4e00 + n)).join("")}.`
      const places = [0, ...cuts.map((at) => Math.min(at, whole.length)).toSorted((a, b) => a - b)]
      const { items, seen } = play(
        ...places.map((from, n) => {
          const to = places[n + 1]
          // A model that repeats says again either everything or a good part of it.
          const begin = from >= 24 && again > 10 ? (again > 20 ? 0 : from - 24) : from
          const piece = text(0, ...whole.slice(begin, to))
          return to === undefined ? [...piece, stop(0), end] : piece
        })
      )
      assert.deepStrictEqual(items, [whole])
      const deltas = seen.filter((event) => event.startsWith("text_delta ")).map((event) => event.slice(11))
      assert.strictEqual(deltas.join(""), whole)
      assert.strictEqual(seen.at(-1), `text_done ${whole}`)
    }
  )
})

describe("text that may be a repetition", () => {
  it("is passed on as soon as it is not, and at the end whole", () => {
    const overlap = Overlap.make("one two three four five six")
    assert.strictEqual(overlap.push("one two"), "")
    assert.strictEqual(overlap.push(" and more"), "one two and more")
    assert.strictEqual(overlap.push(" one two"), " one two")
    const other = Overlap.make("one two three four five six")
    assert.strictEqual(other.push("one"), "")
    assert.strictEqual(other.end(), "one")
  })
})
