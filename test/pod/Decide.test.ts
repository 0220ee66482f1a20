import { describe, expect, it } from "vitest"
import { type Decision, decide, type Phase, phases, validate } from "../../src/pod/Decide.ts"
import { type Method, type MethodName, methodNames } from "../../src/protocol/Method.ts"

/**
 * The table as the protocol states it, a row for each method:
 * idle | running | paused | compacting. A word is the decision's tag; `!code` is a refusal.
 */
const expected: Record<string, string> = {
  run: "Start | !already_running | Start | Later",
  "run delivery=queue": "Start | Keep queue | Keep queue | Later",
  "run delivery=steer": "Start | Keep steer | Keep steer | Later",
  notify: "Keep wake+turn | Keep wake | Keep wake | Later",
  "notify wake=false": "Keep quiet | Keep quiet | Keep quiet | Later",
  pod_event: "Keep wake+turn | Keep wake | Keep wake | Later",
  "pod_event kind=scope_sub_delegated": "Keep quiet | Keep quiet | Keep quiet | Later",
  resume: "!not_paused | !already_running | NextLeg | Later",
  "resume held": "Release | !already_running | NextLeg | Later",
  cancel: "!not_running | Interrupt cancel | Abandon | AbortCompaction",
  "cancel run_id=current": "!not_running | Interrupt cancel | Abandon | AbortCompaction",
  "cancel run_id=other": "!not_running | !not_running | !not_running | AbortCompaction",
  pause: "!not_running | Interrupt pause | Nothing | !not_running",
  "pause run_id=current": "!not_running | Interrupt pause | Nothing | !not_running",
  "pause run_id=other": "!not_running | !not_running | !not_running | !not_running",
  compact: "!invalid_request | !already_running | !invalid_request | !already_running",
  list_rewind_targets: "Answer | !already_running | Answer | Answer",
  rewind_to: "Edit | !already_running | !invalid_request | Later",
  undo_rewind: "Edit | !already_running | !invalid_request | Later",
  shutdown: "Stop | Stop | Stop | Stop",
  hello: "Direct | Direct | Direct | Direct",
  list_completions: "Direct | Direct | Direct | Direct",
  attach_status: "Direct | Direct | Direct | Direct",
  read_entries: "Direct | Direct | Direct | Direct",
  list_inbox: "Answer | Answer | Answer | Answer",
  remove_inbox: "Edit | Edit | Edit | Edit",
  approve: "Edit | Edit | Edit | Edit",
  fork: "Edit | Edit | Edit | Edit",
  list_visible_pods: "!invalid_request | !already_running | !invalid_request | !invalid_request",
  inspect_pod: "!invalid_request | !already_running | !invalid_request | !invalid_request",
  attach_or_restore_pod: "!invalid_request | !already_running | !invalid_request | Later"
}

const uuid = "0197a1c2-0000-7000-8000-000000000001"
const target = { segment_id: uuid, user_input_entry_index: 0 }
const input = [{ kind: "text", content: "hi" }] as const

const samples: { readonly [Name in MethodName]: Extract<Method, { readonly method: Name }> } = {
  hello: { method: "hello", params: { protocol: 2 } },
  run: { method: "run", params: { input } },
  notify: { method: "notify", params: { message: "m" } },
  pod_event: { method: "pod_event", params: { kind: "turn_ended", pod_name: "child" } },
  resume: { method: "resume" },
  cancel: { method: "cancel" },
  pause: { method: "pause" },
  compact: { method: "compact" },
  list_rewind_targets: { method: "list_rewind_targets" },
  rewind_to: { method: "rewind_to", params: { target, expected_head_entries: 1 } },
  shutdown: { method: "shutdown" },
  list_completions: { method: "list_completions", params: { kind: "file", prefix: "" } },
  list_visible_pods: { method: "list_visible_pods" },
  inspect_pod: { method: "inspect_pod", params: { name: "a" } },
  attach_or_restore_pod: { method: "attach_or_restore_pod", params: { name: "a" } },
  list_inbox: { method: "list_inbox" },
  remove_inbox: { method: "remove_inbox", params: { item_id: uuid } },
  approve: { method: "approve", params: { approval_id: uuid, decision: "allow" } },
  fork: { method: "fork", params: { pod_name: "b" } },
  undo_rewind: { method: "undo_rewind" },
  read_entries: { method: "read_entries", params: { from: 0, limit: 1 } },
  attach_status: { method: "attach_status" }
}

const methodOf = (row: string): Method => {
  const [name, variant] = row.split(" ") as [MethodName, string | undefined]
  const sample = samples[name]
  if (variant === undefined || variant === "held") return sample
  const [key, value] = variant.split("=") as [string, string]
  return {
    ...sample,
    params: { ...("params" in sample ? sample.params : {}), [key]: value === "false" ? false : value }
  } as Method
}

const show = (decision: Decision): string => {
  switch (decision._tag) {
    case "Refuse":
      return `!${decision.code}`
    case "Keep":
      return `Keep ${decision.mode}${decision.wake ? "+turn" : ""}`
    case "Interrupt":
      return `Interrupt ${decision.reason}`
    default:
      return decision._tag
  }
}

const situation = (row: string, phase: Phase) => ({
  phase,
  runId: phase === "idle" ? undefined : "current",
  held: row.endsWith(" held")
})

describe("the state table", () => {
  const cells = methodNames.flatMap((name) => {
    const rows = Object.keys(expected).filter((row) => row.split(" ")[0] === name)
    return (rows.length === 0 ? [name] : rows).flatMap((row) => phases.map((phase, i) => ({ row, phase, i })))
  })

  it.each(cells)("$row while $phase", ({ i, phase, row }) => {
    const wanted = expected[row]?.split(" | ")[i]
    expect(wanted, `the expectation for ${row} while ${phase} is missing`).toBeDefined()
    expect(show(decide(situation(row, phase), methodOf(row)))).toBe(wanted)
  })

  it("has a row for nothing but methods", () => {
    for (const row of Object.keys(expected)) expect(methodNames).toContain(row.split(" ")[0])
  })

  it("every refusal says something that a person can use", () => {
    for (const { phase, row } of cells) {
      const decision = decide(situation(row, phase), methodOf(row))
      if (decision._tag === "Refuse") expect(decision.message.length).toBeGreaterThan(15)
    }
  })

  it("the words that clients of the seed protocol look for are in the refusals", () => {
    const message = (name: MethodName, phase: Phase) => {
      const decision = decide(situation(name, phase), samples[name])
      return decision._tag === "Refuse" ? decision.message : ""
    }
    expect(message("run", "running")).toContain("already executing a turn")
    expect(message("compact", "running")).toContain("compact")
    expect(message("rewind_to", "running")).toContain("compact")
  })

  it("an input that names a workflow is refused before it is recorded", () => {
    const refused = validate({ method: "run", params: { input: [{ kind: "workflow_invoke", slug: "review" }] } })
    expect(refused).toMatchObject({ _tag: "Refuse", code: "invalid_request" })
    expect(validate(samples.run)).toBeUndefined()
  })
})
