import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Hook } from "../../src/hooks/Hook.ts"
import { counting } from "../support/benchTools.ts"
import { act, bodies, witness } from "../support/hooks.ts"
import { fresh, isEvent, isStatus, open, rest, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { entriesOf } from "../support/talk.ts"

describe("hooks", () => {
  it.effect("that always want to go on are stopped after 16 times, and by max_turns before", () =>
    Effect.gen(function* () {
      const nag: Hook = {
        name: "nag",
        onTurnEnd: () => Effect.succeed({ decision: "continue_with_messages", items: ["more"] })
      }
      const bench = yield* fresh({ hooks: [nag] })
      yield* bench.handle.run("go")
      for (let i = 0; i <= 16; i++) yield* Effect.flatMap(bench.model.next, (call) => call.answer("ok"))
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(seen.filter(isEvent("alert"))).toHaveLength(1)
      const short = yield* fresh({ hooks: [nag], maxTurns: 3 })
      yield* short.handle.run("go")
      for (let i = 0; i < 3; i++) yield* Effect.flatMap(short.model.next, (call) => call.answer("ok"))
      const end = (yield* until(short.take, isEvent("run_end"))).find(isEvent("run_end"))
      expect(end).toMatchObject({ data: { result: "limit_reached", limit: "max_turns" } })
    }).pipe(Effect.scoped)
  )

  it.effect("are stopped after 16 times of a run, over its legs, a restart and a change of the segment", () =>
    Effect.gen(function* () {
      const told: Array<number> = []
      const nag: Hook = {
        name: "nag",
        onTurnEnd: ({ continued }) =>
          Effect.sync(() => (told.push(continued), { decision: "continue_with_messages", items: ["more"] } as const))
      }
      const memory = MemoryStore.make()
      const first = yield* open(memory, { hooks: [nag] })
      const before = yield* first.handle.attach
      yield* first.handle.run("go")
      for (let i = 0; i < 6; i++) yield* Effect.flatMap(first.model.next, (call) => call.answer("ok"))
      yield* first.model.next
      memory.write(first.ref, new TextEncoder().encode('{"kind":"turn_end","ts":1,"turn_count":6}\n'))
      yield* first.handle.pause
      yield* until(before.take, isStatus("paused"))
      yield* first.handle.resume
      for (let i = 0; i < 4; i++) yield* Effect.flatMap(first.model.next, (call) => call.answer("ok"))
      yield* first.model.next
      const session = { ...first.ref, segmentId: first.journal.segmentId() ?? "" }
      expect(session).not.toEqual(first.ref)
      const second = yield* open(memory, { hooks: [nag], onInterrupted: "resume" })
      const { take } = yield* second.handle.attach
      for (let i = 0; i < 7; i++) yield* Effect.flatMap(second.model.next, (call) => call.answer("ok"))
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished", leg: 3 } })
      expect(told).toEqual(Array.from({ length: 17 }, (_, i) => i))
    }).pipe(Effect.scoped)
  )

  it.effect("may add 16 texts of 32 Ki characters, at least one, and no more", () =>
    Effect.gen(function* () {
      const longest = "é".repeat(32 * 1024)
      const asks: ReadonlyArray<readonly [items: ReadonlyArray<string>, isTaken: boolean]> = [
        [Array.from({ length: 16 }, () => "x"), true],
        [[longest], true],
        [Array.from({ length: 17 }, () => "x"), false],
        [[`${longest}x`], false],
        [[], false]
      ]
      for (const [items, isTaken] of asks) {
        const adds: Hook = {
          name: "adds",
          onTurnEnd: ({ continued }) =>
            Effect.succeed(continued === 0 ? { decision: "continue_with_messages", items } : undefined)
        }
        const bench = yield* fresh({ hooks: [adds] })
        yield* bench.handle.run("go")
        yield* Effect.flatMap(bench.model.next, (call) => call.answer("one"))
        if (isTaken) yield* Effect.flatMap(bench.model.next, (call) => call.answer("two"))
        const seen = yield* until(bench.take, isEvent("run_end"))
        expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
        expect(seen.filter(isEvent("alert"))).toHaveLength(isTaken ? 0 : 1)
        expect(bodies(yield* entriesOf(bench.handle))).toHaveLength(isTaken ? items.length : 0)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("see 512 bytes of an answer, and no half character", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const bench = yield* fresh({ hooks: [hook] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("€".repeat(200)))
      yield* until(bench.take, isEvent("run_end"))
      expect(told.at(-1)).toMatchObject(["on_turn_end", { final_text_preview: "€".repeat(170) }])
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["cancel", "Cancelled"],
    ["pause", "Paused"],
    ["shutdown", "Shut down"]
  ] as const)("hear why a run is cut: %s", ([stop, reason]) =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const bench = yield* fresh({ hooks: [hook] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.push({ type: "text_start", index: 0 }))
      yield* bench.handle[stop]
      yield* until(bench.take, isEvent("run_end"))
      expect(told.filter(([point]) => point === "on_abort")).toMatchObject([["on_abort", { reason }]])
    }).pipe(Effect.scoped)
  )

  it.effect("hear that time is up where it cuts a run, and nothing where a run ends at a limit by itself", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const aborts = () => told.filter(([point]) => point === "on_abort")
      const timed = yield* fresh({ hooks: [hook], budget: { run: { wall_time: Duration.seconds(10) } } })
      yield* timed.handle.run("go")
      yield* timed.model.next
      yield* TestClock.adjust("10 seconds")
      const seen = yield* until(timed.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { limit: "budget.run.wall_time" } })
      expect(aborts()).toMatchObject([["on_abort", { reason: "The limit budget.run.wall_time is reached" }]])

      const counted = yield* fresh({ hooks: [hook], maxTurns: 1, tools: [counting("Act").tool] })
      yield* counted.handle.run("go")
      yield* Effect.flatMap(counted.model.next, (call) => call.callTools(act))
      yield* until(counted.take, isEvent("run_end"))
      expect(aborts()).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("hear of a failure and of a cancel, and hold up the end of the run for 5 seconds at most", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const hangs: Hook = { name: "hangs", onAbort: () => Effect.never }
      const bench = yield* fresh({ hooks: [hook] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.fail(badRequest))
      yield* until(bench.take, isStatus("idle"))
      expect(told.at(-1)).toMatchObject(["on_abort", { reason: expect.stringContaining("bad request") }])

      const slow = yield* fresh({ hooks: [hangs, hook] })
      yield* slow.handle.run("go")
      yield* Effect.flatMap(slow.model.next, (call) => call.push({ type: "text_start", index: 0 }))
      yield* slow.handle.cancel
      yield* rest
      expect(told.at(-1)).toMatchObject(["on_abort", { reason: "Cancelled" }])
      expect(yield* slow.handle.status).toBe("running")
      yield* TestClock.adjust("5 seconds")
      const seen = yield* until(slow.take, isEvent("run_end"))
      expect(seen.filter(isEvent("alert"))).toMatchObject([
        {
          data: {
            message: expect.stringMatching(
              /"hangs" failed at on_abort: it did not answer within 5s; the run ends without it$/
            )
          }
        }
      ])
    }).pipe(Effect.scoped)
  )
})
