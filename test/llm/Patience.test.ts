import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { ceiling, retryableStatuses } from "../../src/llm/Backoff.ts"
import { defaultLimits, type Limits } from "../../src/llm/Limits.ts"
import { patient } from "../../src/llm/Patience.ts"
import { answer, emit, fail, fakeClient, headers, request, sleep } from "./fakeClient.ts"

import { run, text } from "./runPatient.ts"

describe("a failure before the answer begins", () => {
  it.effect("is tried again, and each wait is told with status, attempt and time", () =>
    Effect.gen(function* () {
      const fake = fakeClient([fail("Status", { status: 529 })], [sleep(100), fail("Connect")], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(result.error, undefined)
      assert.strictEqual(text(result), "hello")
      assert.deepStrictEqual(
        result.notices.map(({ failedAttempt, maxAttempts, status }) => ({ failedAttempt, maxAttempts, status })),
        [
          { failedAttempt: 1, maxAttempts: 4, status: 529 },
          { failedAttempt: 2, maxAttempts: 4, status: undefined }
        ]
      )
      const [first, second] = result.notices
      assert.strictEqual(first?.elapsedMs, 0)
      assert.strictEqual(second?.elapsedMs, (first?.waitMs ?? 0) + 100)
      assert.strictEqual(result.took, (first?.waitMs ?? 0) + 100 + (second?.waitMs ?? 0))
      assert.strictEqual(fake.open(), 0)
    })
  )

  it.effect("tells before every attempt which one it is", () =>
    Effect.gen(function* () {
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
    })
  )

  it.effect("is final after max_attempts, and says how often and how long it was tried", () =>
    Effect.gen(function* () {
      const fake = fakeClient([fail("Status", { status: 503 })])
      const result = yield* run(fake)
      assert.strictEqual(fake.attempts(), 4)
      assert.strictEqual(result.notices.length, 3)
      assert.strictEqual(result.error?.phase, "request")
      assert.match(result.error?.message ?? "", /^fake Status \(gave up: 4 attempts in [\d.]+ s\)$/)
    })
  )

  for (const status of [400, 401, 403, 404, 409, 413, 422, 501]) {
    it.effect(`is final at once with status ${status}`, () =>
      Effect.gen(function* () {
        const fake = fakeClient([fail("Status", { status })])
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 1)
        assert.strictEqual(result.error?.message, "fake Status")
        assert.strictEqual(result.error?.phase, "request")
      })
    )
  }

  for (const reason of ["Config", "Protocol", "Overflow"] as const) {
    it.effect(`is final at once for ${reason}`, () =>
      Effect.gen(function* () {
        const fake = fakeClient([fail(reason)])
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 1)
        assert.strictEqual(result.error?.reason, reason)
      })
    )
  }

  it.effect("is tried again when the vendor reports overload inside the open stream, after usage alone", () =>
    Effect.gen(function* () {
      const fake = fakeClient(
        [headers, emit({ type: "usage", usage: { inputTokens: 9 } }), fail("Refused", { status: 529 })],
        answer("hello")
      )
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      // The usage of the attempt that failed is not passed on: nobody saw it begin.
      assert.deepStrictEqual(
        result.events.filter((event) => event.type === "usage"),
        [{ type: "usage", usage: { inputTokens: 1 } }]
      )
    })
  )
})

describe("Retry-After", () => {
  it.effect("is waited for to the millisecond, beyond the retry budget", () =>
    Effect.gen(function* () {
      const fake = fakeClient([fail("Status", { status: 429, retryAfterMs: 120_000 })], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.notices[0]?.waitMs, 120_000)
      assert.strictEqual(result.took, 120_000)
    })
  )

  it.effect("does not use up the budget for later attempts", () =>
    Effect.gen(function* () {
      const fake = fakeClient(
        [fail("Status", { status: 429, retryAfterMs: 120_000 })],
        [fail("Status", { status: 500 })],
        answer("hello")
      )
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
    })
  )

  it.effect("longer than max_retry_after ends the call at once and names both", () =>
    Effect.gen(function* () {
      const fake = fakeClient([fail("Status", { status: 429, retryAfterMs: 600_000 })])
      const result = yield* run(fake)
      assert.strictEqual(result.took, 0)
      assert.strictEqual(
        result.error?.message,
        "fake Status (gave up: the server asks to wait 600 s, more than model.limits.max_retry_after (300 s))"
      )
    })
  )
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
      Effect.gen(function* () {
        const limits: Limits = {
          ...defaultLimits,
          max_attempts: numbers.attempts,
          retry_budget: Duration.millis(numbers.budget),
          backoff_base: Duration.millis(numbers.base),
          backoff_cap: Duration.millis(numbers.cap)
        }
        const fake = fakeClient(
          ...failures.map((failure) => [
            headers,
            sleep(failure.afterMs),
            fail(failure.reason, {
              ...(failure.reason === "Status" || failure.reason === "Refused" ? { status: failure.status } : {}),
              ...(failure.reason === "Status" && failure.retryAfterMs !== null
                ? { retryAfterMs: failure.retryAfterMs }
                : {})
            })
          ])
        )
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
    Effect.gen(function* () {
      const once = Effect.map(run(fakeClient([fail("Connect")])), ({ notices }) => notices.map(({ waitMs }) => waitMs))
      const first = yield* once.pipe(Random.withSeed("a"))
      assert.deepStrictEqual(yield* once.pipe(Random.withSeed("a")), first)
      const waits = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n),
        (n) => Effect.map(once.pipe(Random.withSeed(n)), ([wait]) => wait ?? 0)
      )
      assert.isBelow(Math.min(...waits), 50)
      assert.isAbove(Math.max(...waits), 450)
      assert.isAtMost(Math.max(...waits), 500)
    })
  )
})
