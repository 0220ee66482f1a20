/** Bringing back what the last rewind has hidden. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SegmentFile } from "../../src/session/SessionStore.ts"
import { fresh, isEvent, isStatus, open, until } from "../support/podBench.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"
import { plain } from "../support/sessionState.ts"

describe("undo_rewind", () => {
  it.effect("is a conflict once a turn has begun by itself", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* back(bench.handle, "one")
      // What only waits does not count.
      yield* bench.handle.notify("quiet", { wake: false })
      yield* bench.handle.undoRewind
      yield* back(bench.handle, "one")
      const { take } = yield* bench.handle.attach
      yield* bench.handle.notify("wake")
      const call = yield* bench.model.next
      yield* bench.handle.cancel
      yield* until(take, isStatus("idle"))
      expect((yield* Effect.flip(bench.handle.undoRewind)).code).toBe("conflict")
      expect(call.request.messages).not.toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("is a conflict once a run has begun, also after a restart that finds the run undone", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* back(bench.handle, "one")
      const { take } = yield* bench.handle.attach
      yield* bench.handle.run("undone")
      yield* bench.model.next
      yield* bench.handle.cancel
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
      expect((yield* Effect.flip(bench.handle.undoRewind)).code).toBe("conflict")
      const again = yield* open(bench.memory)
      expect((yield* Effect.flip(again.handle.undoRewind)).code).toBe("conflict")
    }).pipe(Effect.scoped)
  )

  it.effect("brings back what the last rewind hid, also after a restart, and only once", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const whole = yield* entriesOf(bench.handle)
      const history = (yield* plain(bench.journal.state)).history
      yield* back(bench.handle, "one")
      const again = yield* open(bench.memory)
      expect(inputs(yield* entriesOf(again.handle))).toEqual([])
      const { take } = yield* again.handle.attach
      expect(yield* again.handle.undoRewind).toMatchObject({ entries: whole.length })
      expect(yield* entriesOf(again.handle)).toEqual(whole)
      expect((yield* plain(again.journal.state)).history).toEqual(history)
      expect((yield* until(take, isStatus("idle"))).map(({ event }) => event)).toEqual(["rewind_applied", "status"])
      expect((yield* Effect.flip(again.handle.undoRewind)).code).toBe("conflict")
    }).pipe(Effect.scoped)
  )

  it.effect("is a conflict once something was said, and without a rewind", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      expect((yield* Effect.flip(bench.handle.undoRewind)).code).toBe("conflict")
      yield* back(bench.handle, "one")
      yield* say(bench, "two")
      expect((yield* Effect.flip(bench.handle.undoRewind)).code).toBe("conflict")
    }).pipe(Effect.scoped)
  )

  it.effect("reads the segment that it is written to, and nothing of what that one goes on behind", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.fork("copy")
      const read = new Set<string>()
      const wrap = (file: SegmentFile): SegmentFile => ({
        ...file,
        read: (from, to) => Effect.suspend(() => (read.add(file.ref.segmentId), file.read(from, to)))
      })
      const copy = yield* open(bench.memory, { name: "copy", wrap })
      yield* say(copy, "two")
      const { history } = yield* plain(copy.journal.state)
      // Once more: what is known has to be as it was.
      for (const words of ["two", "two"]) {
        yield* back(copy.handle, words)
        read.clear()
        yield* copy.handle.undoRewind
        expect(Array.from(read)).toEqual([copy.journal.segmentId()])
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
      }
      const again = yield* open(bench.memory, { name: "copy" })
      expect(yield* plain(copy.journal.state)).toEqual(yield* plain(again.journal.state))
    }).pipe(Effect.scoped)
  )

  it.effect("of two rewinds undoes the last", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      for (const text of ["one", "two", "three"]) yield* say(bench, text)
      yield* back(bench.handle, "three")
      yield* back(bench.handle, "two")
      yield* bench.handle.undoRewind
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["one", "two"])
      const found = yield* open(bench.memory)
      expect(inputs(yield* entriesOf(found.handle))).toEqual(["one", "two"])
    }).pipe(Effect.scoped)
  )
})
