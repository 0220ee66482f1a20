import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Hook } from "../../src/hooks/Hook.ts"
import { counting } from "../support/benchTools.ts"
import { act, witness } from "../support/hooks.ts"
import { isEvent, isStatus, open, until } from "../support/podBench.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"

describe("a restart in the middle of a hook", () => {
  /** Killed where `stage` says; then started again, and resumed. */
  const killed = Effect.fnUntraced(function* (stage: "asked" | "decided") {
    const memory = MemoryStore.make()
    const reached = yield* Deferred.make<void>()
    const first: Hook = {
      name: "guard",
      onPromptSubmit: () =>
        stage === "asked" ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : Effect.undefined
    }
    const bench = yield* open(memory, { hooks: [first] })
    yield* bench.handle.run("go")
    if (stage === "asked") yield* Deferred.await(reached)
    else yield* bench.model.next
    const asked: Array<string> = []
    const second: Hook = {
      name: "guard",
      onPromptSubmit: ({ input_text }) => Effect.sync(() => void asked.push(input_text))
    }
    const hooks = [second]
    return { asked, hooks, memory }
  })

  it.effect("asks about the input again, if there was no decision", () =>
    Effect.gen(function* () {
      const { asked, hooks, memory } = yield* killed("asked")
      const bench = yield* open(memory, { hooks, onInterrupted: "resume" })
      yield* bench.model.next
      expect(asked).toEqual(["go"])
    }).pipe(Effect.scoped)
  )

  it.effect("asks again about an input that was refused, and not taken back: the model never sees it", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const reached = yield* Deferred.make<void>()
      const guard: Hook = {
        name: "guard",
        onPromptSubmit: ({ input_text }) =>
          Effect.succeed(input_text === "bad" ? { decision: "cancel", reason: "no" } : undefined)
      }
      // Between the verdict and its effect.
      const slow: Hook = {
        name: "slow",
        onAbort: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      }
      const first = yield* open(memory, { hooks: [guard, slow] })
      yield* first.handle.run("bad")
      yield* Deferred.await(reached)
      const bench = yield* open(memory, { hooks: [guard], onInterrupted: "resume" })
      const { take } = yield* bench.handle.attach
      if ((yield* bench.handle.status) !== "idle") yield* until(take, isStatus("idle"))
      // Nor does it come along with any other, until a rewind has taken it out.
      for (const text of ["next", "and again"]) {
        expect(yield* bench.handle.runToEnd(text)).toMatchObject({ result: "rolled_back", by_hook: "guard" })
      }
      yield* back(bench.handle, "bad")
      expect((yield* say(bench, "good")).messages).toEqual([{ role: "user", text: "good" }])
      yield* TestClock.adjust("5 seconds")
    }).pipe(Effect.scoped)
  )

  it.effect("does not ask again about an input that was let through", () =>
    Effect.gen(function* () {
      const { asked, hooks, memory } = yield* killed("decided")
      const bench = yield* open(memory, { hooks, onInterrupted: "resume" })
      yield* bench.model.next
      expect(asked).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("asks with the next input, where the run ended with the crash: nothing gets past it", () =>
    Effect.gen(function* () {
      const { asked, hooks, memory } = yield* killed("asked")
      const bench = yield* open(memory, { hooks })
      yield* say(bench, "next")
      expect(asked).toEqual(["go", "next"])
      yield* say(bench, "more")
      expect(asked).toEqual(["go", "next", "more"])
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["go", "next", "more"])
    }).pipe(Effect.scoped)
  )

  it.effect("asks again about a call that is run again, and not about a result that is there", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const { hook, points } = witness()
      const act1 = counting("Act", true)
      const first = yield* open(memory, { tools: [act1.tool] })
      const { take } = yield* first.handle.attach
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools(act))
      yield* until(take, isEvent("tool_result"))
      yield* first.model.next
      const second = yield* open(memory, { hooks: [hook], onInterrupted: "resume", tools: [act1.tool] })
      yield* second.model.next
      expect(points()).toEqual(["on_prompt_submit", "pre_llm_request"])
      expect(act1.runs()).toBe(1)
    }).pipe(Effect.scoped)
  )
})
