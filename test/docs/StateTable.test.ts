import { expect, it } from "vitest"
import { decide, type Decision, type Phase, phases } from "../../src/pod/Decide.ts"
import { type Method, methodNames } from "../../src/protocol/Method.ts"
import { read } from "./markdown.ts"

/** A row of the table: what it is called, and the parameters that make it differ from the method's other rows. */
interface Row {
  readonly title: string
  readonly method: Method
  readonly held?: boolean
}

const target = { segment_id: "s", user_input_entry_index: 0 }
const input = [{ kind: "text", content: "hi" }] as const

const rows: ReadonlyArray<Row> = [
  { title: "`run`", method: { method: "run", params: { input } } },
  { title: '`run`, `delivery: "queue"`', method: { method: "run", params: { input, delivery: "queue" } } },
  { title: '`run`, `delivery: "steer"`', method: { method: "run", params: { input, delivery: "steer" } } },
  { title: "`notify`", method: { method: "notify", params: { message: "m" } } },
  { title: "`notify`, `wake: false`", method: { method: "notify", params: { message: "m", wake: false } } },
  { title: "`pod_event`", method: { method: "pod_event", params: { kind: "turn_ended", pod_name: "p" } } },
  {
    title: "`pod_event`, `scope_sub_delegated`",
    method: {
      method: "pod_event",
      params: { kind: "scope_sub_delegated", parent_pod: "p", sub_pod: "s", sub_socket: "/s", scope: [] }
    }
  },
  { title: "`resume`", method: { method: "resume" } },
  { title: "`resume`, inbox held", method: { method: "resume" }, held: true },
  { title: "`pause`", method: { method: "pause" } },
  { title: "`cancel`", method: { method: "cancel" } },
  { title: "`cancel`, another `run_id`", method: { method: "cancel", params: { run_id: "other" } } },
  { title: "`shutdown`", method: { method: "shutdown" } },
  { title: "`list_inbox`", method: { method: "list_inbox" } },
  { title: "`read_entries`", method: { method: "read_entries", params: { from: 0, limit: 1 } } },
  { title: "`attach_status`", method: { method: "attach_status" } },
  { title: "`list_completions`", method: { method: "list_completions", params: { kind: "file", prefix: "" } } },
  { title: "`hello`", method: { method: "hello", params: { protocol: 2 } } },
  { title: "`compact`", method: { method: "compact" } },
  { title: "`list_rewind_targets`", method: { method: "list_rewind_targets" } },
  { title: "`rewind_to`", method: { method: "rewind_to", params: { target, expected_head_entries: 0 } } },
  { title: "`undo_rewind`", method: { method: "undo_rewind" } },
  { title: "`remove_inbox`", method: { method: "remove_inbox", params: { item_id: "i" } } },
  { title: "`approve`", method: { method: "approve", params: { approval_id: "a", decision: "allow" } } },
  { title: "`fork`", method: { method: "fork", params: { pod_name: "p" } } },
  { title: "`list_visible_pods`", method: { method: "list_visible_pods" } },
  { title: "`inspect_pod`", method: { method: "inspect_pod", params: { name: "p" } } },
  { title: "`attach_or_restore_pod`", method: { method: "attach_or_restore_pod", params: { name: "p" } } }
]

const word = (decision: Decision): string => {
  switch (decision._tag) {
    case "Start":
      return "starts a run"
    case "Keep":
      return `inbox (${decision.mode})${decision.wake ? ", starts a turn" : ""}`
    case "NextLeg":
      return "next leg"
    case "Release":
      return "lets the inbox flow"
    case "Interrupt":
      return "interrupts the leg"
    case "Abandon":
      return "ends the run"
    case "Stop":
      return "stops the pod"
    case "Answer":
      return "answers"
    case "Edit":
      return "does it"
    case "Direct":
      return "the connection answers"
    case "Nothing":
      return "nothing to do"
    case "Later":
      return "waits"
    case "AbortCompaction":
      return "aborts it"
    case "Refuse":
      return decision.message.includes("not available") ? "not yet" : `refuses: \`${decision.code}\``
  }
}

const cell = ({ held = false, method }: Row, phase: Phase): string =>
  word(decide({ phase, runId: phase === "idle" ? undefined : "current", held }, method))

it("docs/architecture.md has the state table as it is decided", () => {
  expect(new Set(rows.map(({ method }) => method.method))).toEqual(new Set(methodNames))
  const table = [
    `| method | ${phases.join(" | ")} |`,
    `| --- |${" --- |".repeat(phases.length)}`,
    ...rows.map((row) => `| ${row.title} | ${phases.map((phase) => cell(row, phase)).join(" | ")} |`)
  ]
  const start = table[0] as string
  const page = read("docs/architecture.md")
  expect(page).toContain(start)
  expect(page.slice(page.indexOf(start)).split("\n").slice(0, table.length)).toEqual(table)
})
