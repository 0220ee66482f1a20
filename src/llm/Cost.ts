/** What one call cost, by a vendor's list of prices. */
import { dollars } from "../protocol/Spending.ts"
import type { LlmUsage } from "./LlmEvent.ts"

/** US dollars per million tokens. Cached parts of a prompt without a price of their own cost as the rest of it. */
export interface Prices {
  readonly input: number
  readonly output: number
  readonly cache_read?: number
  readonly cache_write?: number
  /** Tokens of a prompt up to which these prices hold. */
  readonly up_to?: number
}

/** US dollars. Undefined where prices are not known or the vendor has reported nothing: a cost is never a guess. */
export const costOf = (prices: Prices | undefined, usage: LlmUsage): number | undefined => {
  const { cacheReadTokens: read = 0, cacheWriteTokens: written = 0, inputTokens, outputTokens } = usage
  if (prices === undefined || (inputTokens === undefined && outputTokens === undefined)) return undefined
  const prompt = inputTokens ?? 0
  if (prompt > (prices.up_to ?? Number.POSITIVE_INFINITY)) return undefined
  // The prompt is counted whole; a server that reports more of it as cached than there is gets no negative rest.
  const fresh = Math.max(0, prompt - read - written)
  const { cache_read = prices.input, cache_write = prices.input, input, output } = prices
  return dollars((fresh * input + read * cache_read + written * cache_write + (outputTokens ?? 0) * output) / 1_000_000)
}
