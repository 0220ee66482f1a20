/** Sums of tokens as vendors report them. What a vendor does not report stays unknown, and counts as nothing in a sum. */
import type { RunUsage } from "../protocol/LogEntry.ts"
import { addUsage } from "../protocol/Spending.ts"
import type { LlmUsage } from "./LlmEvent.ts"

/** Within one call: a later report replaces an earlier one field by field. */
export const merge = (earlier: LlmUsage, later: LlmUsage): LlmUsage => ({ ...earlier, ...later })

/** Over the calls of a leg. `usage` is the last word of one call, `costUsd` what it cost if that is known. */
export const addCall = (sum: RunUsage, usage: LlmUsage, costUsd?: number): RunUsage =>
  addUsage(sum, {
    llm_calls: 1,
    input_tokens: usage.inputTokens ?? 0,
    output_tokens: usage.outputTokens ?? 0,
    cache_read_input_tokens: usage.cacheReadTokens ?? 0,
    cache_write_input_tokens: usage.cacheWriteTokens ?? 0,
    ...(costUsd === undefined ? {} : { cost_usd: costUsd })
  })
