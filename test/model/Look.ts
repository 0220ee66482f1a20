/** Looks at a pod in the words of the model. */
import * as Effect from "effect/Effect"
import type { LlmMessage } from "../../src/llm/LlmRequest.ts"
import type { Answer } from "../../src/pod/PodHandle.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import type { Method } from "../../src/protocol/Method.ts"
import type { RewindTarget } from "../../src/protocol/Rewind.ts"
import type { open } from "../support/podBench.ts"
import type { ProbeCall } from "../support/ProbeModel.ts"
import type { Message } from "./Seen.ts"

export type Bench = Effect.Success<ReturnType<typeof open>>

/** The texts of the pod itself, by what they say. */
const interruptedBy = (body: string): string =>
  body.includes("by the user")
    ? "user"
    : body.includes("in an error")
      ? "failure"
      : body.includes("process ended")
        ? "crash"
        : body

const howAnswered = (summary: string): string => {
  if (summary === "rested") return "ok"
  if (summary === "[Interrupted by user]") return "stopped"
  if (summary.startsWith("[Interrupted before its result]")) return "cut"
  if (summary.startsWith("[Not run]")) return "not run"
  if (summary.startsWith("[Outcome unknown]")) return "unknown"
  return summary
}

const wordsOf = (segments: ReadonlyArray<unknown>): string =>
  (segments as ReadonlyArray<{ readonly content: string }>).map(({ content }) => content).join("")

const entryOf = (entry: LogEntry): object => {
  switch (entry.kind) {
    case "segment_start":
      return { is: "start" }
    case "extension":
      return { is: entry.domain === "pod.scope" ? "scope" : "foreign" }
    case "invoke":
      return { is: "invoke", by: entry.trigger }
    case "user_input":
      return { is: "input", text: wordsOf(entry.segments), run: entry.run_id }
    case "system_item": {
      const item = entry.item as { readonly kind: string; readonly message?: string; readonly body: string }
      return item.kind === "notification"
        ? { is: "note", text: item.message }
        : { is: "interrupt", by: interruptedBy(item.body) }
    }
    case "assistant_item":
      return entry.item.kind === "tool_call"
        ? { is: "call", id: entry.item.call_id }
        : { is: "said", text: textOf(entry.item) }
    case "llm_usage":
      return { is: "usage" }
    case "tool_result":
      return { is: "result", id: entry.item.call_id, how: howAnswered(entry.item.summary) }
    case "turn_end":
      return { is: "turn end" }
    case "run_completed":
    case "run_errored": {
      const { outcome } = entry
      const crash = outcome?.by_crash === true || outcome?.result === "interrupted"
      return { is: "end", run: entry.run_id, leg: entry.leg, result: outcome?.result, crash }
    }
    default:
      return { is: entry.kind }
  }
}

const textOf = (item: object): string =>
  (item as { readonly content: ReadonlyArray<{ readonly text: string }> }).content.map(({ text }) => text).join("")

const messagesOf = (message: LlmMessage): ReadonlyArray<Message> => {
  switch (message.role) {
    case "user":
      return [{ user: message.text }]
    case "system": {
      const { text } = message
      if (text.startsWith("[Notification]\n")) return [{ note: text.split("\n")[1] as string }]
      if (text.startsWith("[The answer above is incomplete")) return [{ more: true }]
      return [{ interrupted: interruptedBy(text) }]
    }
    case "assistant": {
      const calls = message.blocks.flatMap((block) => (block.kind === "tool_call" ? [block.id] : []))
      const texts = message.blocks.flatMap((block) => (block.kind === "text" ? [block.text] : []))
      return [...texts.map((said) => ({ said })), ...(calls.length === 0 ? [] : [{ calls }])]
    }
    case "tool":
      return [{ results: message.results.map(({ id, text }) => `${id} ${howAnswered(text)}`) }]
  }
}

/** One method and its answer, which must come while nothing but the pod moves. */
export const ask = Effect.fnUntraced(function* ({ handle }: Bench, method: Method) {
  const given: Array<Answer> = []
  yield* handle.submit(method, (answer) => {
    given.push(answer)
  })
  yield* Effect.sleep(20)
  return given
})

const targetOf = ({ eligible, id, preview, truncate_entries, turn_index, warning }: RewindTarget) => ({
  segment: id.segment_id,
  entry: id.user_input_entry_index,
  left: truncate_entries,
  ordinal: turn_index,
  eligible,
  text: preview,
  warns: warning !== undefined
})

/** `call` is the model's newest call. */
export const look = Effect.fnUntraced(function* (bench: Bench, call: ProbeCall | undefined) {
  const { handle, model } = bench
  const status = yield* handle.status
  const [listed] = yield* ask(bench, { method: "list_rewind_targets" })
  const [inbox] = yield* ask(bench, { method: "list_inbox" })
  const { entries } = yield* handle.readEntries(0, 1_000)
  const items = inbox?.ok === true ? (inbox.result["items"] as unknown as ReadonlyArray<Record<string, unknown>>) : []
  const targets = listed?.ok === true ? (listed.result["targets"] as unknown as ReadonlyArray<RewindTarget>) : []
  return {
    status,
    held: (yield* handle.waitingOn)?.kind === "inbox_held",
    inbox: items.map(({ item_id, key, kind, mode, preview, run_id }) => ({
      id: item_id,
      kind,
      mode,
      run: run_id,
      text: preview,
      key
    })),
    segment: yield* handle.segmentId,
    log: entries.map((text) => entryOf(JSON.parse(text) as LogEntry)),
    targets: listed?.ok === false ? listed.error.code : targets.map(targetOf),
    request: model.open() === 0 ? null : (call?.request.messages.flatMap(messagesOf) ?? null)
  }
})
