import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { defaults } from "../../src/server/Limits.ts"
import { Outbox } from "../../src/server/Outbox.ts"

const drain = (outbox: Outbox): Array<string> => {
  const seen: Array<string> = []
  for (let item = outbox.take(); item !== undefined; item = outbox.take()) {
    seen.push("text" in item ? item.text : item._tag)
  }
  return seen
}

describe("Outbox", () => {
  it("keeps the order of everything that is put into it", () => {
    const outbox = new Outbox(defaults)
    outbox.line("alert")
    outbox.pieces(Stream.empty, 0)
    outbox.answer("reply")
    outbox.event("event", 1)
    assert.strictEqual(outbox.length, 4)
    assert.deepStrictEqual(drain(outbox), ["alert", "Pieces", "reply", "event"])
    assert.strictEqual(outbox.take(), undefined)
  })

  it("refuses events beyond its bounds, takes any single one, and never refuses an answer", () => {
    const outbox = new Outbox({ ...defaults, maxEvents: 2, maxEventSize: 10 })
    assert.isTrue(outbox.event("longer than ten", 1))
    assert.isFalse(outbox.event("x", 2))
    outbox.answer("an answer that is longer than that")
    drain(outbox)
    assert.deepStrictEqual(
      [2, 3, 4].map((seq) => outbox.event("x", seq)),
      [true, true, false]
    )
    outbox.take()
    assert.isTrue(outbox.event("x", 4))
  })

  it("holds lines that are produced while they are written to the same size, by what they keep until then", () => {
    const outbox = new Outbox({ ...defaults, maxEventSize: 100 })
    const late = (size: number, seq: number) => outbox.lateEvent(Stream.empty, size, seq, 0)
    assert.deepStrictEqual(
      [late(60, 1), late(60, 2), outbox.event("x".repeat(41), 2), late(40, 2)],
      [true, false, false, true]
    )
    outbox.take()
    assert.isTrue(late(60, 3))
    outbox.dropEvents()
    assert.isTrue(late(1_000, 4))
    assert.isFalse(late(1, 5))
  })

  it("gives the events up when the client falls behind, and keeps its answers and its snapshot", () => {
    const outbox = new Outbox({ ...defaults, maxEvents: 2 })
    outbox.pieces(Stream.empty, 1)
    outbox.event("a", 7)
    outbox.answer("reply")
    outbox.event("b", 8)
    assert.strictEqual(outbox.dropEvents(), 7)
    assert.strictEqual(outbox.dropEvents(), undefined)
    outbox.resync(7, 1)
    assert.deepStrictEqual(drain(outbox), ["Pieces", "reply", "Resync"])
    assert.isTrue(outbox.event("c", 9))
  })

  it("gives up what an older attachment has left, but for the first snapshot of all", () => {
    const outbox = new Outbox(defaults)
    outbox.pieces(Stream.empty, 0)
    outbox.event("a", 1)
    outbox.answer("welcome")
    outbox.pieces(Stream.empty, 1)
    outbox.resync(1, 1)
    outbox.dropFeeds()
    assert.deepStrictEqual(drain(outbox), ["Pieces", "welcome"])
  })

  it("stays in order and in count over more items than it ever holds at a time", () => {
    const outbox = new Outbox(defaults)
    let taken = 0
    for (let i = 0; i < 20_000; i++) {
      outbox.event(`${i}`, i)
      outbox.event(`${i}`, i)
      const items = i % 3 === 0 ? 1 : 3
      for (let k = 0; k < items; k++) {
        const item = outbox.take()
        if (item === undefined) break
        assert.strictEqual("text" in item && item.text, `${Math.floor(taken / 2)}`)
        taken += 1
      }
    }
    assert.strictEqual(outbox.length, 40_000 - taken)
  })

  it.effect("lets no more lines begin than may be unanswered, until answers are written", () =>
    Effect.gen(function* () {
      const outbox = new Outbox({ ...defaults, maxUnanswered: 2 })
      yield* outbox.begin
      yield* outbox.begin
      const third = yield* Effect.forkChild(outbox.begin, { startImmediately: true })
      outbox.answer("reply")
      drain(outbox)
      yield* Effect.yieldNow
      assert.isUndefined(third.pollUnsafe())
      outbox.written(1)
      yield* Fiber.join(third)
      const settled = yield* Effect.forkChild(outbox.settled, { startImmediately: true })
      outbox.settle()
      yield* Effect.yieldNow
      assert.isUndefined(settled.pollUnsafe())
      outbox.settle()
      yield* Fiber.join(settled)
    })
  )

  it.effect("waits for nobody once the client takes nothing more", () =>
    Effect.gen(function* () {
      const outbox = new Outbox({ ...defaults, maxUnanswered: 1 })
      yield* outbox.begin
      outbox.answer("reply")
      outbox.discard()
      yield* outbox.settled
      yield* outbox.begin
      outbox.answer("reply")
      yield* outbox.begin
      assert.isTrue(outbox.event("x", 1))
      assert.strictEqual(outbox.length, 0)
    })
  )
})
