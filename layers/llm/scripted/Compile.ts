/** Turns the steps of a call into what the model does: opens and closes blocks, ends the answer. Pure. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent, StopReason } from "../../../src/llm/LlmEvent.ts"
import { durationOf, type ScriptStep } from "./Script.ts"

export type Action =
  | { readonly do: "emit"; readonly events: ReadonlyArray<LlmEvent> }
  | { readonly do: "wait"; readonly millis: number }
  | { readonly do: "gate"; readonly gate: Effect.Effect<void> }
  | { readonly do: "fail"; readonly error: LlmError }

export const compile = (
  steps: ReadonlyArray<ScriptStep>,
  callId: (wanted: string | undefined) => string
): ReadonlyArray<Action> => {
  const out: Array<Action> = []
  let next = 0
  let open: { readonly kind: "text" | "thinking"; readonly index: number } | undefined
  let stop: StopReason = "end_turn"
  const emit = (...events: ReadonlyArray<LlmEvent>) => {
    if (events.length > 0) out.push({ do: "emit", events })
  }
  const close = (signature?: string) => {
    if (open === undefined) return
    emit({ type: "block_stop", index: open.index, ...(signature === undefined ? {} : { signature }) })
    open = undefined
  }
  const say = (kind: "text" | "thinking", text: string) => {
    if (open?.kind !== kind) {
      close()
      open = { kind, index: next++ }
      emit({ type: kind === "text" ? "text_start" : "thinking_start", index: open.index })
    }
    emit({ type: "delta", index: open.index, text })
  }
  /** Something of the answer is out, so a failure is one of the stream. */
  const began = () => out.some((action) => action.do === "emit")

  for (const step of steps) {
    if ("text" in step) say("text", step.text)
    else if ("thinking" in step) {
      say("thinking", step.thinking)
      if (step.signature !== undefined) close(step.signature)
    } else if ("tool" in step) {
      close()
      const index = next++
      const args = step.args ?? {}
      stop = "tool_use"
      emit({ type: "tool_call_start", index, id: callId(step.id), name: step.tool })
      emit({ type: "delta", index, text: typeof args === "string" ? args : JSON.stringify(args) })
      emit({ type: "block_stop", index })
    } else if ("usage" in step) {
      const { cache_read, cache_write, input, output } = step.usage
      emit({
        type: "usage",
        usage: {
          ...(input === undefined ? {} : { inputTokens: input }),
          ...(output === undefined ? {} : { outputTokens: output }),
          ...(cache_read === undefined ? {} : { cacheReadTokens: cache_read }),
          ...(cache_write === undefined ? {} : { cacheWriteTokens: cache_write })
        }
      })
    } else if ("wait" in step) out.push({ do: "wait", millis: millisOf(step.wait) })
    else if ("gate" in step) out.push({ do: "gate", gate: step.gate })
    else if ("stop" in step) stop = step.stop
    else if ("cut" in step) return [...out, { do: "fail", error: error("Cut", "the script cuts the answer here") }]
    else return [...out, { do: "fail", error: failure(step.fail, began()) }]
  }
  close()
  emit({ type: "stop", reason: stop })
  return out
}

const millisOf = (text: string): number =>
  Option.match(durationOf(text), { onNone: () => 0, onSome: Duration.toMillis })

const error = (reason: LlmError["reason"], message: string): LlmError =>
  new LlmError({ reason, provider: "scripted", message: `scripted: ${message}` })

const failure = (
  fail: { readonly status?: number; readonly retry_after?: string; readonly message?: string },
  began: boolean
): LlmError => {
  if (fail.status === undefined) return error(began ? "Cut" : "Connect", fail.message ?? "the connection breaks here")
  return new LlmError({
    reason: began ? "Refused" : "Status",
    provider: "scripted",
    message: `scripted: ${began ? "" : "HTTP "}${fail.status}${fail.message === undefined ? "" : ` ${fail.message}`}`,
    status: fail.status,
    ...(fail.retry_after === undefined ? {} : { retryAfterMs: millisOf(fail.retry_after) })
  })
}
