/** Everything that can go wrong with a model call, sorted by what the caller can do about it. */
import * as Schema from "effect/Schema"

/**
 * * `Config`: cannot work as configured (key missing, unknown scheme). No retry.
 * * `Connect`: no answer came at all.
 * * `Status`: the server answered with an HTTP error. Retried for 408 425 429 500 502 503 504 529.
 * * `Timeout`: one of the declared limits ran out.
 * * `Cut`: the stream ended or broke before its end mark.
 * * `Protocol`: the answer is not what this vendor sends (HTML, bad JSON, bad order).
 * * `Refused`: the vendor reported an error inside an open stream.
 * * `Overflow`: the request does not fit the model's context window.
 * * `Empty`: the answer came and ended with nothing in it. Tried once more, then an error.
 */
export const LlmErrorReason = Schema.Literals([
  "Config",
  "Connect",
  "Status",
  "Timeout",
  "Cut",
  "Protocol",
  "Refused",
  "Overflow",
  "Empty"
])
export type LlmErrorReason = typeof LlmErrorReason.Type

/**
 * Where the call was: `request` until the answer began (nothing of it was passed on), then `stream`.
 * Set by `Patience`; a client that makes one attempt leaves it out.
 */
export const LlmErrorPhase = Schema.Literals(["request", "stream"])
export type LlmErrorPhase = typeof LlmErrorPhase.Type

/** `retryAfterMs` is what the server asked us to wait. Never holds a key, a header or a body beyond 2 KiB. */
export class LlmError extends Schema.TaggedError<LlmError>()("LlmError", {
  reason: LlmErrorReason,
  message: Schema.String,
  provider: Schema.String,
  status: Schema.optionalKey(Schema.Int),
  retryAfterMs: Schema.optionalKey(Schema.Int),
  hint: Schema.optionalKey(Schema.String),
  phase: Schema.optionalKey(LlmErrorPhase)
}) {}

/** The same error, told with more or other detail. */
export const revise = (error: LlmError, changes: Partial<Pick<LlmError, "message" | "hint" | "phase">>): LlmError =>
  new LlmError({
    reason: error.reason,
    message: error.message,
    provider: error.provider,
    ...(error.status === undefined ? {} : { status: error.status }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.phase === undefined ? {} : { phase: error.phase }),
    ...changes
  })
