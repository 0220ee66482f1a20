import { describe, expect, it } from "@effect/vitest"
import * as Blocks from "../../src/agent/Blocks.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"

const play = (events: ReadonlyArray<LlmEvent>) => {
  const blocks = Blocks.make()
  return events
    .flatMap((event) => blocks.push(event))
    .map((event) => {
      if (!("data" in event)) return event.event
      const data = event.data as { readonly text?: string; readonly id?: string; readonly json?: string }
      return [event.event, data.id, data.text ?? data.json].filter((part) => part !== undefined).join(" ")
    })
}

describe("what clients see of a response", () => {
  it("text and thinking flow as they come", () => {
    expect(
      play([
        { type: "thinking_start", index: 0 },
        { type: "delta", index: 0, text: "hm" },
        { type: "block_stop", index: 0, signature: "s" },
        { type: "text_start", index: 1 },
        { type: "delta", index: 1, text: "a" },
        { type: "delta", index: 1, text: "b" },
        { type: "block_stop", index: 1 },
        { type: "stop", reason: "end_turn" }
      ])
    ).toEqual([
      "thinking_start",
      "thinking_delta hm",
      "thinking_done hm",
      "text_delta a",
      "text_delta b",
      "text_done ab"
    ])
  })

  it("two texts that interleave are told one after the other, and nothing of them is lost", () => {
    expect(
      play([
        { type: "text_start", index: 0 },
        { type: "text_start", index: 1 },
        { type: "delta", index: 1, text: "second" },
        { type: "delta", index: 0, text: "first" },
        { type: "block_stop", index: 1 },
        { type: "block_stop", index: 0 }
      ])
    ).toEqual(["text_delta first", "text_done first", "text_delta second", "text_done second"])
  })

  it("tool calls interleave freely: they carry ids", () => {
    expect(
      play([
        { type: "tool_call_start", index: 0, id: "a", name: "X" },
        { type: "tool_call_start", index: 1, id: "b", name: "Y" },
        { type: "delta", index: 1, text: "{}" },
        { type: "delta", index: 0, text: '{"k": 1}' },
        { type: "block_stop", index: 0 },
        { type: "block_stop", index: 1 }
      ])
    ).toEqual([
      "tool_call_start a",
      "tool_call_start b",
      "tool_call_args_delta b {}",
      'tool_call_args_delta a {"k": 1}',
      "tool_call_done a",
      "tool_call_done b"
    ])
  })

  it("unusable arguments are told as the empty object that will be logged", () => {
    const blocks = Blocks.make()
    const events = [
      { type: "tool_call_start", index: 0, id: "a", name: "X" },
      { type: "delta", index: 0, text: '{"cut' },
      { type: "block_stop", index: 0 }
    ] as const
    const seen = events.flatMap((event) => blocks.push(event))
    expect(seen.at(-1)).toEqual({ event: "tool_call_done", data: { id: "a", name: "X", arguments: "{}" } })
  })

  it("a response is active with its first word, not with its usage", () => {
    const blocks = Blocks.make()
    blocks.push({ type: "text_start", index: 0 })
    blocks.push({ type: "usage", usage: { inputTokens: 1 } })
    blocks.push({ type: "delta", index: 0, text: "" })
    expect(blocks.active()).toBe(false)
    blocks.push({ type: "delta", index: 0, text: "x" })
    expect(blocks.active()).toBe(true)
  })
})
