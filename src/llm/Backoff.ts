/**
 * Whether a failed attempt is worth another one, and how long to wait before it. Pure: time and chance come in.
 *
 * A wait that the server asks for is honoured to the millisecond, also beyond the retry budget, up to
 * `max_retry_after`. All other waits are drawn from [0, min(cap, base · 2^k)] and stay within the budget.
 */
import * as Duration from "effect/Duration"
import { defaultLimits, type Limits } from "./Limits.ts"
import type { LlmError } from "./LlmError.ts"

/** HTTP statuses that say "later" and not "never". 529 is Anthropic's "overloaded". */
export const retryableStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504, 529])

/** True for a failure that may be gone at the next attempt, provided that nothing of the answer was passed on. */
export const isTransient = (error: LlmError): boolean => {
  switch (error.reason) {
    case "Connect":
    case "Timeout":
    case "Cut":
    case "Empty":
      return true
    case "Status":
    case "Refused":
      return error.status !== undefined && retryableStatuses.has(error.status)
    case "Config":
    case "Protocol":
    case "Overflow":
      return false
  }
}

/** True for a failure that is the endpoint's, so that another model may do what this one cannot. */
export const mayBeElsewhere = (error: LlmError): boolean => error.reason !== "Empty" && isTransient(error)

export interface FailedAttempt {
  readonly error: LlmError
  /** Counted from 1. */
  readonly attempt: number
  /** How many attempts of this call, this one included, ended with an empty answer. */
  readonly empties: number
  /** Since the start of the first attempt, without the waits that the server asked for. */
  readonly spentMs: number
  /** In [0, 1). */
  readonly jitter: number
}

export type Verdict =
  | { readonly again: true; readonly waitMs: number; readonly asked: boolean }
  | { readonly again: false; readonly why: string | undefined }

const giveUp = (why?: string): Verdict => ({ again: false, why })

/** The upper bound of the back-off after the given attempt (from 1), in milliseconds. */
export const ceiling = (limits: Limits, attempt: number): number =>
  Math.min(
    Duration.toMillis(limits.backoff_cap ?? defaultLimits.backoff_cap),
    Duration.toMillis(limits.backoff_base ?? defaultLimits.backoff_base) * 2 ** (attempt - 1)
  )

export const judge = (limits: Limits, failed: FailedAttempt): Verdict => {
  const { attempt, error } = failed
  if (!isTransient(error)) return giveUp()
  if (attempt >= limits.max_attempts) return giveUp()
  if (error.reason === "Empty" && failed.empties > 1) return giveUp()
  if (error.retryAfterMs !== undefined) {
    const most = Duration.toMillis(limits.max_retry_after)
    return error.retryAfterMs <= most
      ? { again: true, waitMs: Math.max(0, Math.round(error.retryAfterMs)), asked: true }
      : giveUp(
          `the server asks to wait ${seconds(error.retryAfterMs)}, more than model.limits.max_retry_after (${seconds(most)})`
        )
  }
  const waitMs = Math.floor(failed.jitter * (ceiling(limits, attempt) + 1))
  return failed.spentMs + waitMs <= Duration.toMillis(limits.retry_budget)
    ? { again: true, waitMs, asked: false }
    : giveUp(`model.limits.retry_budget (${seconds(Duration.toMillis(limits.retry_budget))}) is used up`)
}

/** `1.5 s`, for people. */
export const seconds = (millis: number): string => `${Number((millis / 1000).toFixed(1))} s`
