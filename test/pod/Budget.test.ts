import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { defaultLimits } from "../../src/llm/Limits.ts"
import type { BudgetTable } from "../../src/manifest/tables/Budget.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"

/** A call of the probe reports 10 tokens in and 5 out: 0.2 dollars with these. */
const prices = { input: 10_000, output: 20_000 }
type Bench = Effect.Success<ReturnType<typeof open>>

/** Gives the input and answers each call of the model that it leads to; the end of the run. */
const runToEnd = (bench: Bench, text: string, ...answers: ReadonlyArray<"text" | "tool">) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { take } = yield* bench.handle.attach
      yield* bench.handle.run(text)
      for (const answer of answers) {
        const call = yield* bench.model.next
        yield* answer === "text" ? call.answer("so") : call.callTools({ id: "c", name: "Work", args: {} })
      }
      const seen = yield* until(take, isStatus("idle"))
      return seen.flatMap((event) => (event.event === "run_end" ? [event.data] : []))[0]
    })
  )

const perRun: ReadonlyArray<readonly [string, BudgetTable]> = [
  ["budget.run.tokens", { run: { tokens: 30 } }],
  ["budget.run.cost_usd", { run: { cost_usd: 0.4 } }],
  ["budget.run.turns", { run: { turns: 2 } }]
]

const perSession: ReadonlyArray<readonly [string, BudgetTable]> = [
  ["budget.session.tokens", { session: { tokens: 30 } }],
  ["budget.session.cost_usd", { session: { cost_usd: 0.4 } }],
  ["budget.session.turns", { session: { turns: 2 } }]
]

describe("the budget of a run", () => {
  it.effect.each(perRun)(
    "%s: the call that reaches it is the last one, and the next run has its own",
    ([limit, budget]) =>
      Effect.gen(function* () {
        const { runs, tool } = counting("Work")
        const bench = yield* open(MemoryStore.make(), { budget, prices, tools: [tool] })
        // What the last call had asked for is still done: its result is there when somebody goes on.
        expect(yield* runToEnd(bench, "one", "tool", "tool")).toMatchObject({
          result: "limit_reached",
          limit,
          usage: { llm_calls: 2 }
        })
        expect(runs()).toBe(2)
        expect(yield* runToEnd(bench, "two", "text")).toMatchObject({ result: "finished" })
      }).pipe(Effect.scoped)
  )

  it.effect("holds over its legs: a pause gives nothing back, not even for a call that was cut", () =>
    Effect.gen(function* () {
      const { tool } = counting("Work")
      const { handle, model, take } = yield* fresh({ budget: { run: { turns: 2 } }, tools: [tool] })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Work", args: {} }))
      yield* model.next
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      yield* handle.resume
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { leg: 2, result: "limit_reached", limit: "budget.run.turns" }
      })
      expect(model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("lets what is queued flow on", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh({ budget: { run: { turns: 1 } } })
      yield* handle.run("one")
      const call = yield* model.next
      const { run_id } = yield* handle.run("two", { delivery: "queue" })
      yield* call.callTools({ id: "c1", name: "None", args: {} })
      yield* Effect.flatMap(model.next, (next) => next.answer("so"))
      const seen = yield* until(take, (event) => event.event === "run_end" && event.data.run_id === run_id)
      expect(seen.flatMap((event) => (event.event === "run_end" ? [event.data.result] : []))).toEqual([
        "limit_reached",
        "finished"
      ])
    }).pipe(Effect.scoped)
  )
})

describe("the budget of a session", () => {
  it.effect.each(perSession)(
    "%s: used up, the next run ends at once and says what to do, also after restarts",
    ([limit, budget]) =>
      Effect.gen(function* () {
        const memory = MemoryStore.make()
        const options = { budget, prices }
        expect(yield* runToEnd(yield* open(memory, options), "one", "text")).toMatchObject({ result: "finished" })
        expect(yield* runToEnd(yield* open(memory, options), "two", "text")).toMatchObject({ result: "finished" })
        const third = yield* open(memory, options)
        expect(yield* runToEnd(third, "three")).toMatchObject({
          result: "limit_reached",
          limit,
          hint: expect.stringContaining(`larger ${limit}`),
          usage: { llm_calls: 0 }
        })
        // The input is not lost: with a larger budget the model sees it.
        const fourth = yield* open(memory, { prices })
        yield* fourth.handle.run("four")
        const { request } = yield* fourth.model.next
        expect(
          request.messages.filter(({ role }) => role === "user").map((message) => "text" in message && message.text)
        ).toEqual(["one", "two", "three", "four"])
      }).pipe(Effect.scoped)
  )

  it.effect("used up, holds what is queued, and starts no turns by itself for what it can do nothing about", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { budget: { session: { turns: 1 } } })
      const { take } = yield* first.handle.attach
      yield* first.handle.run("one")
      const call = yield* first.model.next
      const { run_id } = yield* first.handle.run("two", { delivery: "queue" })
      yield* call.answer("so")
      // The queued run begins, because the one before it has finished, and ends at once.
      yield* until(take, (event) => event.event === "run_end" && event.data.run_id === run_id)
      yield* first.handle.notify("news")
      yield* rest
      expect(yield* first.handle.inboxSize).toBe(1)
      expect(yield* first.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      expect(names(fileOf(memory, first.ref)).filter((name) => name === "pod.run start")).toHaveLength(3)

      const second = yield* open(memory, { budget: { session: { turns: 2 } } })
      expect(yield* second.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      yield* second.handle.resume
      const { request } = yield* second.model.next
      expect(JSON.stringify(request.messages)).toContain("news")
    }).pipe(Effect.scoped)
  )

  it.effect("a rewind gives nothing back", () =>
    Effect.gen(function* () {
      const bench = yield* open(MemoryStore.make(), { budget: { session: { turns: 1 } } })
      yield* runToEnd(bench, "one", "text")
      const { head_entries, targets } = yield* bench.handle.rewindTargets
      yield* bench.handle.rewindTo(targets[0]!.id, head_entries)
      expect(yield* runToEnd(bench, "two")).toMatchObject({ limit: "budget.session.turns" })
    }).pipe(Effect.scoped)
  )
})

describe("a budget of time", () => {
  const minutes = (count: number) => Duration.minutes(count)

  it.effect("interrupts a call that is waited for", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh({ budget: { run: { wall_time: Duration.seconds(10) } } })
      yield* handle.run("go")
      yield* model.next
      yield* TestClock.adjust("9 seconds")
      expect(model.open()).toBe(1)
      yield* TestClock.adjust("1 second")
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { result: "limit_reached", limit: "budget.run.wall_time" }
      })
      expect(model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("interrupts a tool, and its call is answered", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const bench = yield* fresh({ budget: { run: { wall_time: minutes(1) } }, tools: [tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      yield* TestClock.adjust("1 minute")
      yield* until(bench.take, isStatus("idle"))
      expect(names(fileOf(bench.memory, bench.ref)).slice(-3)).toEqual(["tool_result", "turn_end", "run_completed"])
    }).pipe(Effect.scoped)
  )

  it.effect("counts the time of legs: neither pauses nor the time in which the pod was down", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const { tool } = counting("Work", true)
      const patient = {
        budget: { session: { wall_time: minutes(10) } },
        tools: [tool],
        onInterrupted: "paused",
        services: {
          limits: { ...defaultLimits, header_timeout: Duration.hours(9), first_event_timeout: Duration.hours(9) }
        }
      } as const
      const first = yield* open(memory, patient)
      yield* first.handle.run("go")
      const call = yield* first.model.next
      yield* TestClock.adjust(minutes(6))
      yield* call.callTools({ id: "c1", name: "Work", args: {} })
      yield* first.model.next
      // Left alone, as a killed process is: six minutes are recorded.
      yield* TestClock.adjust(minutes(3))
      const second = yield* open(memory, patient)
      const { take } = yield* second.handle.attach
      yield* TestClock.adjust(minutes(60))
      yield* second.handle.resume
      yield* second.model.next
      yield* TestClock.adjust(minutes(3))
      expect(second.model.open()).toBe(1)
      yield* TestClock.adjust(minutes(1))
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { leg: 2, limit: "budget.session.wall_time" } })
    }).pipe(Effect.scoped)
  )
})
