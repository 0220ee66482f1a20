import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { RunUsage } from "../../src/protocol/LogEntry.ts"
import type { PodHandle } from "../../src/pod/PodHandle.ts"
import { fileOf, fresh, isEvent, isStatus, open, until } from "../support/podBench.ts"

/** A call of the probe reports 10 tokens in and 5 out: 0.2 dollars with these. */
const prices = { input: 10_000, output: 20_000, cache_read: 1_000, cache_write: 30_000 }

const sessionOf = (handle: PodHandle): Effect.Effect<RunUsage> =>
  Effect.scoped(Effect.map(handle.attach, ({ usage }) => usage))

const turn = Effect.fnUntraced(function* (bench: Effect.Success<ReturnType<typeof open>>, text: string) {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { take } = yield* bench.handle.attach
      yield* bench.handle.run(text)
      yield* Effect.flatMap(bench.model.next, (call) => call.answer(`to ${text}`))
      return yield* until(take, isStatus("idle"))
    })
  )
})

/** Back to before the last input but `nth`. */
const rewind = Effect.fnUntraced(function* (handle: PodHandle, nth: number) {
  const { head_entries, targets } = yield* handle.rewindTargets
  yield* handle.rewindTo(targets[nth]!.id, head_entries)
})

describe("cost", () => {
  it.effect("is told with the call, with the run and with the session, cached parts at their own price", () =>
    Effect.gen(function* () {
      const { handle, memory, model, ref, take } = yield* fresh({ prices })
      yield* handle.run("hello")
      const call = yield* model.next
      yield* call.push({ type: "usage", usage: { cacheReadTokens: 4, cacheWriteTokens: 2 } })
      yield* call.answer("hi")
      const seen = yield* until(take, isStatus("idle"))
      // 4 fresh: 0.04, 4 read: 0.004, 2 written: 0.06, 5 said: 0.1.
      const cost_usd = 0.204
      expect(seen.find(isEvent("usage"))).toMatchObject({ data: { input_tokens: 10, cost_usd } })
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { usage: { llm_calls: 1, cost_usd } } })
      expect(fileOf(memory, ref).find(({ kind }) => kind === "llm_usage")).toMatchObject({ cost_usd })
      expect(yield* sessionOf(handle)).toEqual({
        llm_calls: 1,
        input_tokens: 10,
        output_tokens: 5,
        cache_read_input_tokens: 4,
        cache_write_input_tokens: 2,
        cost_usd
      })
    }).pipe(Effect.scoped)
  )

  it.effect("is nowhere when the price is not known", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const seen = yield* turn(bench, "hello")
      expect(JSON.stringify([seen, fileOf(bench.memory, bench.ref)])).not.toContain("cost")
      expect(yield* sessionOf(bench.handle)).not.toHaveProperty("cost_usd")
    }).pipe(Effect.scoped)
  )

  it.effect("is the same after a restart, and partial once a call without a price is among them", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { prices })
      yield* turn(first, "one")
      yield* turn(first, "two")
      const before = yield* sessionOf(first.handle)
      expect(before).toMatchObject({ llm_calls: 2, input_tokens: 20, cost_usd: 0.4 })
      const second = yield* open(memory)
      expect(yield* sessionOf(second.handle)).toEqual(before)
      yield* turn(second, "three")
      expect(yield* sessionOf(second.handle)).toMatchObject({ llm_calls: 3, cost_usd: 0.4, cost_partial: true })
      const third = yield* open(memory)
      expect(yield* sessionOf(third.handle)).toEqual(yield* sessionOf(second.handle))
    }).pipe(Effect.scoped)
  )

  it.effect("of a run that a crash has cut is what was recorded of it", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { prices })
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "None", args: {} }))
      yield* first.model.next
      expect(yield* sessionOf(first.handle)).toMatchObject({ llm_calls: 1, cost_usd: 0.2 })
      const second = yield* open(memory, { prices })
      expect(fileOf(memory, first.ref).at(-1)).toMatchObject({
        outcome: { result: "interrupted", usage: { llm_calls: 1, cost_usd: 0.2 } }
      })
      expect(yield* sessionOf(second.handle)).toMatchObject({ llm_calls: 1, cost_usd: 0.2 })
    }).pipe(Effect.scoped)
  )

  it.effect("stays spent when the log is taken back and when that is undone, also after a restart", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { prices })
      yield* turn(first, "one")
      yield* turn(first, "two")
      const spent = yield* sessionOf(first.handle)
      yield* rewind(first.handle, 0)
      expect(yield* sessionOf(first.handle)).toEqual(spent)
      const second = yield* open(memory, { prices })
      expect(yield* sessionOf(second.handle)).toEqual(spent)
      yield* second.handle.undoRewind
      expect(yield* sessionOf(second.handle)).toEqual(spent)
      const third = yield* open(memory, { prices })
      expect(yield* sessionOf(third.handle)).toEqual(spent)
      yield* turn(third, "three")
      expect(yield* sessionOf(third.handle)).toMatchObject({ llm_calls: 3, cost_usd: 0.6 })
    }).pipe(Effect.scoped)
  )

  it.effect("of a leg that was undone is spent as well", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { prices })
      const { take } = yield* first.handle.attach
      yield* first.handle.run("never mind")
      yield* first.model.next
      yield* first.handle.cancel
      yield* until(take, isEvent("run_end"))
      expect(yield* sessionOf(first.handle)).toMatchObject({ llm_calls: 1 })
      const second = yield* open(memory, { prices })
      expect(yield* sessionOf(second.handle)).toMatchObject({ llm_calls: 1 })
    }).pipe(Effect.scoped)
  )

  it.effect("is nobody else's: a fork begins at nothing, and a pod that moves to a new segment goes on", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { prices })
      yield* turn(first, "one")
      yield* first.handle.fork("second")
      const fork = yield* open(memory, { prices, name: "second" })
      expect(yield* sessionOf(fork.handle)).toMatchObject({ llm_calls: 0 })
      yield* turn(fork, "two")
      expect(yield* sessionOf(fork.handle)).toMatchObject({ llm_calls: 1, cost_usd: 0.2 })
      // A rewind to before the fork leaves its own segment: what it has spent goes along.
      yield* rewind(fork.handle, 1)
      expect(yield* sessionOf(fork.handle)).toMatchObject({ llm_calls: 1, cost_usd: 0.2 })
      const again = yield* open(memory, { prices, name: "second" })
      expect(yield* sessionOf(again.handle)).toMatchObject({ llm_calls: 1, cost_usd: 0.2 })
    }).pipe(Effect.scoped)
  )
})
