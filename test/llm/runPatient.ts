/** Runs a patient call under the test clock, however long it takes, and tells what came of it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { defaultLimits, type Limits } from "../../src/llm/Limits.ts"
import type { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { patient, type RetryNotice } from "../../src/llm/Patience.ts"
import { type Fake, request } from "./fakeClient.ts"

export interface Outcome {
  readonly events: ReadonlyArray<LlmEvent>
  readonly error: LlmError | undefined
  readonly notices: ReadonlyArray<RetryNotice>
  /** Virtual milliseconds from start to end. */
  readonly took: number
}

/** Runs one call to its end, however long that is. */
export const run = Effect.fnUntraced(function* (fake: Fake, limits: Limits = defaultLimits) {
  const notices: Array<RetryNotice> = []
  const events: Array<LlmEvent> = []
  const started = yield* Clock.currentTimeMillis
  let ended = started
  const fiber = yield* patient(fake.client, limits, (notice) => Effect.sync(() => notices.push(notice)))(request).pipe(
    Stream.runForEach((event) => Effect.sync(() => events.push(event))),
    Effect.onExit(() => Effect.map(Clock.currentTimeMillis, (now) => (ended = now))),
    Effect.forkChild
  )
  yield* TestClock.adjust("2 hours")
  const exit = yield* Fiber.await(fiber)
  const error = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
  const result: Outcome = { events, error, notices, took: ended - started }
  return result
})

export const text = (outcome: Outcome): string =>
  outcome.events.flatMap((event) => (event.type === "delta" ? [event.text] : [])).join("")
