/** One endpoint and many who want something of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Gate from "../../src/llm/Gate.ts"
import * as Gates from "../../src/llm/Gates.ts"
import { defaultLimits, type Limits } from "../../src/llm/Limits.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { patient, type Surroundings } from "../../src/llm/Patience.ts"
import { request } from "./fakeClient.ts"

const overloaded = (retryAfterMs?: number) =>
  new LlmError({
    reason: "Status",
    status: retryAfterMs === undefined ? 529 : 429,
    provider: "fake",
    message: "busy",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })

const bad = new LlmError({ reason: "Status", status: 400, provider: "fake", message: "bad" })

const words: ReadonlyArray<LlmEvent> = [
  { type: "text_start", index: 0 },
  { type: "delta", index: 0, text: "hi" },
  { type: "stop", reason: "end_turn" }
]

interface Arrival {
  readonly who: string
  readonly at: number
}

/** A server that answers after a second, or as it is told. */
const server = (gate: Gate.Gate, answer: (arrival: Arrival, n: number) => LlmError | undefined) => {
  const arrivals: Array<Arrival> = []
  let open = 0
  let most = 0
  const visit = (who: string, surroundings: Surroundings = {}, limits: Limits = defaultLimits) =>
    patient(
      {
        gate,
        info: { provider: "fake", model: "fake-1", contextWindow: 1000 },
        stream: () =>
          Stream.unwrap(
            Effect.gen(function* () {
              const arrival = { who, at: yield* Clock.currentTimeMillis }
              const n = arrivals.push(arrival)
              open++
              most = Math.max(most, open)
              yield* Effect.addFinalizer(() => Effect.sync(() => open--))
              yield* Effect.sleep("1 second")
              const error = answer(arrival, n)
              return error === undefined ? Stream.fromIterable(words) : Stream.fail(error)
            })
          )
      },
      limits,
      () => Effect.void,
      undefined,
      surroundings
    )(request).pipe(Stream.runDrain)
  return { arrivals, visit, most: () => most }
}

const names = Array.from({ length: 100 }, (_, n) => `pod-${n}`)

describe("a server that asks to wait", () => {
  it.effect("is waited for by all, who then go one after the other in the order in which they came", () =>
    Effect.gen(function* () {
      const gate = Gate.make("host")
      const { arrivals, visit } = server(gate, (_, n) => (n === 1 ? overloaded(60_000) : undefined))
      const told: Array<Gate.GateNotice> = []
      const first = yield* Effect.forkChild(visit("first"))
      yield* TestClock.adjust("2 seconds")
      const fibers = yield* Effect.forEach(names, (name) =>
        Effect.forkChild(visit(name, { onGate: (notice) => Effect.sync(() => told.push(notice)) }), {
          startImmediately: true
        })
      )
      yield* TestClock.adjust("58 seconds")
      assert.deepStrictEqual(arrivals, [{ who: "first", at: 0 }])
      assert.strictEqual(told.length, 100)
      assert.deepStrictEqual(told[0], {
        waitMs: 59_000,
        message: "host asks to wait 59 s; requests go one after the other"
      })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(first)
      for (const fiber of fibers) yield* Fiber.join(fiber)
      const later = arrivals.slice(1)
      assert.deepStrictEqual(
        later.map(({ who }) => who).filter((who) => who !== "first"),
        names
      )
      later.forEach(({ at }, n) => {
        assert.isAtLeast(at, 61_000)
        assert.isAbove(at, later[n - 1]?.at ?? 0, "not two at once")
      })
    })
  )

  it.effect("lets everybody pass again when an answer has begun and nobody waits", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), (_, n) => (n === 1 ? overloaded(5_000) : undefined))
      yield* Effect.forkChild(visit("first"))
      yield* TestClock.adjust("10 seconds")
      yield* Effect.forkChild(Effect.forEach(names, (name) => visit(name), { concurrency: "unbounded" }))
      yield* TestClock.adjust("0 millis")
      assert.strictEqual(arrivals.length, 102)
    })
  )

  it.effect("an answer that began before it asked does not open the gate", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), ({ who }) =>
        who === "busy" ? overloaded(60_000) : undefined
      )
      yield* Effect.forkChild(visit("busy"))
      yield* TestClock.adjust("500 millis")
      yield* Effect.forkChild(visit("before"))
      yield* TestClock.adjust("5 seconds")
      yield* Effect.forkChild(visit("after"))
      yield* TestClock.adjust("50 seconds")
      assert.deepStrictEqual(
        arrivals.map(({ who }) => who),
        ["busy", "before"]
      )
    })
  )

  it.effect("one who stops waiting is gone at once, and the next takes the place", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), (_, n) => (n === 1 ? overloaded(60_000) : undefined))
      yield* Effect.forkChild(visit("first"))
      yield* TestClock.adjust("2 seconds")
      const a = yield* Effect.forkChild(visit("a"), { startImmediately: true })
      const b = yield* Effect.forkChild(visit("b"), { startImmediately: true })
      const c = yield* Effect.forkChild(visit("c"), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(a)
      yield* Fiber.interrupt(b)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(c)
      assert.deepStrictEqual(arrivals.map(({ who }) => who).toSorted(), ["c", "first", "first"])
    })
  )

  it.effect("for longer than max_retry_after is not waited for by those who come later either", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), () => overloaded(600_000))
      yield* Effect.forkChild(Effect.exit(visit("first")))
      yield* TestClock.adjust("2 seconds")
      const error = yield* Effect.flip(visit("second"))
      assert.match(error.message, /host asks to wait 599 s.*max_retry_after is 300 s/)
      assert.strictEqual(arrivals.length, 1)
    })
  )
})

describe("an endpoint that fails again and again", () => {
  it.effect("is left alone by all, then tried with one request at a time, until one comes through", () =>
    Effect.gen(function* () {
      let broken = true
      const { arrivals, visit } = server(Gate.make("host"), () => (broken ? overloaded() : undefined))
      const fibers = yield* Effect.forEach(names, (name) => Effect.forkChild(Effect.exit(visit(name))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(arrivals.length, 100, "nobody knew")
      yield* TestClock.adjust("30 seconds")
      const probes = arrivals.slice(100)
      assert.isAbove(probes.length, 1)
      assert.isBelow(probes.length, 12)
      probes.forEach(({ at }, n) => {
        if (n > 0) assert.isAtLeast(at - (probes[n - 1]?.at ?? 0), 1_000 + 1_000 * 2 ** n * 0.5, `rest ${n}`)
      })
      broken = false
      yield* TestClock.adjust("5 minutes")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.isAbove(exits.filter(Exit.isSuccess).length, 90)
    })
  )

  it.effect("is not waited for by who has another model", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), () => overloaded())
      yield* Effect.forkChild(Effect.forEach(names.slice(0, 5), (name) => Effect.exit(visit(name)), { concurrency: 5 }))
      yield* TestClock.adjust("1 second")
      const error = yield* Effect.flip(visit("other", { hasElsewhere: true }))
      assert.match(error.message, /host has failed 5 times in a row/)
      assert.strictEqual(arrivals.length, 5)
    })
  )

  it.effect("but answers, if only with a refusal, is not left alone", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), (_, n) => (n % 5 === 0 ? bad : overloaded()))
      yield* Effect.forkChild(
        Effect.forEach(names.slice(0, 20), (name) =>
          Effect.exit(visit(name, {}, { ...defaultLimits, max_attempts: 1 }))
        )
      )
      yield* TestClock.adjust("21 seconds")
      assert.strictEqual(arrivals.length, 20)
    })
  )

  it.effect("a probe that is taken back leaves its turn to the next", () =>
    Effect.gen(function* () {
      const { arrivals, visit } = server(Gate.make("host"), (_, n) => (n <= 5 ? overloaded() : undefined))
      const once = { ...defaultLimits, max_attempts: 1 }
      yield* Effect.forEach(names.slice(0, 5), (name) => Effect.forkChild(Effect.exit(visit(name, {}, once))))
      yield* TestClock.adjust("1 second")
      const probe = yield* Effect.forkChild(visit("probe"), { startImmediately: true })
      const next = yield* Effect.forkChild(visit("next"), { startImmediately: true })
      while (arrivals.length < 6) yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(probe)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(next)
      assert.deepStrictEqual(
        arrivals.slice(5).map(({ who }) => who),
        ["probe", "next"]
      )
    })
  )
})

describe("the gates of a process", () => {
  it("are one for each endpoint and key", () => {
    const gates = Gates.make()
    const key = Redacted.make("k")
    assert.strictEqual(gates.at("a", key), gates.at("a", Redacted.make("k")))
    assert.notStrictEqual(gates.at("a", key), gates.at("b", key))
    assert.notStrictEqual(gates.at("a", key), gates.at("a", undefined))
  })
})

describe("for any sequence of answers and visitors", () => {
  const Answer = Schema.Literals(["fine", "busy", "asks", "bad"])
  it.effect.prop(
    "everybody gets an end within bounds, and what was asked for is kept",
    [
      Schema.Array(Answer).check(Schema.isMinLength(1), Schema.isMaxLength(30)),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
      Schema.Int
    ],
    ([answers, visitors, seed]) =>
      Effect.gen(function* () {
        const asks: Array<{ readonly from: number; readonly to: number }> = []
        const { arrivals, visit } = server(Gate.make("host"), ({ at }, n) => {
          switch (answers[(n - 1) % answers.length]) {
            case "asks":
              asks.push({ from: at + 1_000, to: at + 21_000 })
              return overloaded(20_000)
            case "busy":
              return overloaded()
            case "bad":
              return bad
            default:
              return undefined
          }
        })
        const fibers = yield* Effect.forEach(names.slice(0, visitors), (name, n) =>
          Effect.forkChild(Effect.exit(Effect.delay(visit(name), n * 700)))
        )
        yield* TestClock.adjust("1 hour")
        for (const fiber of fibers) assert.isDefined(fiber.pollUnsafe(), "somebody waits for ever")
        assert.isAtMost(arrivals.length, visitors * defaultLimits.max_attempts)
        for (const { at } of arrivals) assert.isFalse(asks.some(({ from, to }) => from < at && at < to))
      }).pipe(Random.withSeed(seed)),
    { arbitrary: { runs: 60 } }
  )

  interface Visit {
    readonly comes: number
    /** Gives up so long after it came. */
    readonly leaves: number | undefined
    readonly takes: number
    readonly error: LlmError | undefined
  }

  /** Mostly trouble, so that the endpoint is left alone and tried. */
  const drawVisit = Effect.gen(function* () {
    const luck = yield* Random.nextIntBetween(0, 9)
    return {
      comes: yield* Random.nextIntBetween(0, 20_000),
      leaves: (yield* Random.nextBoolean) ? yield* Random.nextIntBetween(0, 10_000) : undefined,
      takes: yield* Random.nextIntBetween(0, 5_000),
      error: luck < 6 ? overloaded() : [undefined, undefined, bad, overloaded(20_000)][luck - 6]
    } satisfies Visit
  })

  it.effect.prop(
    "who waits goes on in order of arrival, and who gives up, wherever that is, keeps nobody waiting",
    [Schema.Int],
    ([seed]) =>
      Effect.gen(function* () {
        const visits = yield* Effect.all(Array.from({ length: 40 }, () => drawVisit))
        const gate = Gate.make("host")
        const waited: Array<number> = []
        const passed: Array<number> = []
        const visit = (n: number, { error, takes }: Pick<Visit, "error" | "takes">) =>
          Effect.gen(function* () {
            const onWait = () => Effect.sync(() => void waited.push(n))
            const pass = yield* gate.enter({ limits: defaultLimits, hasElsewhere: false, onWait })
            passed.push(n)
            yield* Effect.sleep(takes)
            if (error === undefined) pass.succeeded()
            else pass.failed(error)
          }).pipe(Effect.scoped)
        const fibers = yield* Effect.forEach(visits, (each, n) =>
          Effect.forkChild(
            Effect.delay(
              each.leaves === undefined ? visit(n, each) : Effect.timeoutOption(visit(n, each), each.leaves),
              each.comes
            )
          )
        )
        yield* TestClock.adjust("1 hour")
        for (const [n, fiber] of fibers.entries()) assert.isDefined(fiber.pollUnsafe(), `${n} waits for ever`)
        for (const [n, { leaves }] of visits.entries()) {
          if (leaves === undefined) assert.include(passed, n, "was not let through")
        }
        const inLine = passed.filter((n) => waited.includes(n))
        assert.deepStrictEqual(
          inLine,
          waited.filter((n) => inLine.includes(n))
        )
        const late = yield* Effect.forkChild(visit(-1, { takes: 0, error: undefined }))
        yield* TestClock.adjust("2 minutes")
        assert.isDefined(late.pollUnsafe(), "nobody is let through any more")
      }).pipe(Random.withSeed(seed)),
    { arbitrary: { runs: 100 } }
  )
})
