import { assert, describe, it } from "vitest"
import { Transcript, type TranscriptOptions } from "../../src/cli/Transcript.ts"
import { message } from "../../src/protocol/Item.ts"
import { defaultConfig } from "../../src/protocol/LogEntry.ts"

const options: TranscriptOptions = {
  color: false,
  columns: 100,
  cwd: "/w",
  times: true,
  thinking: true,
  past: Infinity
}
const history = [
  message("user", "first\nand more"),
  { kind: "reasoning", text: "hm" },
  { kind: "tool_call", call_id: "c1", name: "Bash", arguments: '{"command":"ls"}' },
  { kind: "tool_result", call_id: "c1", summary: "$ ls", content: "a\n" },
  message("system", "[Notification]\nby the way"),
  message("assistant", "done")
] as const
const start = { kind: "segment_start", ts: 1, session_id: "s", system_prompt: null, config: defaultConfig, history }
const said = "› first\n  and more\n~ hm\n✓ Bash ls: a\n· [Notification] by the way\ndone\n"

describe("a transcript", () => {
  it("begins with what its first entry stands for, as it would have been shown then", () => {
    const render = (entry: object) => new Transcript(options).render(JSON.parse(JSON.stringify(entry)))
    assert.strictEqual(render(start), said)
    const entries = [
      { kind: "assistant_item", ts: 1, item: history[1] },
      { kind: "assistant_item", ts: 1, item: history[2] },
      { kind: "tool_result", ts: 1, item: history[3] }
    ]
    const transcript = new Transcript(options)
    assert.include(said, entries.map((entry) => transcript.render(entry)).join(""))
    assert.strictEqual(render({ ...start, history: [] }), "")
    const compacted = { ...start, compacted_from: { segment_id: "s0", at_turn_index: 3 } }
    assert.strictEqual(render(compacted), `· earlier parts were compacted\n${said}`)
  })

  it("begins with the last of it where only so much is wanted", () => {
    const text = new Transcript({ ...options, past: 2 }).render(JSON.parse(JSON.stringify(start)))
    assert.strictEqual(text, "· 4 items before these\n· [Notification] by the way\ndone\n")
  })
})
