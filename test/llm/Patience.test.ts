import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { ceiling, retryableStatuses } from "../../src/llm/Backoff.ts"
import { defaultLimits, type Limits } from "../../src/llm/Limits.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { patient, type RetryNotice } from "../../src/llm/Patience.ts"
import { answer, emit, type Fake, fail, fakeClient, hang, headers, keepAlive, request, sleep } from "./fakeClient.ts"

interface Run {
  readonly events: ReadonlyArray<LlmEvent>
  readonly error: LlmError | undefined
  readonly notices: ReadonlyArray<RetryNotice>
  /** Virtual milliseconds from start to end. */
  readonly took: number
}

/** Runs one call to its end, however long that is. */
const run = Effect.fnUntraced(function*(fake: Fake, limits: Limits = defaultLimits) {
  const notices: Array<RetryNotice> = []
  const events: Array<LlmEvent> = []
  const started = yield* Clock.currentTimeMillis
  let ended = started
  const fiber = yield* patient(fake.client, limits, (notice) => Effect.sync(() => notices.push(notice)))(request).pipe(
    Stream.runForEach((event) => Effect.sync(() => events.push(event))),
    Effect.onExit(() => Effect.map(Clock.currentTimeMillis, (now) => ended = now)),
    Effect.forkChild
  )
  yield* TestClock.adjust("2 hours")
  const exit = yield* Fiber.await(fiber)
  const error = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
  const result: Run = { events, error, notices, took: ended - started }
  return result
})

const text = (run: Run): string =>
  run.events.flatMap((event) => event.type === "delta" ? [event.text] : []).join("")

describe("a failure before the answer begins", () => {
  it.effect("is tried again, and each wait is told with status, attempt and time", () =>
    Effect.gen(function*() {
      const fake = fakeClient([fail("Status", { status: 529 })], [sleep(100), fail("Connect")], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(result.error, undefined)
      assert.strictEqual(text(result), "hello")
      assert.deepStrictEqual(
        result.notices.map(({ failedAttempt, maxAttempts, status }) => ({ failedAttempt, maxAttempts, status })),
        [{ failedAttempt: 1, maxAttempts: 4, status: 529 }, { failedAttempt: 2, maxAttempts: 4, status: undefined }]
      )
      const [first, second] = result.notices
      assert.strictEqual(first?.elapsedMs, 0)
      assert.strictEqual(second?.elapsedMs, (first?.waitMs ?? 0) + 100)
      assert.strictEqual(result.took, (first?.waitMs ?? 0) + 100 + (second?.waitMs ?? 0))
      assert.strictEqual(fake.open(), 0)
    }))

  it.effect("tells before every attempt which one it is", () =>
    Effect.gen(function*() {
      const fake = fakeClient([fail("Connect")], answer("hello"))
      const attempts: Array<number> = []
      const fiber = yield* patient(
        fake.client,
        defaultLimits,
        () => Effect.void,
        (attempt) => Effect.sync(() => attempts.push(attempt))
      )(request).pipe(Stream.runDrain, Effect.forkChild)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(attempts, [1, 2])
    }))

  it.effect("is final after max_attempts, and says how often and how long it was tried", () =>
    Effect.gen(function*() {
      const fake = fakeClient([fail("Status", { status: 503 })])
      const result = yield* run(fake)
      assert.strictEqual(fake.attempts(), 4)
      assert.strictEqual(result.notices.length, 3)
      assert.strictEqual(result.error?.phase, "request")
      assert.match(result.error?.message ?? "", /^fake Status \(gave up: 4 attempts in [\d.]+ s\)$/)
    }))

  for (const status of [400, 401, 403, 404, 409, 413, 422, 501]) {
    it.effect(`is final at once with status ${status}`, () =>
      Effect.gen(function*() {
        const fake = fakeClient([fail("Status", { status })])
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 1)
        assert.strictEqual(result.error?.message, "fake Status")
        assert.strictEqual(result.error?.phase, "request")
      }))
  }

  for (const reason of ["Config", "Protocol", "Overflow"] as const) {
    it.effect(`is final at once for ${reason}`, () =>
      Effect.gen(function*() {
        const fake = fakeClient([fail(reason)])
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 1)
        assert.strictEqual(result.error?.reason, reason)
      }))
  }

  it.effect("is tried again when the vendor reports overload inside the open stream, after usage alone", () =>
    Effect.gen(function*() {
      const fake = fakeClient(
        [headers, emit({ type: "usage", usage: { inputTokens: 9 } }), fail("Refused", { status: 529 })],
        answer("hello")
      )
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      // The usage of the attempt that failed is not passed on: nobody saw it begin.
      assert.deepStrictEqual(result.events.filter((event) => event.type === "usage"), [
        { type: "usage", usage: { inputTokens: 1 } }
      ])
    }))
})

describe("Retry-After", () => {
  it.effect("is waited for to the millisecond, beyond the retry budget", () =>
    Effect.gen(function*() {
      const fake = fakeClient([fail("Status", { status: 429, retryAfterMs: 120_000 })], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.notices[0]?.waitMs, 120_000)
      assert.strictEqual(result.took, 120_000)
    }))

  it.effect("does not use up the budget for later attempts", () =>
    Effect.gen(function*() {
      const fake = fakeClient(
        [fail("Status", { status: 429, retryAfterMs: 120_000 })],
        [fail("Status", { status: 500 })],
        answer("hello")
      )
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
    }))

  it.effect("longer than max_retry_after ends the call at once and names both", () =>
    Effect.gen(function*() {
      const fake = fakeClient([fail("Status", { status: 429, retryAfterMs: 600_000 })])
      const result = yield* run(fake)
      assert.strictEqual(result.took, 0)
      assert.strictEqual(
        result.error?.message,
        "fake Status (gave up: the server asks to wait 600 s, more than model.limits.max_retry_after (300 s))"
      )
    }))
})

describe("time limits", () => {
  it.effect("no headers within header_timeout", () =>
    Effect.gen(function*() {
      const fake = fakeClient([hang], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.notices[0]?.elapsedMs, 20_000)
      assert.match(result.notices[0]?.error ?? "", /no answer for 20 s/)
    }))

  it.effect("no event within first_event_timeout of the headers, keep-alives or not", () =>
    Effect.gen(function*() {
      const fake = fakeClient([sleep(5_000), headers, sleep(20_000), keepAlive, hang], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.notices[0]?.elapsedMs, 35_000)
      assert.match(result.notices[0]?.error ?? "", /no event after the headers for 30 s/)
    }))

  it.effect("silence mid-answer for idle_timeout is an error that says what had come, and is not tried again", () =>
    Effect.gen(function*() {
      const fake = fakeClient([
        headers,
        emit({ type: "text_start", index: 0 }),
        emit({ type: "delta", index: 0, text: "hello" }),
        emit({ type: "tool_call_start", index: 1, id: "c", name: "Read" }),
        hang
      ])
      const result = yield* run(fake)
      assert.strictEqual(fake.attempts(), 1)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.error?.reason, "Timeout")
      assert.strictEqual(result.error?.phase, "stream")
      assert.strictEqual(
        result.error?.message,
        "fake (fake-1): silence for 90 s; 5 characters of text, 1 tool call had arrived"
      )
      assert.strictEqual(result.took, 90_000)
      assert.strictEqual(fake.open(), 0)
    }))

  it.effect("keep-alives hold off idle_timeout, but not for ever", () =>
    Effect.gen(function*() {
      const pings = Array.from({ length: 100 }, () => [sleep(60_000), keepAlive]).flat()
      const fake = fakeClient([headers, emit({ type: "thinking_start", index: 0 }), ...pings, hang])
      const result = yield* run(fake)
      assert.strictEqual(result.error?.reason, "Timeout")
      assert.strictEqual(result.took, Duration.toMillis(defaultLimits.stall_timeout))
    }))

  it.effect("a slow reader is not the vendor's silence", () =>
    Effect.gen(function*() {
      const deltas = Array.from({ length: 600 }, (_, n) => emit({ type: "delta", index: 0, text: `${n % 10}` }))
      const fake = fakeClient([
        headers,
        emit({ type: "text_start", index: 0 }),
        ...deltas,
        emit({ type: "stop", reason: "end_turn" })
      ])
      let count = 0
      const fiber = yield* patient(fake.client, defaultLimits, () => Effect.void)(request).pipe(
        Stream.runForEach((event) =>
          event.type === "delta" && count++ % 100 === 0 ? Effect.sleep("10 minutes") : Effect.void
        ),
        Effect.forkChild
      )
      // The client is ahead of the reader by as much as it may be, and waits for it.
      while (fake.played() < 256) yield* Effect.yieldNow
      yield* TestClock.adjust("2 hours")
      yield* Fiber.join(fiber)
      assert.strictEqual(count, 600)
    }))

  it.effect("a connection that stays open after the end mark ends the answer after a moment", () =>
    Effect.gen(function*() {
      const fake = fakeClient([...answer("hello"), hang])
      const result = yield* run(fake)
      assert.strictEqual(result.error, undefined)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.took, 1_000)
      assert.strictEqual(fake.open(), 0)
    }))
})

describe("an answer that breaks off", () => {
  it.effect("after it began is Cut, with what had come, and is not tried again", () =>
    Effect.gen(function*() {
      const fake = fakeClient([
        headers,
        emit({ type: "thinking_start", index: 0 }),
        emit({ type: "delta", index: 0, text: "hm" })
      ])
      const result = yield* run(fake)
      assert.strictEqual(fake.attempts(), 1)
      assert.strictEqual(result.error?.reason, "Cut")
      assert.strictEqual(result.error?.phase, "stream")
      assert.match(result.error?.message ?? "", /2 characters of thinking had arrived$/)
    }))

  it.effect("before it began is tried again", () =>
    Effect.gen(function*() {
      const fake = fakeClient([headers, fail("Cut")], answer("hello"))
      assert.strictEqual(text(yield* run(fake)), "hello")
    }))
})

describe("an empty answer", () => {
  const nothing = [
    [headers],
    [headers, emit({ type: "usage", usage: { inputTokens: 5, outputTokens: 0 } })],
    [headers, emit({ type: "stop", reason: "end_turn" })],
    [
      headers,
      emit({ type: "text_start", index: 0 }),
      emit({ type: "delta", index: 0, text: "" }),
      emit({ type: "block_stop", index: 0 }),
      emit({ type: "stop", reason: "end_turn" })
    ]
  ] as const
  for (const [n, steps] of nothing.entries()) {
    it.effect(`is tried once more and then an error (${n})`, () =>
      Effect.gen(function*() {
        const fake = fakeClient(steps)
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 2)
        assert.strictEqual(result.error?.reason, "Empty")
        assert.strictEqual(result.error?.phase, "request")
        assert.deepStrictEqual(result.events, [])
        assert.strictEqual(text(yield* run(fakeClient(steps, answer("hello")))), "hello")
      }))
  }

  it.effect("with a reason to be empty is an answer", () =>
    Effect.gen(function*() {
      for (const reason of ["refusal", "max_tokens", "context_overflow", "pause"] as const) {
        const fake = fakeClient([headers, emit({ type: "stop", reason })])
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 1)
        assert.deepStrictEqual(result.events, [{ type: "stop", reason }])
      }
    }))
})

describe("cancelling", () => {
  const phases = {
    "while waiting for headers": [hang],
    "before the first event": [headers, hang],
    "after usage alone": [headers, emit({ type: "usage", usage: {} } as const), hang],
    "mid-stream": [headers, emit({ type: "text_start", index: 0 }), emit({ type: "delta", index: 0, text: "x" }), hang],
    "while the connection lingers": [...answer("x"), hang],
    "in a retry wait": [fail("Status", { status: 429, retryAfterMs: 60_000 })]
  }
  for (const [phase, steps] of Object.entries(phases)) {
    it.effect(`${phase} leaves no connection and no timer`, () =>
      Effect.gen(function*() {
        const fake = fakeClient(steps)
        const fiber = yield* patient(fake.client, defaultLimits, () => Effect.void)(request).pipe(
          Stream.runDrain,
          Effect.forkChild
        )
        yield* TestClock.adjust(100)
        assert.strictEqual(fake.attempts(), 1)
        assert.strictEqual(fake.open(), phase === "in a retry wait" ? 0 : 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(fake.open(), 0)
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.hasInterrupts(exit))
        // Had a fiber or a timer survived, it would try again or fail now.
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(fake.attempts(), 1)
      }))
  }

  it.effect("by a reader that has enough closes the connection", () =>
    Effect.gen(function*() {
      const fake = fakeClient([...answer("x").slice(0, 4), hang])
      const events = yield* patient(fake.client, defaultLimits, () => Effect.void)(request).pipe(
        Stream.take(2),
        Stream.runCollect
      )
      assert.strictEqual(events.length, 2)
      assert.strictEqual(fake.open(), 0)
    }))

  it.effect("inside the observer of a wait ends the call", () =>
    Effect.gen(function*() {
      const fake = fakeClient([fail("Connect")])
      const reached = yield* Deferred.make<void>()
      const fiber = yield* patient(
        fake.client,
        defaultLimits,
        () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      )(request).pipe(Stream.runDrain, Effect.forkChild)
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(fake.attempts(), 1)
    }))
})

const Failure = Schema.Struct({
  afterMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 25_000 })),
  reason: Schema.Literals(["Connect", "Status", "Refused", "Cut", "Empty", "Timeout", "Protocol"]),
  status: Schema.Literals([400, 408, 425, 429, 500, 502, 503, 504, 529]),
  retryAfterMs: Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400_000 })))
})

const Numbers = Schema.Struct({
  attempts: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
  budget: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60_000 })),
  base: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2_000 })),
  cap: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20_000 })),
  seed: Schema.Int
})

describe("for any sequence of failures", () => {
  it.effect.prop(
    "attempts, waits and totals stay within the declared limits",
    [Schema.Array(Failure).check(Schema.isMinLength(1), Schema.isMaxLength(8)), Numbers],
    ([failures, numbers]) =>
      Effect.gen(function*() {
        const limits: Limits = {
          ...defaultLimits,
          max_attempts: numbers.attempts,
          retry_budget: Duration.millis(numbers.budget),
          backoff_base: Duration.millis(numbers.base),
          backoff_cap: Duration.millis(numbers.cap)
        }
        const fake = fakeClient(...failures.map((failure) => [
          headers,
          sleep(failure.afterMs),
          fail(failure.reason, {
            ...(failure.reason === "Status" || failure.reason === "Refused" ? { status: failure.status } : {}),
            ...(failure.reason === "Status" && failure.retryAfterMs !== null
              ? { retryAfterMs: failure.retryAfterMs }
              : {})
          })
        ]))
        const { error, events, notices, took } = yield* run(fake, limits).pipe(Random.withSeed(numbers.seed))
        assert.deepStrictEqual(events, [])
        assert.isDefined(error)
        assert.isAtMost(fake.attempts(), limits.max_attempts)
        assert.strictEqual(notices.length, fake.attempts() - 1)
        assert.strictEqual(fake.open(), 0)
        let asked = 0
        for (const notice of notices) {
          const failure = failures[Math.min(notice.failedAttempt - 1, failures.length - 1)]
          if (failure?.reason === "Status" && failure.retryAfterMs !== null) {
            assert.strictEqual(notice.waitMs, failure.retryAfterMs)
            assert.isAtMost(notice.waitMs, Duration.toMillis(limits.max_retry_after))
            asked += notice.waitMs
          } else {
            assert.isAtMost(notice.waitMs, ceiling(limits, notice.failedAttempt))
            assert.isAtMost(notice.elapsedMs - asked + notice.waitMs, numbers.budget)
          }
          if (notice.status !== undefined) assert.isTrue(retryableStatuses.has(notice.status))
        }
        const longestAttempt = 25_000
        assert.isAtMost(took, Math.max(numbers.budget, longestAttempt * numbers.attempts) + asked + longestAttempt)
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect("the same seed gives the same waits, and they are spread over the whole range", () =>
    Effect.gen(function*() {
      const once = Effect.map(run(fakeClient([fail("Connect")])), ({ notices }) => notices.map(({ waitMs }) => waitMs))
      const first = yield* once.pipe(Random.withSeed("a"))
      assert.deepStrictEqual(yield* once.pipe(Random.withSeed("a")), first)
      const waits = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n),
        (n) => Effect.map(once.pipe(Random.withSeed(n)), (waits) => waits[0] ?? 0)
      )
      assert.isBelow(Math.min(...waits), 50)
      assert.isAbove(Math.max(...waits), 450)
      assert.isAtMost(Math.max(...waits), 500)
    }))
})
