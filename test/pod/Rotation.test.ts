/** Moving to another segment, where the store fails, stands still or gives less than it was given. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import type { Draft } from "../../src/session/Announce.ts"
import { concat, encode } from "../../src/session/Batch.ts"
import * as Lineage from "../../src/session/Lineage.ts"
import { maxDepth, replay } from "../../src/session/Replay.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { fresh, open, rest } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"

const foreign = new TextEncoder().encode(
  '{"kind":"user_input","ts":1,"segments":[{"kind":"text","content":"foreign"}]}\n'
)

const failed = new StorageError({ reason: "Io", operation: "sync", path: "pods", message: "EIO", code: "EIO" })

/** A store of pods that a test can break. */
const breakable = () => {
  const memory = MemoryStore.make()
  const broken = { behind: false, before: false, get: false }
  const pods = Layer.effect(
    PodStore,
    Effect.map(PodStore, (real) =>
      PodStore.of({
        ...real,
        get: (name) => (broken.get ? Effect.fail(failed) : real.get(name)),
        update: (name, fields) =>
          broken.before
            ? Effect.fail(failed)
            : Effect.andThen(real.update(name, fields), broken.behind ? Effect.fail(failed) : Effect.void)
      })
    )
  ).pipe(Layer.provide(memory.layer))
  const sessions = Layer.effectContext(Effect.map(SessionStore, (service) => Context.make(SessionStore, service))).pipe(
    Layer.provide(memory.layer)
  )
  return { memory: { ...memory, layer: Layer.merge(sessions, pods) } satisfies MemoryStore.MemoryStore, broken }
}

/** A fork that has said something of its own: its way back leads over two segments. */
const forked = Effect.fnUntraced(function* (memory: MemoryStore.MemoryStore) {
  const bench = yield* open(memory)
  yield* say(bench, "one")
  yield* bench.handle.fork("copy")
  const copy = yield* open(memory, { name: "copy" })
  yield* say(copy, "two")
  return copy
})

describe("a move to another segment", () => {
  it.effect("that fails although the metadata name the new segment already has happened", () =>
    Effect.gen(function* () {
      const { broken, memory } = breakable()
      const copy = yield* forked(memory)
      broken.behind = true
      yield* back(copy.handle, "one")
      broken.behind = false
      yield* say(copy, "three")
      const again = yield* open(memory, { name: "copy" })
      expect(inputs(yield* entriesOf(again.handle))).toEqual(["three"])
    }).pipe(Effect.scoped)
  )

  it.effect("that fails while the metadata name the old one has not, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { broken, memory } = breakable()
      const copy = yield* forked(memory)
      const segments = memory.segments().length
      broken.before = true
      for (let i = 0; i < 5; i++) expect((yield* Effect.flip(back(copy.handle, "one"))).code).toBe("storage_error")
      expect(memory.segments()).toHaveLength(segments)
      broken.before = false
      yield* say(copy, "three")
      const again = yield* open(memory, { name: "copy" })
      expect(inputs(yield* entriesOf(again.handle))).toEqual(["two", "three"])
    }).pipe(Effect.scoped)
  )

  it.effect("of which nobody can tell stops every write until a restart has looked", () =>
    Effect.gen(function* () {
      const { broken, memory } = breakable()
      const copy = yield* forked(memory)
      broken.behind = true
      broken.get = true
      expect((yield* Effect.flip(back(copy.handle, "one"))).code).toBe("storage_error")
      broken.behind = false
      broken.get = false
      const refused = yield* Effect.flip(copy.handle.run("three"))
      expect([refused.code, refused.hint]).toEqual(["storage_error", expect.stringContaining("restart")])
      const again = yield* open(memory, { name: "copy" })
      yield* say(again, "four")
      expect(inputs(yield* entriesOf(again.handle))).toEqual(["four"])
    }).pipe(Effect.scoped)
  )

  it.effect("on a store that stands still is given up, and the pod can be closed", () =>
    Effect.gen(function* () {
      const seen = new Set<string>()
      let still = false
      const bench = yield* fresh({
        wrap: (file) => {
          seen.add(file.ref.segmentId)
          const isFirst = seen.size === 1
          return {
            ...file,
            append: (bytes, options) => (still && !isFirst ? Effect.never : file.append(bytes, options))
          }
        }
      })
      yield* say(bench, "one")
      bench.memory.write(bench.ref, foreign)
      still = true
      const answered = yield* Effect.forkChild(Effect.flip(bench.handle.run("two")))
      yield* rest
      yield* TestClock.adjust("61 seconds")
      expect((yield* Fiber.join(answered)).code).toBe("storage_error")
      const closed = yield* Effect.forkChild(bench.handle.shutdown)
      yield* rest
      expect(closed.pollUnsafe()).toBeDefined()
    }).pipe(Effect.scoped)
  )

  it.effect("for a rewind, where somebody else has written meanwhile, is made on what is ours", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      bench.memory.write(bench.ref, foreign)
      yield* back(bench.handle, "two")
      expect((yield* plain(bench.journal.state)).history).toHaveLength(2)
      const again = yield* open(bench.memory)
      expect((yield* plain(again.journal.state)).history).toHaveLength(2)
      yield* again.handle.undoRewind
      expect((yield* plain(again.journal.state)).history).toHaveLength(4)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps an undo possible: nothing was said by it", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const { history } = yield* plain(bench.journal.state)
      yield* back(bench.handle, "two")
      bench.memory.write(bench.ref, foreign)
      yield* bench.handle.notify("quiet", { wake: false })
      const again = yield* open(bench.memory)
      yield* again.handle.undoRewind
      expect((yield* plain(again.journal.state)).history).toEqual(history)
      const last = yield* open(bench.memory)
      expect((yield* plain(last.journal.state)).history).toEqual(history)
    }).pipe(Effect.scoped)
  )
})

describe("a file that gives less than it was given", () => {
  it.effect("refuses the rewind that needs it, and the pod goes on", () =>
    Effect.gen(function* () {
      let short = false
      const bench = yield* fresh({
        wrap: (file) => ({
          ...file,
          read: (from, to) => (short ? Effect.succeed(new Uint8Array(0)) : file.read(from, to))
        })
      })
      yield* say(bench, "one")
      yield* say(bench, "two")
      short = true
      expect((yield* Effect.flip(back(bench.handle, "two"))).code).toBe("storage_error")
      short = false
      yield* say(bench, "three")
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["one", "two", "three"])
    }).pipe(Effect.scoped)
  )
})

/** As many segments as a start reads, one behind another, each with a word of its own; a pod is in the last one. */
const longest = Effect.fnUntraced(function* (memory: MemoryStore.MemoryStore) {
  const bench = yield* open(memory)
  yield* say(bench, "first")
  yield* bench.handle.fork("copy")
  const sessions = yield* Effect.provide(SessionStore, memory.layer)
  const pods = yield* Effect.provide(PodStore, memory.layer)
  const { active } = Option.getOrThrow(yield* pods.get("copy"))
  const sessionId = active?.session_id ?? ""
  const [from] = bench.journal.files()
  let base = {
    segment: from?.ref.segmentId ?? "",
    entries: bench.journal.source().view.total,
    bytes: bench.journal.bytes()
  }
  for (let depth = 1; depth <= maxDepth; depth++) {
    const segmentId = `01990000-0000-7000-8000-${String(depth).padStart(12, "0")}`
    const word: Draft = { kind: "user_input", segments: [{ kind: "text", content: `word ${depth}` }] }
    const drafts = [...Lineage.fork(bench.journal.state, { sessionId, base, turns: 1 }), word]
    const bytes = concat(encode(drafts, 1).pieces)
    const file = yield* Effect.scoped(sessions.create({ sessionId, segmentId }))
    yield* file.append(bytes, { at: 0, sync: false })
    base = { segment: segmentId, entries: 3, bytes: bytes.length }
  }
  yield* pods.update("copy", { active: { session_id: sessionId, segment_id: base.segment } })
  return yield* open(memory, { name: "copy" })
})

describe("segments behind segments", () => {
  it.effect(
    "are as many as a start reads: what would need one more is refused, and the pod goes on",
    () =>
      Effect.gen(function* () {
        const memory = MemoryStore.make()
        const copy = yield* longest(memory)
        expect(copy.journal.files()).toHaveLength(maxDepth + 1)
        yield* say(copy, "last")
        const refused = yield* Effect.flip(copy.handle.fork("deeper"))
        expect([refused.code, refused.message]).toEqual(["invalid_request", expect.stringContaining("1000 segments")])
        // One less is behind this one.
        yield* back(copy.handle, `word ${maxDepth - 1}`)
        const segment = copy.journal.segmentId()
        const segments = memory.segments().length
        const undone = yield* Effect.flip(copy.handle.undoRewind)
        expect([undone.code, undone.message, undone.hint]).toEqual([
          "storage_error",
          expect.stringContaining("more than 1000 segments"),
          expect.stringContaining("export and import")
        ])
        expect([copy.journal.segmentId(), memory.segments().length]).toEqual([segment, segments])
        yield* say(copy, "goes on")
        const again = yield* open(memory, { name: "copy" })
        expect(again.journal.segmentId()).toBe(segment)
        expect(inputs(yield* entriesOf(again.handle))).toEqual(["goes on"])
        yield* again.handle.fork("shallow")
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect("are read once each, however many have marks", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      let name = "bench"
      for (let depth = 1; depth <= 6; depth++) {
        const pod = yield* open(memory, { name })
        yield* say(pod, `a${depth}`)
        yield* say(pod, `b${depth}`)
        yield* back(pod.handle, `b${depth}`)
        yield* say(pod, `c${depth}`)
        name = `p${depth}`
        yield* pod.handle.fork(name)
      }
      const sessions = yield* Effect.provide(SessionStore, memory.layer)
      const pods = yield* Effect.provide(PodStore, memory.layer)
      const active = Option.getOrThrow(yield* pods.get(name)).active
      const file = yield* sessions.open({ sessionId: active?.session_id ?? "", segmentId: active?.segment_id ?? "" })
      let opens = 0
      yield* replay(file, {
        sessions: {
          open: (ref) => {
            opens += 1
            return sessions.open(ref)
          }
        }
      })
      expect(opens).toBe(6)
    }).pipe(Effect.scoped)
  )
})

describe("what is held", () => {
  it.effect("is the same for a pod that was restarted: nothing is where nothing waits", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* back(bench.handle, "one")
      const woken = yield* Effect.forkChild(bench.handle.notify("wake"))
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("ok"))
      expect(Exit.isSuccess(yield* Fiber.await(woken))).toBe(true)
      yield* rest
      yield* bench.handle.notify("quiet", { wake: false })
      expect(yield* bench.handle.waitingOn).toBeNull()
      const again = yield* open(bench.memory)
      expect(yield* again.handle.waitingOn).toBeNull()
    }).pipe(Effect.scoped)
  )
})
