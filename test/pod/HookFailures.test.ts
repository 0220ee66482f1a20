import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { type Hook, HookError } from "../../src/hooks/Hook.ts"
import { counting } from "../support/benchTools.ts"
import { act, records, silent, witness } from "../support/hooks.ts"
import { fresh, isEvent, rest, until } from "../support/podBench.ts"

describe("a hook that fails", () => {
  const failures: Readonly<Record<string, () => Effect.Effect<undefined, HookError>>> = {
    "with a reason": () => Effect.fail(new HookError({ message: "no connection" })),
    "by a defect": () => Effect.die(new Error("boom")),
    "by throwing": () => {
      throw new Error("boom")
    },
    "by interrupting itself": () => Effect.interrupt,
    "by talking nonsense": () => Effect.succeed({ decision: "maybe" } as never),
    "by adding too much": () =>
      Effect.succeed({ decision: "continue_with_messages", items: ["x".repeat(40_000)] } as never)
  }
  const problems: Readonly<Record<string, string>> = {
    "with a reason": "no connection",
    "by a defect": "it broke; this is a defect of the hook",
    "by throwing": "it broke; this is a defect of the hook",
    "by interrupting itself": "it broke; this is a defect of the hook"
  }

  it.effect.each(Object.keys(failures))("%s stops a call, and nothing else", (how) =>
    Effect.gen(function* () {
      const handler = failures[how]
      if (handler === undefined) throw new Error(how)
      const { hook, points } = witness()
      const act1 = counting("Act")
      const bad: Hook = {
        name: "bad",
        onPromptSubmit: handler,
        preLlmRequest: handler,
        preToolCall: handler,
        postToolCall: handler,
        onTurnEnd: handler
      }
      // `continue_with_messages` is a word of the end of a turn: there it is only too long.
      const bench = yield* fresh({ hooks: [bad, hook], tools: [act1.tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      const { answer, request } = yield* bench.model.next
      expect(request.messages.at(-1)).toMatchObject({
        results: [{ isError: true, text: expect.stringContaining('Act was not run: the hook "bad"') }]
      })
      expect(act1.runs()).toBe(0)
      yield* answer("ok")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      const alerts = seen.filter(isEvent("alert"))
      const problem = problems[how] ?? "no decision of"
      expect(alerts).toHaveLength(5)
      for (const alert of alerts) expect(JSON.stringify(alert)).toContain(problem)
      // Everywhere else the next one was asked.
      expect(points()).toEqual(["on_prompt_submit", "pre_llm_request", "pre_llm_request", "on_turn_end"])
      expect(records(bench)).toHaveLength(6)
    }).pipe(Effect.scoped)
  )

  it.effect("by not answering does so at its limit, whatever it holds", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      let released = false
      const hangs: Hook = {
        name: "hangs",
        timeout: "3 minutes",
        preToolCall: () =>
          Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Effect.sync(() => void (released = true)))
          )
      }
      const bench = yield* fresh({ hooks: [hangs], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* Deferred.await(begun)
      yield* TestClock.adjust("2 minutes")
      yield* rest
      expect(released).toBe(false)
      yield* TestClock.adjust("1 minute")
      const { request } = yield* bench.model.next
      expect(released).toBe(true)
      expect(JSON.stringify(request.messages.at(-1))).toContain("was not run")
      expect(records(bench)).toMatchObject([{ decision: "failed", problem: "it did not answer within 3m" }])
    }).pipe(Effect.scoped)
  )

  it.effect("by not answering is interrupted by a cancel at once", () =>
    Effect.gen(function* () {
      const { begun, hangs } = yield* silent
      const bench = yield* fresh({ hooks: [hangs] })
      yield* bench.handle.run("go")
      yield* begun
      yield* bench.handle.cancel
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
      expect(bench.model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  /** Holds out against any interrupt. */
  const stubborn = Effect.fnUntraced(function* (point: "onPromptSubmit" | "preToolCall" | "onAbort") {
    const begun = yield* Deferred.make<void>()
    const release = yield* Deferred.make<void>()
    yield* Effect.addFinalizer(() => Deferred.succeed(release, undefined))
    const holds = Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(release)))
    const hook: Hook = { name: "stubborn", timeout: "1 minute", [point]: () => holds }
    return { begun, hook }
  })

  it.effect("by not even ending when it is interrupted is left behind", () =>
    Effect.gen(function* () {
      const { begun, hook } = yield* stubborn("preToolCall")
      const bench = yield* fresh({ hooks: [hook], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* Deferred.await(begun)
      yield* TestClock.adjust("1 minute")
      yield* TestClock.adjust("2 seconds")
      const { request } = yield* bench.model.next
      expect(JSON.stringify(request.messages.at(-1))).toContain("was not run")
      expect(records(bench)).toMatchObject([
        { problem: "it did not answer within 1m, and did not end when it was interrupted: it was left behind" }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("by not even ending when it is interrupted holds up a cancel for 2 seconds", () =>
    Effect.gen(function* () {
      const { begun, hook } = yield* stubborn("onPromptSubmit")
      const bench = yield* fresh({ hooks: [hook] })
      yield* bench.handle.run("go")
      yield* Deferred.await(begun)
      yield* bench.handle.cancel
      yield* rest
      expect(yield* bench.handle.status).toBe("running")
      yield* TestClock.adjust("2 seconds")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
      expect(seen.filter(isEvent("alert"))).toMatchObject([
        {
          data: {
            message: 'hook "stubborn" did not end at on_prompt_submit when the run was stopped: it was left behind'
          }
        }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("by not even ending when it is told of the end holds that up for 7 seconds", () =>
    Effect.gen(function* () {
      const { begun, hook } = yield* stubborn("onAbort")
      const bench = yield* fresh({ hooks: [hook] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.push({ type: "text_start", index: 0 }))
      yield* bench.handle.cancel
      yield* Deferred.await(begun)
      yield* TestClock.adjust("5 seconds")
      yield* rest
      expect(yield* bench.handle.status).toBe("running")
      yield* TestClock.adjust("2 seconds")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
    }).pipe(Effect.scoped)
  )

  it.effect("in a long cleanup is waited for as long as it may take, and no more", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      let isClean = false
      const slow: Hook = {
        name: "slow",
        onPromptSubmit: () =>
          Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() =>
              Effect.andThen(
                Effect.sleep("1 second"),
                Effect.sync(() => void (isClean = true))
              )
            )
          )
      }
      const bench = yield* fresh({ hooks: [slow] })
      yield* bench.handle.run("go")
      yield* Deferred.await(begun)
      yield* bench.handle.cancel
      yield* TestClock.adjust("1 second")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect([isClean, seen.filter(isEvent("alert"))]).toEqual([true, []])
    }).pipe(Effect.scoped)
  )
})
