/** Answers of a model in parts, for tests of how they end: what is sent, what it comes to, what is left of it. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { LlmError, type LlmErrorReason } from "../../src/llm/LlmError.ts"
import type { LlmEvent, StopReason } from "../../src/llm/LlmEvent.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { fresh } from "./podBench.ts"
import { fileOf, rest } from "./podBench.ts"
import type { ProbeCall } from "./ProbeModel.ts"

export const text = (said: string, index = 0): ReadonlyArray<LlmEvent> => [
  { type: "text_start", index },
  { type: "delta", index, text: said }
]
export const closed = (index = 0): LlmEvent => ({ type: "block_stop", index })
export const stop = (reason: StopReason): LlmEvent => ({ type: "stop", reason })
export const usage = (outputTokens: number): LlmEvent => ({ type: "usage", usage: { inputTokens: 10, outputTokens } })
export const failure = (reason: LlmErrorReason, status?: number) =>
  new LlmError({ reason, provider: "probe", message: `probe ${reason}`, ...(status === undefined ? {} : { status }) })

/** Breaks the call off, and lets the wait behind it pass. */
export const cut = (call: ProbeCall, reason: LlmErrorReason = "Cut") =>
  Effect.gen(function* () {
    yield* rest
    yield* call.fail(failure(reason))
    yield* rest
    yield* TestClock.adjust("11 seconds")
  })

/** An answer with its end mark. The connection stays so a moment passes before it is closed. */
export const whole = (call: ProbeCall, ...events: ReadonlyArray<LlmEvent>) =>
  Effect.gen(function* () {
    yield* call.push(...events)
    yield* rest
    yield* TestClock.adjust("1 second")
  })

export const shown = (events: ReadonlyArray<Envelope>) =>
  events.map((event) => (event.event === "text_delta" ? event.data.text : "")).join("")

export const texts = (bench: Effect.Success<ReturnType<typeof fresh>>) =>
  fileOf(bench.memory, bench.ref).flatMap((entry) =>
    entry.kind === "assistant_item" && entry.item.kind === "message" ? entry.item.content : []
  )
