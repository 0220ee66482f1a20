/** What may be missing, what null means, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { Completion, Event } from "../../src/protocol/Event.ts"
import { Greeting } from "../../src/protocol/Greeting.ts"
import { LoggedItem } from "../../src/protocol/Item.ts"
import { LogEntry } from "../../src/protocol/LogEntry.ts"
import { PodEvent } from "../../src/protocol/PodEvent.ts"
import { RewindTarget } from "../../src/protocol/Rewind.ts"
import { ScopeRule } from "../../src/protocol/ScopeRule.ts"
import { SeedEvent } from "../../src/protocol/SeedEvent.ts"
import { PodRegistry } from "../../src/protocol/PodRegistry.ts"
import { SeedStatusFile } from "../../src/protocol/RuntimeFiles.ts"
import { preview, Segment } from "../../src/protocol/Segment.ts"
import { SpawnConfig } from "../../src/protocol/SpawnConfig.ts"
import { SystemItem } from "../../src/protocol/SystemItem.ts"
import { fixture } from "./fixture.ts"

const decode = (schema: Schema.Codec<unknown, unknown>, input: unknown): unknown =>
  Schema.decodeUnknownSync(schema)(input)

const refuses = (schema: Schema.Codec<unknown, unknown>, input: unknown): boolean =>
  Exit.isFailure(Schema.decodeUnknownExit(schema)(input))

const config = { stop_sequences: [] }
const fullConfig = {
  max_tokens: null,
  temperature: null,
  top_p: null,
  top_k: null,
  stop_sequences: [],
  reasoning: null
}
const start = { kind: "segment_start", ts: 1, session_id: "s", history: [] }

describe("a key that is left out when there is nothing to say is read as absent when it is null", () => {
  it("in a log entry", () => {
    assert.deepStrictEqual(
      decode(LogEntry, { ...start, system_prompt: null, config: fullConfig, forked_from: null, compacted_from: null }),
      { ...start, system_prompt: null, config: fullConfig }
    )
  })
  it("in an item", () => {
    assert.deepStrictEqual(decode(LoggedItem, { kind: "tool_result", call_id: "c", summary: "s", content: null }), {
      kind: "tool_result",
      call_id: "c",
      summary: "s"
    })
    assert.deepStrictEqual(
      decode(LoggedItem, { kind: "reasoning", text: "t", encrypted_content: null, signature: null }),
      { kind: "reasoning", text: "t" }
    )
  })
  it("in an event", () => {
    assert.deepStrictEqual(
      decode(Event, { event: "tool_result", data: { id: "c", summary: "s", output: null, is_error: true } }),
      { event: "tool_result", data: { id: "c", summary: "s", is_error: true } }
    )
    assert.deepStrictEqual(
      decode(Event, { event: "usage", data: { input_tokens: 1, output_tokens: 2, cache_read_input_tokens: null } }),
      { event: "usage", data: { input_tokens: 1, output_tokens: 2 } }
    )
  })
})

describe("a key that is always written is read as null when it is missing", () => {
  it("token counts", () => {
    assert.deepStrictEqual(decode(Event, { event: "usage", data: {} }), {
      event: "usage",
      data: { input_tokens: null, output_tokens: null }
    })
  })
  it("the settings of a segment", () => {
    assert.deepStrictEqual(decode(LogEntry, { ...start, config }), {
      ...start,
      system_prompt: null,
      config: fullConfig
    })
    assert.isTrue(refuses(LogEntry, { ...start, config: {} }))
  })
  it("the time of a rewind target", () => {
    const target = {
      id: { segment_id: "s", user_input_entry_index: 0 },
      expected_head_entries: 1,
      truncate_entries: 0,
      turn_index: 1,
      preview: "",
      eligible: true
    }
    assert.deepStrictEqual(decode(RewindTarget, { ...target, warning: null }), { ...target, timestamp_ms: null })
  })
})

describe("in the files of the seed", () => {
  const nothing = {
    pod: null,
    model: null,
    worker: null,
    scope: null,
    session: null,
    permissions: null,
    compaction: null,
    web: null,
    memory: null,
    skills: null
  }
  it("what a parent does not say is null, in the tables and in the whole", () => {
    assert.deepStrictEqual(decode(SpawnConfig, {}), nothing)
    assert.deepStrictEqual(
      decode(SpawnConfig, {
        pod: { name: "child" },
        model: { ref: "a/b", scheme: null, auth: { kind: "api_key" } },
        scope: { allow: [{ target: "/w", permission: "read" }] },
        worker: { max_turns: 3, tool_output: {} }
      }),
      {
        ...nothing,
        pod: { name: "child", prompt_pack: null },
        model: { ref: "a/b", auth: { kind: "api_key", env: null, file: null } },
        scope: { allow: [{ target: "/w", permission: "read", recursive: true }], deny: [] },
        worker: {
          instruction: null,
          language: null,
          max_tokens: null,
          max_turns: 3,
          temperature: null,
          top_p: null,
          top_k: null,
          stop_sequences: null,
          reasoning: null,
          tool_output: { default_max_bytes: null, per_tool: {} },
          file_upload: null
        }
      }
    )
    assert.isTrue(refuses(SpawnConfig, { worker: { max_turns: "3" } }))
    assert.isTrue(refuses(SpawnConfig, { model: { auth: { kind: "token" } } }))
  })
  it("a row of the registry may be without rules that deny, parent and segment", () => {
    const row = { pod_name: "p", pid: 1, socket: "/s", scope_allow: [] }
    assert.deepStrictEqual(decode(PodRegistry, { allocations: [row] }), {
      allocations: [{ ...row, scope_deny: [], delegated_from: null, segment_id: null }]
    })
    assert.isTrue(refuses(PodRegistry, {}))
    assert.isTrue(refuses(PodRegistry, { allocations: [{ ...row, pid: -1 }] }))
  })
  it("a status is one that the seed has, and nothing of ours is kept", () => {
    const status = { pod_name: "p", segment_id: "s", state: "idle" }
    assert.deepStrictEqual(decode(SeedStatusFile, { ...status, pid: 1, socket: null }), status)
    assert.isTrue(refuses(SeedStatusFile, { ...status, state: "stopping" }))
    assert.isTrue(refuses(SeedStatusFile, { ...status, segment_id: null }))
  })
})

describe("defaults", () => {
  it("a rule is recursive", () => {
    assert.deepStrictEqual(decode(ScopeRule, { target: "/w", permission: "read" }), {
      target: "/w",
      permission: "read",
      recursive: true
    })
  })
  it("a reminder is about tasks", () => {
    assert.deepStrictEqual(decode(SystemItem, { kind: "task_reminder", body: "b" }), {
      kind: "task_reminder",
      source: "task_inactivity",
      body: "b"
    })
  })
  it("a result is no error, a completion no directory, a greeting without numbers has zeros", () => {
    assert.deepStrictEqual(decode(Completion, { value: "v" }), { value: "v", is_dir: false })
    assert.deepStrictEqual(decode(Event, { event: "tool_result", data: { id: "c", summary: "s" } }), {
      event: "tool_result",
      data: { id: "c", summary: "s", is_error: false }
    })
    const greeting = { pod_name: "p", cwd: "/", provider: "x", model: "m", scope_summary: "", tools: [] }
    assert.deepStrictEqual(decode(Greeting, greeting), { ...greeting, context_window: 0, context_tokens: 0 })
    const data = { entries: [], greeting: { ...greeting, context_window: 0, context_tokens: 0 } }
    assert.deepStrictEqual(decode(Event, { event: "snapshot", data }), {
      event: "snapshot",
      data: { ...data, status: "idle" }
    })
    assert.deepStrictEqual(decode(SeedEvent, { event: "snapshot", data }), {
      event: "snapshot",
      data: { ...data, status: "idle" }
    })
  })
})

describe("segments", () => {
  it("an unknown kind is kept as unknown and loses its fields", () => {
    assert.deepStrictEqual(decode(Segment, { kind: "hologram", frames: 3 }), { kind: "unknown" })
    assert.deepStrictEqual(decode(Segment, { kind: "unknown", left: 1 }), { kind: "unknown" })
  })
  it("a known kind has to be whole", () => {
    for (const kind of ["text", "paste", "file_ref", "knowledge_ref", "workflow_invoke"])
      assert.isTrue(refuses(Segment, { kind }))
    assert.isTrue(refuses(Segment, { kind: "paste", id: 0x1_0000_0000, chars: 1, lines: 1, content: "" }))
    assert.isTrue(refuses(Segment, { kind: "paste", id: 1.5, chars: 1, lines: 1, content: "" }))
    assert.isTrue(refuses(Segment, {}))
    assert.isTrue(refuses(Segment, { kind: 7 }))
  })
  it("a preview is one line of at most 120 characters", () => {
    assert.strictEqual(
      preview([
        { kind: "text", content: "  see " },
        { kind: "file_ref", path: "a.ts" },
        { kind: "text", content: "one\ntwo" },
        { kind: "unknown" }
      ]),
      "see @a.ts one two [unknown input segment]"
    )
    assert.strictEqual(preview([{ kind: "text", content: "😀".repeat(121) }]), `${"😀".repeat(120)}…`)
    assert.strictEqual(preview([{ kind: "text", content: "😀".repeat(120) }]), "😀".repeat(120))
  })
})

describe("words and numbers", () => {
  it("unknown words are refused", () => {
    assert.isTrue(refuses(PodEvent, { kind: "shutdown", pod_name: "p" }))
    assert.isTrue(refuses(SystemItem, { kind: "rumour", body: "b" }))
    assert.isTrue(refuses(LogEntry, { kind: "rumour", ts: 1 }))
    assert.isTrue(refuses(Event, { event: "rumour", data: {} }))
    assert.isTrue(refuses(SeedEvent, { event: "status", data: { status: "compacting" } }))
    assert.isTrue(refuses(SeedEvent, { event: "error", data: { code: "conflict", message: "" } }))
    assert.isTrue(refuses(SeedEvent, { event: "run_end", data: { result: "failed" } }))
    assert.isTrue(refuses(SeedEvent, { event: "run_start", data: { run_id: "r", leg: 1, kind: "run" } }))
  })
  it("counts are unsigned integers", () => {
    assert.isTrue(refuses(Event, { event: "turn_start", data: { turn: -1 } }))
    assert.isTrue(refuses(Event, { event: "turn_start", data: { turn: 0.5 } }))
    assert.isTrue(refuses(LogEntry, { kind: "turn_end", ts: -1, turn_count: 0 }))
  })
  it("unknown keys are ignored and not kept", () => {
    assert.deepStrictEqual(decode(LogEntry, { kind: "turn_end", ts: 1, turn_count: 0, later: true }), {
      kind: "turn_end",
      ts: 1,
      turn_count: 0
    })
  })
  it("an event without a payload is written without data", () => {
    for (const line of fixture("seed-events")) {
      const event = JSON.parse(line) as { event: string }
      if (["thinking_start", "compact_start", "shutdown"].includes(event.event)) {
        assert.deepStrictEqual(decode(Event, { ...event, data: {} }), event)
      }
    }
  })
})
