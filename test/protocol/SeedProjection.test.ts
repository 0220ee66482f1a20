/** What a client of the seed protocol is told. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { BroadcastEvent, DirectEvent, type Envelope } from "../../src/protocol/Event.ts"
import type { Greeting } from "../../src/protocol/Greeting.ts"
import type { SeedEvent } from "../../src/protocol/SeedEvent.ts"
import * as SeedProjection from "../../src/protocol/SeedProjection.ts"
import { ErrorCode, PodStatus, RunResult } from "../../src/protocol/Status.ts"
import { encodeLine } from "../../src/protocol/Wire.ts"
import { fixture } from "./fixture.ts"
import { strictSeedEvent } from "./strictSeedReader.ts"

type Event = SeedProjection.Projectable
type Named<Name extends Event["event"]> = Extract<Event, { readonly event: Name }>

const usage = {
  llm_calls: 1,
  input_tokens: 1,
  output_tokens: 1,
  cache_read_input_tokens: 0,
  cache_write_input_tokens: 0
}
const greeting: Greeting = {
  pod_name: "agent",
  cwd: "/w",
  provider: "offline",
  model: "offline",
  scope_summary: "",
  tools: [],
  context_window: 1,
  context_tokens: 0,
  sandbox: { mode: "none", enforced: false, reason: "none here" }
}

const status = (word: PodStatus): Event => ({ event: "status", data: { status: word } })
const runStart = (id = "r1", leg = 1): Event => ({ event: "run_start", data: { run_id: id, leg, kind: "run" } })
const runEnd = (result: RunResult, error?: Named<"run_end">["data"]["error"]): Event => ({
  event: "run_end",
  data: { run_id: "r1", leg: 1, result, usage, ...(error === undefined ? {} : { error }) }
})
const userMessage: Event = { event: "user_message", data: { segments: [], run_id: "r1" } }
const compactStart: Event = { event: "compact_start" }
const compactDone: Event = { event: "compact_done", data: { new_segment_id: "s" } }
const shutdown: Event = { event: "shutdown" }
const snapshot = (word: PodStatus, inRun: boolean): Named<"snapshot"> => ({
  event: "snapshot",
  data: {
    entries: [],
    greeting,
    status: word,
    seq: 7,
    epoch: "e",
    total: 0,
    in_flight: inRun ? { run_id: "r1", leg: 1, turn: 0, blocks: [] } : null,
    inbox: [],
    pending_approvals: [],
    waiting_on: null
  }
})

/** A line in few words: `status idle`, `run_end finished`, `error internal Cancelled`, else the name. */
const brief = (line: SeedEvent): string => {
  switch (line.event) {
    case "status":
      return `status ${line.data.status}`
    case "run_end":
      return `run_end ${line.data.result}`
    case "error":
      return `error ${line.data.code} ${line.data.message}`
    case "snapshot":
      return `snapshot ${line.data.status}`
    default:
      return line.event
  }
}

const told = (...events: ReadonlyArray<Event>): ReadonlyArray<string> => {
  const projection = SeedProjection.make()
  return events.flatMap((event) => projection.project(event).map(brief))
}

describe("a run", () => {
  const run = (...end: ReadonlyArray<Event>) => told(userMessage, runStart(), status("running"), ...end)
  const begun = ["user_message", "status running"]

  it("that finishes, pauses, hits a limit or is rolled back has its run_end", () => {
    for (const result of ["finished", "limit_reached", "rolled_back"] as const) {
      assert.deepStrictEqual(run(runEnd(result), status("idle")), [...begun, `run_end ${result}`, "status idle"])
    }
    assert.deepStrictEqual(run(runEnd("paused"), status("paused")), [...begun, "run_end paused", "status paused"])
  })

  it("that was cancelled ends in an error and not in a run_end", () => {
    const why = { code: "internal", message: "asked to", phase: "stream" } as const
    for (const end of [runEnd("cancelled"), runEnd("cancelled", why)]) {
      assert.deepStrictEqual(run(end, status("idle")), [...begun, "error internal Cancelled", "status idle"])
    }
  })

  it("that failed ends in an error with its code and message", () => {
    const end = runEnd("failed", { code: "provider_overflow", message: "too long", phase: "request" })
    assert.deepStrictEqual(run(end, status("idle")), [...begun, "error provider_error too long", "status idle"])
    assert.deepStrictEqual(run(runEnd("failed"), status("idle")), [
      ...begun,
      "error internal the run failed",
      "status idle"
    ])
  })

  it("that was abandoned while paused leaves nothing but the status", () => {
    assert.deepStrictEqual(told(status("paused"), runEnd("abandoned"), status("idle")), [
      "status paused",
      "status idle"
    ])
  })

  it("that a crash cut leaves nothing but the status, also if the client was told idle all the time", () => {
    assert.deepStrictEqual(told(snapshot("restoring", false), runEnd("interrupted"), status("idle")), [
      "snapshot idle",
      "status idle"
    ])
  })

  it("that starts right after another has its status, whether the native one moved or not", () => {
    const next = (...between: ReadonlyArray<Event>) =>
      run(runEnd("finished"), userMessage, runStart("r2"), ...between).slice(begun.length)
    assert.deepStrictEqual(next(status("running")), ["run_end finished", "user_message", "status running"])
    assert.deepStrictEqual(next(status("compacting"), status("running")), [
      "run_end finished",
      "user_message",
      "status running"
    ])
    assert.deepStrictEqual(next(status("stopping")), ["run_end finished", "user_message", "status running"])
  })
})

describe("a compaction", () => {
  it("on request is idle throughout", () => {
    assert.deepStrictEqual(told(status("compacting"), compactStart, compactDone, status("idle")), [
      "compact_start",
      "compact_done"
    ])
  })

  it("inside a run is running throughout", () => {
    assert.deepStrictEqual(
      told(runStart(), status("running"), status("compacting"), compactStart, compactDone, status("running")),
      ["status running", "compact_start", "compact_done"]
    )
  })

  it("as the first thing of a run is running already", () => {
    assert.deepStrictEqual(told(runStart(), status("compacting"), compactStart, status("running")), [
      "status running",
      "compact_start"
    ])
  })

  it("after a run is idle", () => {
    assert.deepStrictEqual(
      told(runStart(), status("running"), runEnd("finished"), status("compacting"), compactStart, status("idle")),
      ["status running", "run_end finished", "status idle", "compact_start"]
    )
  })
})

describe("a repeated status", () => {
  it("is kept: the idle after a rewind is what clients wait for", () => {
    const applied: Event = {
      event: "rewind_applied",
      data: {
        entries: [],
        input: [],
        summary: { truncated_to_entries: 0, discarded_entries: 2, tool_side_effect_warning: false }
      }
    }
    assert.deepStrictEqual(told(snapshot("idle", false), applied, status("idle"), status("idle")), [
      "snapshot idle",
      "rewind_applied",
      "status idle",
      "status idle"
    ])
  })
})

describe("stopping", () => {
  it("is not told", () => {
    assert.deepStrictEqual(told(status("stopping"), shutdown), ["shutdown"])
    assert.deepStrictEqual(told(status("paused"), status("stopping"), shutdown), ["status paused", "shutdown"])
  })

  it("does not leave a client believing in a run that has ended", () => {
    const stopped = (...last: ReadonlyArray<Event>) =>
      told(runStart(), status("running"), status("stopping"), ...last, shutdown).slice(1)
    const expected = ["error internal Cancelled", "status idle", "shutdown"]
    assert.deepStrictEqual(stopped(runEnd("cancelled")), expected)
    assert.deepStrictEqual(stopped(runEnd("cancelled"), status("idle")), expected)
    assert.deepStrictEqual(stopped(runEnd("cancelled"), status("stopping")), expected)
    assert.deepStrictEqual(stopped(runEnd("paused")), ["run_end paused", "status paused", "shutdown"])
  })
})

describe("attaching", () => {
  it("tells the word for the moment", () => {
    const words: ReadonlyArray<readonly [PodStatus, boolean, string]> = [
      ["idle", false, "idle"],
      ["running", true, "running"],
      ["paused", false, "paused"],
      ["compacting", false, "idle"],
      ["compacting", true, "running"],
      ["restoring", false, "idle"],
      ["restoring", true, "running"],
      ["stopping", false, "idle"],
      ["stopping", true, "running"]
    ]
    for (const [native, inRun, word] of words) {
      assert.deepStrictEqual(told(snapshot(native, inRun)), [`snapshot ${word}`])
      assert.strictEqual(SeedProjection.make().attach(native, inRun), word)
    }
  })

  it("goes on from that word", () => {
    assert.deepStrictEqual(told(snapshot("compacting", true), status("running"), status("idle")), [
      "snapshot running",
      "status idle"
    ])
    assert.deepStrictEqual(told(snapshot("compacting", false), status("idle"), status("idle")), [
      "snapshot idle",
      "status idle"
    ])
    assert.deepStrictEqual(told(snapshot("stopping", true), runEnd("cancelled"), shutdown), [
      "snapshot running",
      "error internal Cancelled",
      "status idle",
      "shutdown"
    ])
  })

  it("gives a snapshot of exactly three fields", () => {
    assert.deepStrictEqual(SeedProjection.make().project(snapshot("idle", false)), [
      { event: "snapshot", data: { entries: [], greeting, status: "idle" } }
    ])
  })
})

describe("lines", () => {
  const project = (event: Event | Envelope) => SeedProjection.make().project(event)

  it("lose their number and keep their data", () => {
    const data = { id: "c", summary: "s", is_error: false, truncated: true, output_path: "/o", duration_ms: 3 }
    assert.deepStrictEqual(project({ event: "tool_result", data, seq: 4, durable: true }), [
      { event: "tool_result", data }
    ])
  })

  it("without a payload have no data key", () => {
    for (const name of ["thinking_start", "compact_start", "shutdown"] as const) {
      assert.deepStrictEqual(project({ event: name, seq: 1 }), [{ event: name }])
    }
  })

  it("of names that the seed has are kept as they are", () => {
    const rest = new Set<string>(["snapshot", "status", "error", "run_end"])
    const lines = fixture("seed-events").map((line) => JSON.parse(line) as Event)
    for (const line of lines.filter((event) => !rest.has(event.event))) {
      assert.deepStrictEqual<unknown>(project(line), [line])
    }
  })

  it("of names that the seed does not have are dropped", () => {
    const dropped = fixture("native-events")
      .map((line) =>
        Schema.decodeUnknownSync(Schema.Union([...BroadcastEvent.members, ...DirectEvent.members]))(JSON.parse(line))
      )
      .filter((event): event is Event => event.event !== "reply" && project(event).length === 0)
      .map((event) => event.event)
    assert.deepStrictEqual(Array.from(new Set(dropped)).toSorted(), [
      "approval_requested",
      "approval_resolved",
      "assistant_item",
      "in_flight",
      "inbox_changed",
      "lagged",
      "log_repaired",
      "run_start",
      "status",
      "tool_output",
      "tool_started",
      "welcome"
    ])
  })

  it("with a code that the seed does not have get the nearest one", () => {
    const codes = Object.fromEntries(
      ErrorCode.literals.map((code) => {
        const error: Event = { event: "error", data: { code, message: "m", phase: "accept", hint: "h" } }
        const failed = runEnd("failed", { code, message: "m", phase: "accept" })
        assert.deepStrictEqual(project(failed).map(brief), project(error).map(brief))
        return [code, brief(project(error)[0]!).split(" ")[1]!]
      })
    )
    assert.deepStrictEqual(codes, {
      already_running: "already_running",
      not_running: "not_running",
      not_paused: "not_paused",
      provider_error: "provider_error",
      tool_error: "tool_error",
      invalid_request: "invalid_request",
      internal: "internal",
      conflict: "invalid_request",
      not_found: "invalid_request",
      overloaded: "invalid_request",
      approval_denied: "invalid_request",
      storage_error: "internal",
      lease_lost: "internal",
      provider_overflow: "provider_error"
    })
  })
})

describe("for any native events", () => {
  const native = Arbitrary.filter(
    Arbitrary.schema(Schema.Union([...BroadcastEvent.members, ...DirectEvent.members])),
    (event): event is Event => event.event !== "reply"
  ) as Arbitrary.Arbitrary<Event>
  const read = Schema.decodeUnknownSync(strictSeedEvent)

  it("the strictest reader accepts the example lines of the seed, and refuses native ones", () => {
    for (const line of fixture("seed-events")) read(JSON.parse(line))
    assert.throws(() => read({ event: "run_start", data: { run_id: "r", leg: 1, kind: "run" } }))
    assert.throws(() => read({ event: "status", data: { status: "stopping" } }))
    assert.throws(() => read({ event: "shutdown", data: {} }))
  })

  it.prop(
    "every line is one that the strictest reader accepts",
    [Arbitrary.array(native, { maxLength: 12 })],
    ([events]) => {
      const projection = SeedProjection.make()
      for (const event of events) {
        for (const line of projection.project(event)) {
          const parsed = JSON.parse(encodeLine(line)) as { readonly event: string; readonly data?: unknown }
          read(parsed)
          assert.sameMembers(Object.keys(parsed), parsed.data === undefined ? ["event"] : ["event", "data"])
        }
      }
    },
    { arbitrary: { runs: 400 } }
  )

  const step = Schema.Union([
    Schema.Struct({ at: Schema.Literal("status"), word: PodStatus }),
    Schema.Struct({ at: Schema.Literal("end"), result: RunResult }),
    Schema.Struct({ at: Schema.Literals(["start", "shutdown"]) })
  ])

  it.prop(
    "a client knows whether the pod is idle, running or paused",
    [Schema.Array(step)],
    ([steps]) => {
      const projection = SeedProjection.make()
      let last = projection.attach("idle", false)
      let owed = false
      for (const each of steps) {
        const event =
          each.at === "status"
            ? status(each.word)
            : each.at === "end"
              ? runEnd(each.result)
              : each.at === "start"
                ? runStart()
                : shutdown
        const lines = projection.project(event)
        for (const line of lines) if (line.event === "status") last = line.data.status
        if (each.at === "status") {
          if (each.word === "idle" || each.word === "running" || each.word === "paused")
            assert.strictEqual(last, each.word)
          if (owed) assert.strictEqual(lines.length, 1, "the first status after the end of a run is always told")
          owed = false
        } else if (each.at === "end") {
          assert.isFalse(lines.some((line) => line.event === "status"))
          owed = true
        } else if (each.at === "shutdown") {
          assert.deepStrictEqual(
            lines.map((line) => line.event),
            owed ? ["status", "shutdown"] : ["shutdown"]
          )
          owed = false
        }
      }
    },
    { arbitrary: { runs: 400 } }
  )
})
