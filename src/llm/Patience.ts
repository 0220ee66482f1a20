/**
 * Turns a client that makes one attempt into one that waits, gives up in time and tries again.
 *
 *   attempt ─ headers ─ first event ─ answer begins ─ … ─ stop
 *   └── fails here: tried again, every wait observed ──┘└── fails here: an error of phase `stream`, never tried again
 *
 * An answer has begun with the first event that carries something; usage and empty text are held back until then, so
 * a repeated attempt is invisible downstream. All time is `Clock`, all chance is `Random`. Interrupting the stream in
 * any phase closes the connection; when the interrupt returns, no fiber and no connection of the call is left.
 * Before each attempt stands the endpoint's gate; what is waited for there is no part of the retry budget.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Backoff from "./Backoff.ts"
import type { Gate, GateNotice } from "./Gate.ts"
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

export interface Surroundings {
  /** Runs before a wait at the endpoint's gate. */
  readonly onGate?: (notice: GateNotice) => Effect.Effect<void>
  /** There is another model to turn to. */
  readonly hasElsewhere?: boolean
}

/** Fails with an `LlmError` whose `phase` is set. */
export const patient =
  (
    client: LlmClient["Service"],
    limits: Limits,
    observe: Observe,
    beforeAttempt: BeforeAttempt = () => Effect.void,
    surroundings: Surroundings = {}
  ) =>
  (request: LlmRequest): Stream.Stream<LlmEvent, LlmError> =>
    Stream.unwrap(open(client, limits, observe, beforeAttempt, surroundings, request))

/** Succeeds with the rest of the answer once it has begun. */
const open = Effect.fnUntraced(function* (
  client: LlmClient["Service"],
  limits: Limits,
  observe: Observe,
  beforeAttempt: BeforeAttempt,
  surroundings: Surroundings,
  request: LlmRequest
) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const now = () => millis(clock)
  const visitor = {
    limits,
    hasElsewhere: surroundings.hasElsewhere ?? false,
    onWait: surroundings.onGate ?? (() => Effect.void)
  }
  const started = now()
  let asked = 0
  let empties = 0
  for (let attempt = 1; ; attempt++) {
    // A scope for each attempt: what a failed one opened is closed before the wait, not after the call.
    const attemptScope = yield* Scope.fork(scope)
    const came = now()
    const entered = yield* Effect.result((client.gate ?? openGate).enter(visitor).pipe(Scope.provide(attemptScope)))
    if (Result.isFailure(entered)) return yield* finalError(entered.failure, attempt - 1, now() - started, undefined)
    asked += now() - came
    const pass = entered.success
    yield* beforeAttempt(attempt)
    const begun = yield* Effect.result(TimedFlow.begin(client, limits, request).pipe(Scope.provide(attemptScope)))
    if (Result.isSuccess(begun)) {
      pass.succeeded()
      return begun.success
    }
    const error = begun.failure
    pass.failed(error)
    yield* Scope.close(attemptScope, Exit.void)

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

const openGate: Gate = {
  enter: () => Effect.succeed({ succeeded: () => {}, failed: () => {} })
}

const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

const finalError = (error: LlmError, attempts: number, elapsedMs: number, why: string | undefined): LlmError => {
  const effort = attempts <= 1 ? [] : [`${attempts} attempts in ${Backoff.seconds(elapsedMs)}`]
  const reasons = [...effort, ...(why === undefined ? [] : [why])]
  return revise(error, {
    phase: "request",
    message: reasons.length === 0 ? error.message : `${error.message} (gave up: ${reasons.join("; ")})`
  })
}
