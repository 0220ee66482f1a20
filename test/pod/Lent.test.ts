/** A segment with two names: a fork's base, which the pod that wrote it goes on in. On a real disk. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as JsonLinesStore from "../../layers/store/JsonLinesStore.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as PodFiles from "../../layers/store/PodFiles.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { tempDir } from "../layers/store/TempDir.ts"
import { type BenchOptions, open } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"

/** A pod that has said something, and a fork of it. */
const forked = Effect.gen(function* () {
  const root = yield* tempDir
  const sessionsDir = Path.join(root, "sessions")
  const stores = Layer.merge(
    JsonLinesStore.layer({ sessionsDir }),
    PodFiles.layer({ podsDir: Path.join(root, "pods") })
  )
  const start = (name: string, options?: BenchOptions) => open(MemoryStore.make(), { stores, name, ...options })
  const source = yield* start("source")
  yield* say(source, "one")
  const { session_id } = yield* source.handle.fork("copy")
  const lent = { sessionId: session_id, segmentId: source.ref.segmentId }
  const path = Path.join(sessionsDir, source.ref.sessionId, `${source.ref.segmentId}.jsonl`)
  return { lent, path, source, start, stores }
})

describe("a segment that a fork shares", () => {
  it.live("is gone on behind when it is named: nobody finds another pod's lines in its past", () =>
    Effect.gen(function* () {
      const { lent, path, source, start } = yield* forked
      yield* source.handle.notify("waits", { wake: false })
      const before = Fs.readFileSync(path, "utf8")
      const copy = yield* start("copy", { session: lent })
      expect(copy.journal.segmentId()).not.toBe(lent.segmentId)
      expect(yield* copy.handle.inbox).toEqual([])
      yield* say(copy, "theirs")
      expect(Fs.readFileSync(path, "utf8")).toBe(before)
      yield* say(source, "two")
      expect(source.journal.segmentId()).toBe(source.ref.segmentId)
      expect(inputs(yield* entriesOf((yield* start("source")).handle))).toEqual(["one", "two"])
      const again = yield* start("copy")
      expect(again.journal.segmentId()).toBe(copy.journal.segmentId())
      expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["theirs", "one"])
    }).pipe(Effect.scoped)
  )

  it.live("is gone on behind when metadata name it, and stays it", () =>
    Effect.gen(function* () {
      const { lent, path, source, start, stores } = yield* forked
      const active = { session_id: lent.sessionId, segment_id: lent.segmentId }
      yield* Effect.provide(
        Effect.flatMap(PodStore, (pods) => pods.update("copy", { active })),
        stores
      )
      const before = Fs.readFileSync(path, "utf8")
      const copy = yield* start("copy")
      const { history } = yield* plain(source.journal.state)
      expect((yield* plain(copy.journal.state)).history).toEqual(history)
      expect(Fs.readFileSync(path, "utf8")).toBe(before)
      expect((yield* start("copy")).journal.segmentId()).toBe(copy.journal.segmentId())
      yield* say(copy, "theirs")
      expect(Fs.readFileSync(path, "utf8")).toBe(before)
    }).pipe(Effect.scoped)
  )

  it.live("keeps a write that is under way at its end, and a run that goes on", () =>
    Effect.gen(function* () {
      const { lent, path, source, start } = yield* forked
      yield* source.handle.run("goes on")
      yield* source.model.next
      Fs.appendFileSync(path, '{"kind":"user_in')
      const before = Fs.readFileSync(path, "utf8")
      const copy = yield* start("copy", { session: lent, onInterrupted: "resume" })
      expect(Fs.readFileSync(path, "utf8")).toBe(before)
      expect(Fs.readdirSync(Path.dirname(path)).filter((name) => name.includes(".torn-"))).toEqual([])
      expect(copy.journal.state.run).toBeUndefined()
      const request = yield* say(copy, "theirs")
      expect(JSON.stringify(request)).toContain("goes on")
    }).pipe(Effect.scoped)
  )

  it.live("is gone on behind by each of two forks whose source was deleted", () =>
    Effect.gen(function* () {
      const { lent, source, start, stores } = yield* forked
      const second = yield* source.handle.fork("second")
      const sessions = yield* Effect.provide(SessionStore, stores)
      yield* sessions.remove(source.ref)
      const one = yield* start("copy", { session: lent })
      yield* say(one, "of the first")
      const two = yield* start("second", { session: { ...lent, sessionId: second.session_id } })
      yield* say(two, "of the second")
      expect((yield* two.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["of the second", "one"])
      // The last one that has it may go on in it.
      yield* sessions.remove({ ...lent, sessionId: second.session_id })
      expect((yield* start("copy", { session: lent })).journal.segmentId()).toBe(lent.segmentId)
    }).pipe(Effect.scoped)
  )

  it.live("is written to by its own pod alone, whichever way it comes back to it", () =>
    Effect.gen(function* () {
      const { path, source, start } = yield* forked
      // Into a segment behind it, and back: an undo goes on behind what it finds, and takes nothing over.
      const copy = yield* start("copy")
      yield* say(copy, "two")
      const left = copy.journal.segmentId()
      yield* back(copy.handle, "one")
      yield* copy.handle.fork("late")
      yield* copy.handle.undoRewind
      expect(copy.journal.segmentId()).not.toBe(left)
      yield* copy.handle.fork("later")
      const before = Fs.readFileSync(path, "utf8")
      yield* say(copy, "three")
      expect(inputs(yield* entriesOf((yield* start("late")).handle))).toEqual([])
      const later = yield* start("later")
      expect((yield* later.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
      expect(Fs.readFileSync(path, "utf8")).toBe(before)
      expect(source.journal.bytes()).toBe(before.length)
    }).pipe(Effect.scoped)
  )
})
