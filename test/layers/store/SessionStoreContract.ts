/** What every `SessionStore` promises. Each layer runs the same suite; `remake` is a new layer over the same state. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type SegmentFile, type SegmentRef, SessionStore } from "../../../src/session/SessionStore.ts"
import type { StorageError } from "../../../src/session/StorageError.ts"

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** A UUIDv7 whose time is `n`. */
export const idOf = (n: number): string => `${n.toString(16).padStart(8, "0")}-0000-7000-8000-000000000000`
export const refOf = (session: number, segment: number): SegmentRef => ({
  sessionId: idOf(session),
  segmentId: idOf(segment)
})

export interface Harness {
  readonly layer: Layer.Layer<SessionStore>
  /** Writes behind the end of a segment as somebody else would. */
  readonly foreign: (ref: SegmentRef, text: string) => void
  readonly saved: (savedTo: string) => string
  readonly isSaved: (savedTo: string) => boolean
}

const whole = (file: SegmentFile) => Effect.map(file.read(0, Number.MAX_SAFE_INTEGER), textOf)

export const sessionStoreContract = (name: string, make: () => Harness): void => {
  const ref = refOf(1, 2)

  const test = <A, E>(title: string, body: (harness: Harness) => Effect.Effect<A, E, SessionStore>) =>
    it.effect(title, () => {
      const harness = make()
      return Effect.provide(body(harness), harness.layer)
    })

  const create = (at: SegmentRef = ref) => Effect.flatMap(SessionStore, (store) => store.create(at))
  const open = (at: SegmentRef = ref) => Effect.flatMap(SessionStore, (store) => store.open(at))
  const refusal = <A, R>(effect: Effect.Effect<A, StorageError, R>) => Effect.flip(effect)

  describe(`${name}: SessionStore`, () => {
    test("appends batches one behind the other and reads any range of them", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* create()
          assert.strictEqual(yield* file.size, 0)
          yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
          yield* file.append(bytesOf("two\n"), { at: 4, sync: true })
          assert.strictEqual(yield* file.size, 8)
          assert.strictEqual(yield* whole(file), "one\ntwo\n")
          assert.strictEqual(textOf(yield* file.read(2, 6)), "e\ntw")
          assert.strictEqual(textOf(yield* file.read(6, 99)), "o\n")
          assert.strictEqual((yield* file.read(8, 99)).length, 0)
          assert.strictEqual((yield* file.read(50, 60)).length, 0)
          assert.strictEqual((yield* file.read(5, 5)).length, 0)
          assert.strictEqual((yield* file.read(5, 2)).length, 0)
        })
      ))

    test("keeps bytes as they are, also far more than one read takes", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* create()
          const big = new Uint8Array(3 * 1024 * 1024 + 7).map((_, i) => i % 251)
          yield* file.append(big, { at: 0, sync: false })
          assert.isTrue(Buffer.from(big).equals(yield* file.read(0, Number.MAX_SAFE_INTEGER)))
          assert.isTrue(Buffer.from(big.subarray(9, -9)).equals(yield* file.read(9, big.length - 9)))
        })
      ))

    test("what was read does not change when the segment grows", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* create()
          yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
          const before = yield* file.read(0, 4)
          before.fill(0)
          yield* file.append(bytesOf("two\n"), { at: 4, sync: false })
          assert.strictEqual(yield* whole(file), "one\ntwo\n")
        })
      ))

    test("a segment is there for the next one who opens it", (harness) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* create()
            yield* file.append(bytesOf("kept\n"), { at: 0, sync: true })
          })
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* open()
            assert.strictEqual(yield* whole(file), "kept\n")
            yield* file.append(bytesOf("more\n"), { at: 5, sync: true })
            assert.strictEqual(yield* whole(file), "kept\nmore\n")
          })
        ).pipe(Effect.provide(harness.layer, { local: true }))
      }))

    test("creating what is there, and opening what is not, are refused", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const absent = yield* refusal(open())
          assert.strictEqual(absent.reason, "NotFound")
          const file = yield* create()
          yield* file.append(bytesOf("kept\n"), { at: 0, sync: false })
          const again = yield* refusal(create())
          assert.strictEqual(again.reason, "Exists")
          assert.include(again.message, ref.segmentId)
          assert.strictEqual(yield* whole(file), "kept\n")
        })
      ))

    test("an append that does not start at the end is refused as moved and changes nothing", (harness) =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* create()
          yield* file.append(bytesOf("mine\n"), { at: 0, sync: false })
          harness.foreign(ref, "theirs\n")
          const error = yield* refusal(file.append(bytesOf("next\n"), { at: 5, sync: true }))
          assert.strictEqual(error.reason, "Moved")
          assert.include(error.message, file.path)
          assert.strictEqual((yield* refusal(file.append(bytesOf("x"), { at: 99, sync: false }))).reason, "Moved")
          assert.strictEqual(yield* whole(file), "mine\ntheirs\n")
          yield* file.append(bytesOf("next\n"), { at: 12, sync: true })
          assert.strictEqual(yield* whole(file), "mine\ntheirs\nnext\n")
        })
      ))

    test("of appends at once for the same place exactly one happens", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* create()
          const done = yield* Effect.forEach(
            // Long enough that all of them are under way before the first is written.
            [400_000, 300_000, 200_000, 100_000].map((length) => `${"x".repeat(length)}\n`),
            (line) =>
              Effect.match(file.append(bytesOf(line), { at: 0, sync: true }), {
                onSuccess: () => line,
                onFailure: (error) => error.reason
              }),
            { concurrency: "unbounded" }
          )
          const winners = done.filter((result) => result !== "Moved")
          assert.strictEqual(winners.length, 1)
          assert.strictEqual(yield* whole(file), winners[0])
        })
      ))

    test("a torn tail is put aside whole, and the next line stands in its place", (harness) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* create()
            yield* file.append(bytesOf("good\n"), { at: 0, sync: true })
          })
        )
        for (const torn of [`{"text":"h\u00e4`, `{"other`]) {
          harness.foreign(ref, torn)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const file = yield* open()
              const { savedTo } = yield* file.cutTail(5)
              assert.strictEqual(harness.saved(savedTo), torn)
              assert.strictEqual(yield* whole(file), "good\n")
            })
          )
        }
        const file = yield* open()
        yield* file.append(bytesOf("next\n"), { at: 5, sync: true })
        assert.strictEqual(yield* whole(file), "good\nnext\n")
      }).pipe(Effect.scoped))

    test("what is not there is not cut; a tail of several lines is", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* create()
          yield* file.append(bytesOf("one\ntwo\nthr"), { at: 0, sync: false })
          for (const keep of [11, 12, -1]) {
            assert.strictEqual((yield* refusal(file.cutTail(keep))).reason, "Moved")
          }
          assert.strictEqual(yield* whole(file), "one\ntwo\nthr")
          yield* file.cutTail(4)
          assert.strictEqual(yield* whole(file), "one\n")
        })
      ))

    test("a linked segment is one of both sessions, and stays in either when the other lets go of it", (harness) =>
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* SessionStore
          const other = { sessionId: idOf(7), segmentId: ref.segmentId }
          const file = yield* create()
          yield* file.append(bytesOf("base\n"), { at: 0, sync: true })
          yield* store.link(ref, other.sessionId)
          yield* store.link(ref, other.sessionId)
          yield* file.append(bytesOf("more\n"), { at: 5, sync: true })
          const linked = yield* open(other)
          assert.strictEqual(yield* whole(linked), "base\nmore\n")
          assert.deepStrictEqual(yield* store.list, [
            { ...other, bytes: 10 },
            { ...ref, bytes: 10 }
          ])
          yield* store.remove(ref)
          assert.deepStrictEqual(yield* store.list, [{ ...other, bytes: 10 }])
          assert.strictEqual((yield* refusal(open())).reason, "NotFound")
          const again = yield* open(other).pipe(Effect.provide(harness.layer, { local: true }))
          assert.strictEqual(yield* whole(again), "base\nmore\n")
          // The file has a name still, but not the one that this writer knows.
          assert.strictEqual((yield* refusal(file.append(bytesOf("x\n"), { at: 10, sync: true }))).reason, "Moved")
          yield* linked.append(bytesOf("last\n"), { at: 10, sync: true })
          assert.strictEqual(yield* whole(linked), "base\nmore\nlast\n")
        })
      ))

    test("what is not there cannot be linked, and nothing is made", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        assert.strictEqual((yield* refusal(store.link(ref, idOf(7)))).reason, "NotFound")
        assert.deepStrictEqual(yield* store.list, [])
      }))

    test("a removed segment is gone, with what was put aside; another one of its session is not", (harness) =>
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* SessionStore
          const file = yield* create()
          yield* file.append(bytesOf("good\ntorn"), { at: 0, sync: true })
          const { savedTo } = yield* file.cutTail(5)
          const neighbour = yield* create(refOf(1, 3))
          yield* neighbour.append(bytesOf("kept\ntorn"), { at: 0, sync: true })
          const kept = yield* neighbour.cutTail(5)
          yield* store.remove(ref)
          yield* store.remove(ref)
          assert.isFalse(harness.isSaved(savedTo))
          assert.strictEqual(harness.saved(kept.savedTo), "torn")
          assert.deepStrictEqual(yield* store.list, [{ ...refOf(1, 3), bytes: 5 }])
          assert.strictEqual(yield* whole(file), "good\n")
          assert.strictEqual((yield* refusal(file.append(bytesOf("x\n"), { at: 5, sync: true }))).reason, "Moved")
          yield* neighbour.append(bytesOf("more\n"), { at: 5, sync: true })
          yield* store.remove(refOf(1, 3))
          assert.deepStrictEqual(yield* store.list, [])
          const anew = yield* create()
          assert.strictEqual(yield* anew.size, 0)
        })
      ))

    test("lists every segment of every session, newest first, with its size", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* SessionStore
          assert.deepStrictEqual(yield* store.list, [])
          for (const [session, segment] of [
            [1, 5],
            [3, 300],
            [1, 2],
            [3, 4]
          ] as const) {
            const file = yield* create(refOf(session, segment))
            yield* file.append(bytesOf("x".repeat(segment)), { at: 0, sync: false })
          }
          assert.deepStrictEqual(yield* store.list, [
            { ...refOf(3, 300), bytes: 300 },
            { ...refOf(1, 5), bytes: 5 },
            { ...refOf(3, 4), bytes: 4 },
            { ...refOf(1, 2), bytes: 2 }
          ])
        })
      ))
  })
}
