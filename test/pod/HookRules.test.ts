/** What follows from the words of a hook, and from its silence: each rule that has a number or a name of its own. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { type Hook, HookError } from "../../src/hooks/Hook.ts"
import { counting } from "../support/benchTools.ts"
import { act, records, silent, witness } from "../support/hooks.ts"
import { fresh, isEvent, isStatus, rest, until } from "../support/podBench.ts"
import { say } from "../support/talk.ts"

const alertsOf = (seen: Effect.Success<ReturnType<typeof until>>) =>
  seen.flatMap((event) => (event.event === "alert" ? [event.data.message] : []))

describe("a hook", () => {
  it.effect("that names no limit has 30 seconds", () =>
    Effect.gen(function* () {
      const { begun, hangs } = yield* silent
      const bench = yield* fresh({ hooks: [hangs] })
      yield* bench.handle.run("go")
      yield* begun
      yield* TestClock.adjust("29999 millis")
      yield* rest
      expect(bench.model.open()).toBe(0)
      yield* TestClock.adjust("1 millis")
      yield* bench.model.next
      expect(records(bench)[0]).toMatchObject({ problem: "it did not answer within 30s" })
    }).pipe(Effect.scoped)
  )

  it.effect("that is told of the end has 5 seconds for it, whatever limit it names", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const hangs: Hook = {
        name: "hangs",
        timeout: "1 hour",
        onAbort: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      }
      const bench = yield* fresh({ hooks: [hangs] })
      yield* bench.handle.run("go")
      yield* bench.model.next
      yield* bench.handle.cancel
      yield* Deferred.await(begun)
      yield* TestClock.adjust("5 seconds")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(alertsOf(seen)).toEqual([
        'hook "hangs" failed at on_abort: it did not answer within 5s; the run ends without it'
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("that fails at the end of a run leaves a record of it", () =>
    Effect.gen(function* () {
      const bad: Hook = { name: "bad", onAbort: () => Effect.fail(new HookError({ message: "gone" })) }
      const bench = yield* fresh({ hooks: [bad], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      // What is done stays, and with it what was recorded on the way.
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* bench.model.next
      yield* bench.handle.cancel
      yield* until(bench.take, isStatus("idle"))
      expect(records(bench)).toEqual([{ point: "on_abort", hook: "bad", decision: "failed", problem: "gone" }])
    }).pipe(Effect.scoped)
  )

  it.effect("that fails after a call holds up nothing: the next one is asked, and the run goes on", () =>
    Effect.gen(function* () {
      const { hook, points } = witness()
      const bad: Hook = { name: "bad", postToolCall: () => Effect.fail(new HookError({ message: "gone" })) }
      const bench = yield* fresh({ hooks: [bad, hook], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("done"))
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(alertsOf(seen)).toEqual(['hook "bad" failed at post_tool_call: gone; the run goes on without it'])
      expect(points()).toContain("post_tool_call")
    }).pipe(Effect.scoped)
  )

  it.effect("that fails before a call is told as what stopped it", () =>
    Effect.gen(function* () {
      const { hook, points } = witness()
      const bad: Hook = { name: "bad", preToolCall: () => Effect.fail(new HookError({ message: "gone" })) }
      const bench = yield* fresh({ hooks: [bad, hook], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("done"))
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(alertsOf(seen)).toEqual(['hook "bad" failed at pre_tool_call: gone; the call is not run'])
      expect(points()).not.toContain("pre_tool_call")
    }).pipe(Effect.scoped)
  )

  it.effect("that stops a request leaves no turn open", () =>
    Effect.gen(function* () {
      const stop: Hook = { name: "stop", preLlmRequest: () => Effect.succeed({ decision: "cancel", reason: "no" }) }
      const bench = yield* fresh({ hooks: [stop] })
      yield* bench.handle.run("go")
      const seen = yield* until(bench.take, isEvent("run_end"))
      const turns = seen.flatMap(({ event }) => (event === "turn_start" || event === "turn_end" ? [event] : []))
      expect(turns).toEqual(["turn_start", "turn_end"])
    }).pipe(Effect.scoped)
  )

  it.effect("that asks for a shorter conversation gets it, or is told that it could not be made so", () =>
    Effect.gen(function* () {
      const wants: Hook = { name: "wants", preLlmRequest: () => Effect.succeed({ decision: "yield" }) }
      const bench = yield* fresh({ hooks: [wants] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("ok"))
      expect(alertsOf(yield* until(bench.take, isEvent("run_end")))).toEqual([
        'hook "wants" asked for a shorter conversation; it could not be made so'
      ])
      expect(records(bench)).toEqual([{ point: "pre_llm_request", hook: "wants", decision: "yield" }])
      let asked = 0
      const makeRoom = Effect.sync(() => ++asked > 0)
      const other = yield* fresh({ hooks: [wants], services: { makeRoom } })
      yield* other.handle.run("go")
      yield* Effect.flatMap(other.model.next, (call) => call.answer("ok"))
      expect(alertsOf(yield* until(other.take, isEvent("run_end")))).toEqual([])
      expect(asked).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("may say that what it answers with is an error", () =>
    Effect.gen(function* () {
      const fake: Hook = {
        name: "fake",
        preToolCall: () => Effect.succeed({ decision: "synthetic_result", summary: "no disk", is_error: true })
      }
      const bench = yield* fresh({ hooks: [fake], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      const { request } = yield* bench.model.next
      expect(request.messages.at(-1)).toMatchObject({ results: [{ isError: true, text: "no disk" }] })
    }).pipe(Effect.scoped)
  )

  it.effect("counts inputs, and the calls since the last one that were let through", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const picky: Hook = {
        name: "picky",
        preToolCall: ({ call_id }) => Effect.succeed(call_id === "c2" ? { decision: "skip" } : undefined)
      }
      const bench = yield* fresh({ hooks: [picky, hook], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act, { ...act, id: "c2" }))
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("done"))
      yield* until(bench.take, isStatus("idle"))
      yield* say(bench, "again")
      const ends = told.flatMap(([point, input]) => (point === "on_turn_end" ? [input] : []))
      expect(ends).toMatchObject([
        { turn_index: 1, tool_calls_count: 1 },
        { turn_index: 2, tool_calls_count: 0 }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("that pauses, or refuses an input, has it on record before that comes about", () =>
    Effect.gen(function* () {
      const pauses: Hook = { name: "pauses", onTurnEnd: () => Effect.succeed({ decision: "pause" }) }
      const bench = yield* fresh({ hooks: [pauses] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("done"))
      yield* until(bench.take, isStatus("paused"))
      expect(records(bench)).toEqual([{ point: "on_turn_end", hook: "pauses", decision: "pause" }])
      const guard: Hook = {
        name: "guard",
        onPromptSubmit: () => Effect.succeed({ decision: "cancel", reason: "no" })
      }
      const refusing = yield* fresh({ hooks: [guard] })
      yield* refusing.handle.runToEnd("go")
      expect(records(refusing)).toEqual([{ point: "on_prompt_submit", hook: "guard", decision: "cancel" }])
    }).pipe(Effect.scoped)
  )
})
