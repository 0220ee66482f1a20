/** Rewinds that lead over more than one segment. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fresh, isStatus, open, until } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { back, entriesOf, say, texts } from "../support/talk.ts"
describe("rewind over segments", () => {
  it.effect("numbers inputs anew in each segment, and counts what goes in all of them", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const below = (yield* entriesOf(bench.handle)).length
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      yield* say(copy, "three")
      const own = (yield* entriesOf(copy.handle)).length
      const { head_entries, targets } = yield* copy.handle.rewindTargets
      expect(targets.map(({ preview, turn_index }) => [preview, turn_index])).toEqual([
        ["three", 1],
        ["two", 2],
        ["one", 1]
      ])
      const two = targets.find(({ preview }) => preview === "two")
      if (two === undefined) throw new Error("no target")
      expect(yield* copy.handle.rewindTo(two.id, head_entries)).toMatchObject({
        truncated_to_entries: two.truncate_entries,
        discarded_entries: own + below - two.truncate_entries
      })
    }).pipe(Effect.scoped)
  )

  it.effect(
    "2,000 times back and forward again make the way to the past no longer",
    () =>
      Effect.gen(function* () {
        const bench = yield* fresh()
        yield* say(bench, "one")
        yield* bench.handle.fork("copy")
        const copy = yield* open(bench.memory, { name: "copy" })
        yield* say(copy, "two")
        const { history } = yield* plain(copy.journal.state)
        for (let i = 0; i < 2_000; i++) {
          yield* back(copy.handle, "one")
          yield* copy.handle.undoRewind
        }
        expect(copy.journal.files()).toHaveLength(3)
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
        const again = yield* open(bench.memory, { name: "copy" })
        expect(again.journal.files()).toHaveLength(3)
        expect((yield* plain(again.journal.state)).history).toEqual(history)
        expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
        yield* back(again.handle, "two")
        expect((yield* plain(again.journal.state)).history).toEqual(history.slice(0, 2))
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect("forks of forks that say nothing stand behind what was said, not behind one another", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.fork("copy")
      const { history } = yield* plain(bench.journal.state)
      let copy = yield* open(bench.memory, { name: "copy" })
      for (const name of ["second", "third"]) {
        yield* copy.handle.fork(name)
        copy = yield* open(bench.memory, { name })
        expect(copy.journal.files().map(({ ref }) => ref.segmentId)).toEqual([
          copy.journal.segmentId(),
          bench.ref.segmentId
        ])
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a fork can be taken back into the past that it shares, and forward again", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      yield* say(copy, "three")
      yield* copy.handle.notify("waits", { wake: false })
      const history = (yield* plain(copy.journal.state)).history
      expect((yield* copy.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["three", "two", "one"])
      const { take } = yield* copy.handle.attach
      yield* back(copy.handle, "two")
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.map(({ event }) => event)).toEqual(["segment_rotated", "rewind_applied", "status"])
      expect(seen[1]).toMatchObject({ data: { input: [{ kind: "text", content: "two" }] } })
      expect((yield* copy.handle.inbox).map(({ preview }) => preview)).toEqual(["waits"])
      const again = yield* open(bench.memory, { name: "copy" })
      expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["one"])
      yield* again.handle.undoRewind
      expect((yield* plain(again.journal.state)).history).toEqual(history)
      const last = yield* open(bench.memory, { name: "copy" })
      expect((yield* plain(last.journal.state)).history).toEqual(history)
      expect((yield* last.handle.inbox).map(({ preview }) => preview)).toEqual(["waits"])
      yield* back(last.handle, "one")
      const request = yield* say(last, "from the start")
      expect(texts(request.messages).filter((text) => !text.includes("waits"))).toEqual(["from the start"])
    }).pipe(Effect.scoped)
  )
})
