/**
 * One generation: ask the model, let clients watch, and commit what came back, whole or not at all.
 *
 * A response that was cut or cancelled leaves nothing in the journal, so that nothing of it can come back later.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LlmEvent, LlmUsage, StopReason } from "../llm/LlmEvent.ts"
import type { LlmRequest } from "../llm/LlmRequest.ts"
import { patient, type RetryNotice } from "../llm/Patience.ts"
import * as Response from "../llm/Response.ts"
import { transcript } from "../llm/Transcript.ts"
import { addCall } from "../llm/Usage.ts"
import type { BroadcastEvent } from "../protocol/Event.ts"
import type { ToolCallItem } from "../protocol/Item.ts"
import type { Step } from "../session/Journal.ts"
import * as Blocks from "./Blocks.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"
import { ofLlm, ofStorage, overflow, type RunFailure } from "./RunFailure.ts"
import { badArguments as answerTo, resultStep } from "./ToolResults.ts"

export interface ModelResponse {
  /** The model asked for tools. */
  readonly usesTools: boolean
  /** Calls that are not answered yet. */
  readonly calls: ReadonlyArray<ToolCallItem>
  readonly stop: StopReason
}

export const modelCall = Effect.fn("ModelCall.run")(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number
): Effect.fn.Return<ModelResponse, RunFailure> {
  const { journal } = services
  const request = yield* assemble(services)
  if (request === "too_long") return yield* overflow("the conversation is longer than the model's context window")
  const llmCall = journal.live.llmCalls
  yield* journal.emit({ event: "llm_call_start", data: { llm_call: llmCall } })
  const response = yield* receive(services, progress, llmCall, request)
  const stop = response.stop()?.reason ?? "end_turn"
  if (stop === "context_overflow") return yield* overflow("the model ran out of context window while it answered")
  const items = response.items()
  const ours = { turn, run_id: progress.runId, leg: progress.leg }
  const steps: Array<Step> = [
    { emit: { event: "llm_call_end", data: { llm_call: llmCall } } },
    { emit: { event: "turn_end", data: { turn, result: "finished" } } }
  ]
  for (const { block, item } of items) steps.push({ kind: "assistant_item", item, block, ...ours })
  const usage = response.usage()
  if (isReported(usage)) {
    steps.push({
      kind: "llm_usage",
      history_len: journal.state.history.length,
      input_total_tokens: usage.inputTokens ?? 0,
      cache_read_tokens: usage.cacheReadTokens ?? 0,
      cache_write_tokens: usage.cacheWriteTokens ?? 0,
      output_tokens: usage.outputTokens ?? 0,
      ...ours
    })
  }
  // In one batch with the call: what was logged in place of bad arguments can then never be taken for a call to run.
  const calls: Array<ToolCallItem> = []
  for (const { badArguments, item } of items) {
    if (item.kind !== "tool_call") continue
    if (badArguments === undefined) calls.push(item)
    else steps.push(resultStep(progress, turn, item, answerTo(item.name, badArguments)))
  }
  yield* Effect.mapError(journal.commit(steps, false), ofStorage)
  yield* Effect.logDebug("model answered", { turn, stop, items: items.length, calls: calls.length })
  return { usesTools: items.some(({ item }) => item.kind === "tool_call"), calls, stop }
})

/**
 * Puts the request together. This is where compaction will have its say: a context that is known not to fit is
 * answered here, before anything is sent.
 */
const assemble = (services: LegServices): Effect.Effect<LlmRequest | "too_long", RunFailure> => {
  const { state } = services.journal
  return state.history.items.pipe(
    Effect.map((history) => ({
      system: state.systemPrompt,
      messages: transcript(history),
      tools: services.toolbox.specs,
      config: services.config,
      cacheKey: services.journal.segmentId() ?? ""
    })),
    Effect.mapError(ofStorage)
  )
}

const receive = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  llmCall: number,
  request: LlmRequest
) {
  const { journal } = services
  const blocks = Blocks.make()
  const response = Response.make()
  const onEvents = (events: ReadonlyArray<LlmEvent>): Effect.Effect<void> => {
    const seen: Array<BroadcastEvent> = []
    for (const event of events) {
      response.push(event)
      seen.push(...blocks.push(event))
    }
    if (blocks.active()) progress.active = true
    return seen.length === 0 ? Effect.void : journal.emit(...seen)
  }
  const waiting = Effect.map(Clock.currentTimeMillis, (now) => journal.setWaitingOn({ kind: "model", since_ms: now }))
  yield* patient(
    services.client,
    services.limits,
    onRetry(services, llmCall),
    () => waiting
  )(request).pipe(
    Stream.runForEachArray(onEvents),
    Effect.mapError((error) => ofLlm(error, error.phase ?? "request")),
    // Also for a response that was cut or cancelled: its tokens were spent.
    Effect.ensuring(Effect.suspend(() => reportUsage(services, progress, response.usage())))
  )
  journal.setWaitingOn(null)
  return response
})

const onRetry =
  (services: LegServices, llmCall: number) =>
  (notice: RetryNotice): Effect.Effect<void> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      services.journal.setWaitingOn({ kind: "retry", since_ms: now, until_ms: now + notice.waitMs })
      yield* services.journal.emit({
        event: "llm_retry",
        data: {
          llm_call: llmCall,
          failed_attempt: notice.failedAttempt,
          max_attempts: notice.maxAttempts,
          wait_ms: notice.waitMs,
          elapsed_ms: notice.elapsedMs,
          ...(notice.status === undefined ? {} : { status: notice.status }),
          error: notice.error
        }
      })
      yield* Effect.logInfo("model call failed, trying again", {
        attempt: notice.failedAttempt,
        wait_ms: notice.waitMs,
        error: notice.error
      })
    })

const isReported = (usage: LlmUsage): boolean => usage.inputTokens !== undefined || usage.outputTokens !== undefined

const reportUsage = (services: LegServices, progress: LegProgress, usage: LlmUsage): Effect.Effect<void> => {
  progress.usage = addCall(progress.usage, usage)
  return isReported(usage)
    ? services.journal.emit({
        event: "usage",
        data: {
          input_tokens: usage.inputTokens ?? null,
          output_tokens: usage.outputTokens ?? null,
          ...(usage.cacheReadTokens === undefined ? {} : { cache_read_input_tokens: usage.cacheReadTokens })
        }
      })
    : Effect.void
}
