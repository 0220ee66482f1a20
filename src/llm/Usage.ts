/** Sums of tokens as vendors report them. What a vendor does not report stays unknown, and counts as nothing in a sum. */
import type { RunUsage } from "../protocol/LogEntry.ts"
import type { LlmUsage } from "./LlmEvent.ts"

/** Within one call: a later report replaces an earlier one field by field. */
export const merge = (earlier: LlmUsage, later: LlmUsage): LlmUsage => ({ ...earlier, ...later })

/** Over the calls of a leg. `usage` is the last word of one call. */
export const addCall = (sum: RunUsage, usage: LlmUsage): RunUsage => ({
  ...sum,
  llm_calls: sum.llm_calls + 1,
  input_tokens: sum.input_tokens + (usage.inputTokens ?? 0),
  output_tokens: sum.output_tokens + (usage.outputTokens ?? 0),
  cache_read_input_tokens: sum.cache_read_input_tokens + (usage.cacheReadTokens ?? 0),
  cache_write_input_tokens: sum.cache_write_input_tokens + (usage.cacheWriteTokens ?? 0)
})
