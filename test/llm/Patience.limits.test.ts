import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { defaultLimits } from "../../src/llm/Limits.ts"
import { patient } from "../../src/llm/Patience.ts"
import { answer, emit, fail, fakeClient, hang, headers, keepAlive, request, sleep } from "./fakeClient.ts"

import { run, text } from "./runPatient.ts"

describe("time limits", () => {
  it.effect("no headers within header_timeout", () =>
    Effect.gen(function* () {
      const fake = fakeClient([hang], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.notices[0]?.elapsedMs, 20_000)
      assert.match(result.notices[0]?.error ?? "", /no answer for 20 s/)
    })
  )

  it.effect("no event within first_event_timeout of the headers, keep-alives or not", () =>
    Effect.gen(function* () {
      const fake = fakeClient([sleep(5_000), headers, sleep(20_000), keepAlive, hang], answer("hello"))
      const result = yield* run(fake)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.notices[0]?.elapsedMs, 35_000)
      assert.match(result.notices[0]?.error ?? "", /no event after the headers for 30 s/)
    })
  )

  it.effect("silence mid-answer for idle_timeout is an error that says what had come, and is not tried again", () =>
    Effect.gen(function* () {
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
    })
  )

  it.effect("keep-alives hold off idle_timeout, but not for ever", () =>
    Effect.gen(function* () {
      const pings = Array.from({ length: 100 }, () => [sleep(60_000), keepAlive]).flat()
      const fake = fakeClient([headers, emit({ type: "thinking_start", index: 0 }), ...pings, hang])
      const result = yield* run(fake)
      assert.strictEqual(result.error?.reason, "Timeout")
      assert.strictEqual(result.took, Duration.toMillis(defaultLimits.stall_timeout))
    })
  )

  it.effect("a slow reader is not the vendor's silence", () =>
    Effect.gen(function* () {
      const deltas = Array.from({ length: 600 }, (_, n) => emit({ type: "delta", index: 0, text: `${n % 10}` }))
      const fake = fakeClient([
        headers,
        emit({ type: "text_start", index: 0 }),
        ...deltas,
        emit({ type: "stop", reason: "end_turn" })
      ])
      let count = 0
      const fiber = yield* patient(
        fake.client,
        defaultLimits,
        () => Effect.void
      )(request).pipe(
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
    })
  )

  it.effect("a connection that stays open after the end mark ends the answer after a moment", () =>
    Effect.gen(function* () {
      const fake = fakeClient([...answer("hello"), hang])
      const result = yield* run(fake)
      assert.strictEqual(result.error, undefined)
      assert.strictEqual(text(result), "hello")
      assert.strictEqual(result.took, 1_000)
      assert.strictEqual(fake.open(), 0)
    })
  )
})

describe("an answer that breaks off", () => {
  it.effect("after it began is Cut, with what had come, and is not tried again", () =>
    Effect.gen(function* () {
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
    })
  )

  it.effect("before it began is tried again", () =>
    Effect.gen(function* () {
      const fake = fakeClient([headers, fail("Cut")], answer("hello"))
      assert.strictEqual(text(yield* run(fake)), "hello")
    })
  )
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
      Effect.gen(function* () {
        const fake = fakeClient(steps)
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 2)
        assert.strictEqual(result.error?.reason, "Empty")
        assert.strictEqual(result.error?.phase, "request")
        assert.deepStrictEqual(result.events, [])
        assert.strictEqual(text(yield* run(fakeClient(steps, answer("hello")))), "hello")
      })
    )
  }

  it.effect("with a reason to be empty is an answer", () =>
    Effect.gen(function* () {
      for (const reason of ["refusal", "max_tokens", "context_overflow", "pause"] as const) {
        const fake = fakeClient([headers, emit({ type: "stop", reason })])
        const result = yield* run(fake)
        assert.strictEqual(fake.attempts(), 1)
        assert.deepStrictEqual(result.events, [{ type: "stop", reason }])
      }
    })
  )
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
      Effect.gen(function* () {
        const fake = fakeClient(steps)
        const fiber = yield* patient(
          fake.client,
          defaultLimits,
          () => Effect.void
        )(request).pipe(Stream.runDrain, Effect.forkChild)
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
      })
    )
  }

  it.effect("by a reader that has enough closes the connection", () =>
    Effect.gen(function* () {
      const fake = fakeClient([...answer("x").slice(0, 4), hang])
      const events = yield* patient(
        fake.client,
        defaultLimits,
        () => Effect.void
      )(request).pipe(Stream.take(2), Stream.runCollect)
      assert.strictEqual(events.length, 2)
      assert.strictEqual(fake.open(), 0)
    })
  )

  it.effect("inside the observer of a wait ends the call", () =>
    Effect.gen(function* () {
      const fake = fakeClient([fail("Connect")])
      const reached = yield* Deferred.make<void>()
      const fiber = yield* patient(fake.client, defaultLimits, () =>
        Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      )(request).pipe(Stream.runDrain, Effect.forkChild)
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(fake.attempts(), 1)
    })
  )
})
