/**
 * Turns a client that makes one attempt into one that waits, gives up in time and tries again.
 *
 *   attempt ─ headers ─ first event ─ answer begins ─ … ─ stop
 *   └── fails here: tried again, every wait observed ──┘└── fails here: an error of phase `stream`, never tried again
 *
 * An answer has begun with the first event that carries something; usage and empty text are held back until then, so
 * a repeated attempt is invisible downstream. All time is `Clock`, all chance is `Random`. Interrupting the stream in
 * any phase closes the connection; when the interrupt returns, no fiber and no connection of the call is left.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Backoff from "./Backoff.ts"
import type { Limits } from "./Limits.ts"
import type { LlmClient } from "./LlmClient.ts"
import { type LlmError, revise } from "./LlmError.ts"
import type { LlmEvent } from "./LlmEvent.ts"
import type { LlmRequest } from "./LlmRequest.ts"
import * as TimedFlow from "./TimedFlow.ts"

/** One failed attempt and the wait that follows it. Times in milliseconds; `elapsedMs` since the first attempt. */
export interface RetryNotice {
  /** Counted from 1. */
  readonly failedAttempt: number
  readonly maxAttempts: number
  readonly waitMs: number
  readonly elapsedMs: number
  readonly status?: number
  readonly error: string
}

/** Runs before each wait. */
export type Observe = (notice: RetryNotice) => Effect.Effect<void>

export type { Limits } from "./Limits.ts"

/** Runs before each attempt, the first included; counted from 1. */
export type BeforeAttempt = (attempt: number) => Effect.Effect<void>

/** Fails with an `LlmError` whose `phase` is set. */
export const patient =
  (client: LlmClient["Service"], limits: Limits, observe: Observe, beforeAttempt: BeforeAttempt = () => Effect.void) =>
  (request: LlmRequest): Stream.Stream<LlmEvent, LlmError> =>
    Stream.unwrap(open(client, limits, observe, beforeAttempt, request))

/** Succeeds with the rest of the answer once it has begun. */
const open = Effect.fnUntraced(function* (
  client: LlmClient["Service"],
  limits: Limits,
  observe: Observe,
  beforeAttempt: BeforeAttempt,
  request: LlmRequest
) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const now = () => millis(clock)
  const started = now()
  let asked = 0
  let empties = 0
  for (let attempt = 1; ; attempt++) {
    yield* beforeAttempt(attempt)
    // A scope for each attempt: what a failed one opened is closed before the wait, not after the call.
    const attemptScope = yield* Scope.fork(scope)
    const begun = yield* Effect.result(TimedFlow.begin(client, limits, request).pipe(Scope.provide(attemptScope)))
    if (Result.isSuccess(begun)) return begun.success
    yield* Scope.close(attemptScope, Exit.void)

    const error = begun.failure
    if (error.reason === "Empty") empties++
    const elapsedMs = now() - started
    const jitter = yield* Random.next
    const verdict = Backoff.judge(limits, { error, attempt, empties, spentMs: elapsedMs - asked, jitter })
    if (!verdict.again) return yield* finalError(error, attempt, elapsedMs, verdict.why)
    if (verdict.asked) asked += verdict.waitMs
    yield* observe({
      failedAttempt: attempt,
      maxAttempts: limits.max_attempts,
      waitMs: verdict.waitMs,
      elapsedMs,
      ...(error.status === undefined ? {} : { status: error.status }),
      error: error.message
    })
    yield* Effect.sleep(verdict.waitMs)
  }
})

const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

const finalError = (error: LlmError, attempts: number, elapsedMs: number, why: string | undefined): LlmError => {
  const effort = attempts === 1 ? [] : [`${attempts} attempts in ${Backoff.seconds(elapsedMs)}`]
  const reasons = [...effort, ...(why === undefined ? [] : [why])]
  return revise(error, {
    phase: "request",
    message: reasons.length === 0 ? error.message : `${error.message} (gave up: ${reasons.join("; ")})`
  })
}
