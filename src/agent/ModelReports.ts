/** What clients and the journal are told about a model call beside its answer: waits, and what it took and cost. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { costOf } from "../llm/Cost.ts"
import type { GateNotice } from "../llm/Gate.ts"
import { type ModelInfo, nameOf } from "../llm/LlmClient.ts"
import type { LlmUsage } from "../llm/LlmEvent.ts"
import type { Prefix } from "../llm/Prefix.ts"
import type { RetryNotice } from "../llm/Patience.ts"
import { addCall } from "../llm/Usage.ts"
import type { Step } from "../session/Journal.ts"
import { type LegProgress, type LegServices, warn } from "./LegContext.ts"
import { ofStorage, type RunFailure } from "./RunFailure.ts"

export const onRetry =
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

/** Other pods use the same endpoint, or have found it broken. */
export const onGate =
  (services: LegServices) =>
  (notice: GateNotice): Effect.Effect<void> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      services.journal.setWaitingOn({
        kind: "retry",
        since_ms: now,
        ...(notice.waitMs === undefined ? {} : { until_ms: now + Math.ceil(notice.waitMs) })
      })
      yield* warn(services, notice.message)
      yield* Effect.logInfo(notice.message)
    })

const isReported = (usage: LlmUsage): boolean => usage.inputTokens !== undefined || usage.outputTokens !== undefined

/** None for a call whose vendor reported nothing. */
export const usageSteps = (
  { client, journal }: LegServices,
  { leg, runId }: LegProgress,
  turn: number,
  usage: LlmUsage,
  info: ModelInfo,
  prefix?: Prefix
): ReadonlyArray<Step> => {
  const cost = costOf(info.prices, usage)
  return isReported(usage)
    ? [
        {
          kind: "llm_usage",
          history_len: journal.state.history.length,
          input_total_tokens: usage.inputTokens ?? 0,
          cache_read_tokens: usage.cacheReadTokens ?? 0,
          cache_write_tokens: usage.cacheWriteTokens ?? 0,
          output_tokens: usage.outputTokens ?? 0,
          ...(cost === undefined ? {} : { cost_usd: cost }),
          ...(prefix === undefined ? {} : { prefix }),
          ...(info === client.info ? {} : { model: nameOf(info) }),
          turn,
          run_id: runId,
          leg
        }
      ]
    : []
}

/** At once: the tokens were spent, whatever becomes of the answer. */
export const recordUsage = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number,
  usage: LlmUsage,
  info: ModelInfo
): Effect.fn.Return<void, RunFailure> {
  const steps = usageSteps(services, progress, turn, usage, info)
  if (steps.length > 0) yield* Effect.mapError(services.journal.commit(steps, false), ofStorage)
})

export const reportUsage = (
  services: LegServices,
  progress: LegProgress,
  usage: LlmUsage,
  info: ModelInfo
): Effect.Effect<void> => {
  const cost = costOf(info.prices, usage)
  progress.usage = addCall(progress.usage, usage, cost)
  return isReported(usage)
    ? services.journal.emit({
        event: "usage",
        data: {
          input_tokens: usage.inputTokens ?? null,
          output_tokens: usage.outputTokens ?? null,
          ...(usage.cacheReadTokens === undefined ? {} : { cache_read_input_tokens: usage.cacheReadTokens }),
          ...(cost === undefined ? {} : { cost_usd: cost })
        }
      })
    : Effect.void
}
