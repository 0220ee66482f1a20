/** What a hook may say at which point, and how much of it. */
import { describe, expect, it } from "vitest"
import { decode } from "../../src/hooks/Decision.ts"
import type { HookPoint } from "../../src/protocol/Hook.ts"

const continued = { decision: "continue" }
const skip = { decision: "skip" }
const abort = { decision: "abort", reason: "why" }
const cancel = { decision: "cancel", reason: "why" }
const pause = { decision: "pause" }
const more = { decision: "continue_with", items: ["more"] }
const messages = { decision: "continue_with_messages", items: ["more"] }
const answered = { decision: "synthetic_result", summary: "as if" }
const finish = { decision: "finish" }
const shorter = { decision: "yield" }
const all = { continued, skip, abort, cancel, pause, more, messages, answered, finish, shorter }

type Word = keyof typeof all

const taken: { readonly [P in HookPoint]: ReadonlyArray<Word> } = {
  on_prompt_submit: ["continued", "cancel", "more"],
  pre_llm_request: ["continued", "cancel", "more", "shorter"],
  pre_tool_call: ["continued", "skip", "abort", "pause", "answered"],
  post_tool_call: ["continued", "abort"],
  on_turn_end: ["pause", "messages", "finish"],
  on_abort: ["continued"]
}
const points = Object.keys(taken) as ReadonlyArray<HookPoint>

describe("a decision", () => {
  it.each(points)("at %s is one of its words, and no other", (point) => {
    const words = Object.keys(all) as ReadonlyArray<Word>
    expect(words.filter((word) => decode(point, all[word]) !== undefined)).toEqual(taken[point])
    for (const odd of [null, "continue", {}, [], { decision: "maybe" }]) expect(decode(point, odd)).toBeUndefined()
  })

  it("has a reason of 2,000 characters, and texts of 32 Ki, at most 16", () => {
    const [reason, item] = ["x".repeat(2_000), "x".repeat(32 * 1024)]
    const sixteen = Array.from({ length: 16 }, () => "x")
    const isTaken = (point: HookPoint, said: object) => decode(point, said) !== undefined
    expect(isTaken("pre_tool_call", { ...abort, reason })).toBe(true)
    expect(isTaken("pre_tool_call", { ...answered, summary: reason, content: item })).toBe(true)
    expect(isTaken("on_prompt_submit", { ...more, items: sixteen })).toBe(true)
    for (const said of [
      { ...abort, reason: `${reason}x` },
      { ...skip, reason: `${reason}x` },
      { ...answered, summary: `${reason}x` },
      { ...answered, content: `${item}x` }
    ]) {
      expect(isTaken("pre_tool_call", said)).toBe(false)
    }
    expect(isTaken("on_prompt_submit", { ...cancel, reason: `${reason}x` })).toBe(false)
    for (const items of [[], [...sixteen, "x"], [`${item}x`], [1]]) {
      expect(isTaken("on_prompt_submit", { ...more, items })).toBe(false)
    }
  })
})
