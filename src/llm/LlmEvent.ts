/**
 * What comes back from a model, in no vendor's dialect.
 *
 * Blocks are told apart by `index`, which is unique within one response: deltas of several blocks may interleave.
 * A complete response ends with exactly one `stop`; a stream that ends without it was cut.
 */
export type StopReason = "end_turn" | "tool_use" | "max_tokens" | "refusal" | "pause" | "context_overflow"

export type LlmEvent =
  /** `refusal`: the text says that the model will not do it, told apart from an answer by the vendor. */
  | { readonly type: "text_start"; readonly index: number; readonly refusal?: boolean }
  /** `of`: it is no thought, but holds what its maker wants to see again on that block, and nothing without it. */
  | { readonly type: "thinking_start"; readonly index: number; readonly of?: number }
  | { readonly type: "tool_call_start"; readonly index: number; readonly id: string; readonly name: string }
  /** A piece of text, of thinking or of the call's JSON arguments, depending on the block. */
  | { readonly type: "delta"; readonly index: number; readonly text: string }
  | {
      readonly type: "block_stop"
      readonly index: number
      readonly signature?: string
      readonly encrypted?: string
    }
  /** Totals for this call as known so far; a later one replaces an earlier one field by field. */
  | { readonly type: "usage"; readonly usage: LlmUsage }
  /** `detail` is the vendor's own word on it, for people. */
  | { readonly type: "stop"; readonly reason: StopReason; readonly detail?: string }

/** Tokens of one call. `inputTokens` is the whole prompt, cached parts included. Unknown is absent, never guessed. */
export interface LlmUsage {
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cacheReadTokens?: number
  readonly cacheWriteTokens?: number
}
