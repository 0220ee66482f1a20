import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { journalOn, say } from "../support/journalBench.ts"
import { fresh } from "../support/podBench.ts"
import { back, say as talk } from "../support/talk.ts"

const mebibyte = 1024 * 1024

/** A journal with one input in it, the number of its event, and what a client that knows `after` would be given. */
const begun = Effect.gen(function* () {
  const { journal } = yield* journalOn()
  yield* journal.commit([say("first")], true)
  const { seq } = yield* journal.attach
  const missed = (after: number) =>
    Effect.scoped(Effect.map(journal.attach, ({ replay }) => replay(after)?.map((event) => event.seq) ?? null))
  return { journal, seq, missed }
})

const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i)
const many = (count: number) => from(0, count).map((i) => say(`${i}`))
/** An entry that takes a little less than `bytes`. */
const long = (bytes: number) => say("x".repeat(bytes - 200))

describe("the events that a client which was away is given again", () => {
  it.effect("are at most 1024: behind by one more, it gets a snapshot", () =>
    Effect.gen(function* () {
      const { journal, missed, seq } = yield* begun
      yield* journal.commit(many(1_024), true)
      expect(yield* missed(seq)).toEqual(from(seq + 1, 1_024))
      yield* journal.commit([say("one more")], true)
      expect(yield* missed(seq)).toBeNull()
      expect(yield* missed(seq + 1)).toEqual(from(seq + 2, 1_024))
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("stay exact however many came before", () =>
    Effect.gen(function* () {
      const { journal, missed, seq } = yield* begun
      let last = seq
      // One by one where what is forgotten is cut off.
      for (const count of [700, 700, 640, ...Array.from({ length: 20 }, () => 1), 3_000]) {
        yield* journal.commit(many(count), true)
        last += count
        const oldest = Math.max(seq, last - 1_024)
        expect(yield* missed(oldest)).toEqual(from(oldest + 1, last - oldest))
        expect(yield* missed(last - 1)).toEqual([last])
        if (oldest > seq) expect(yield* missed(oldest - 1)).toBeNull()
      }
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("are at most four mebibytes: the oldest go first, and no more of them than must", () =>
    Effect.gen(function* () {
      const { journal, missed, seq } = yield* begun
      yield* journal.commit(
        [1, 2, 3, 4].map(() => long(mebibyte)),
        true
      )
      expect(yield* missed(seq)).toEqual(from(seq + 1, 4))
      yield* journal.commit([long(mebibyte / 2)], true)
      expect(yield* missed(seq)).toBeNull()
      expect(yield* missed(seq + 1)).toEqual(from(seq + 2, 4))
      // There is half a mebibyte of room again.
      yield* journal.commit([long(mebibyte / 2)], true)
      expect(yield* missed(seq + 1)).toEqual(from(seq + 2, 5))
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("are none behind one that is too long by itself, and begin anew after it", () =>
    Effect.gen(function* () {
      const { journal, missed, seq } = yield* begun
      yield* journal.commit([long(5 * mebibyte)], true)
      expect(yield* missed(seq)).toBeNull()
      expect(yield* missed(seq + 1)).toEqual([])
      yield* journal.commit(many(2), true)
      expect(yield* missed(seq + 1)).toEqual(from(seq + 2, 2))
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("of those that carry the log have the last one alone, and nothing from before another", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      for (const text of ["one", "two", "three"]) yield* talk(bench, text)
      const missed = (after: number) =>
        Effect.scoped(Effect.map(bench.handle.attach, ({ replay }) => replay(after)?.map(({ event }) => event) ?? null))
      const seqOf = Effect.scoped(Effect.map(bench.handle.attach, ({ seq }) => seq))
      const start = yield* seqOf
      yield* back(bench.handle, "three")
      expect(yield* missed(start)).toEqual(["rewind_applied"])
      const between = yield* seqOf
      yield* talk(bench, "other")
      yield* back(bench.handle, "two")
      expect(yield* missed(start)).toBeNull()
      expect((yield* missed(between))?.filter((event) => event === "rewind_applied")).toHaveLength(1)
      expect((yield* missed(between))?.[0]).toBe("user_message")
    }).pipe(Effect.scoped)
  )
})
