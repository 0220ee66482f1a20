/**
 * What the journal writes is read without the schema, and the schema agrees: over everything the schemas can hold, over
 * the examples of the format, over thousands of broken ones, and over what a pod really writes.
 */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { type Extension, LogEntry } from "../../src/protocol/LogEntry.ts"
import { PodRecord } from "../../src/protocol/PodRecord.ts"
import { encodeLine } from "../../src/protocol/Wire.ts"
import { decodeEntry, decodeRecord, isCanonicalEntry, isCanonicalRecord } from "../../src/session/DecodeEntry.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { fixture } from "../protocol/fixture.ts"
import { fileOf, names, open, until } from "../support/podBench.ts"
import { generator } from "../support/World.ts"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

const bySchema = Schema.decodeUnknownOption(LogEntry)
const recordBySchema = Schema.decodeUnknownOption(PodRecord)
const isExtension = Schema.is(Schema.Struct({ kind: Schema.Literal("extension"), domain: Schema.String }))

const overTheFile = (value: object): unknown => JSON.parse(encodeLine(value))
const examples = ["log-entries", "native-entries"].flatMap((name) => fixture(name).map((line) => JSON.parse(line)))

/** What is asked of every value, whichever way it is read. True if it was read without the schema. */
const agrees = (json: unknown): boolean => {
  const expected = Option.getOrUndefined(bySchema(json))
  assert.deepStrictEqual(decodeEntry(json), expected)
  const quick = isCanonicalEntry(json)
  if (quick) assert.deepStrictEqual(json, expected)
  if (!isExtension(json)) return quick
  const { domain, payload } = json as unknown as Extension
  const record = domain.startsWith("pod.") ? Option.getOrUndefined(recordBySchema({ domain, payload })) : undefined
  assert.deepStrictEqual(decodeRecord(json as unknown as Extension), record)
  if (isCanonicalRecord({ domain, payload })) assert.deepStrictEqual({ domain, payload } as unknown, record)
  return quick
}

describe("read without the schema", () => {
  it.prop(
    "every entry that the schema can hold, as it is written",
    [Arbitrary.schema(LogEntry)],
    ([entry]) => assert.isTrue(agrees(overTheFile(entry)), encodeLine(entry)),
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "every record of ours that the schema can hold, as it is written",
    [Arbitrary.schema(PodRecord)],
    ([record]) => {
      const json = overTheFile(record)
      assert.isTrue(isCanonicalRecord(json), encodeLine(record))
      assert.deepStrictEqual(json, Option.getOrUndefined(recordBySchema(json)))
    },
    { arbitrary: { runs: 500 } }
  )

  it("every example of the format", () => {
    for (const example of examples) assert.isTrue(agrees(example), JSON.stringify(example))
  })

  it("a list of many values, which is long and not deep", () => {
    const outcome = Array.from({ length: 1_000 }, (_, id) => ({ id }))
    assert.isTrue(isCanonicalRecord({ domain: "pod.mark", payload: { op: "rollback", from: 0, to: 0, outcome } }))
  })

  it.effect("every line of a pod that ran, waited, was stopped, undone and started again", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const begun = yield* Deferred.make<void>()
      const stuck = Tool.make({
        name: "Stuck",
        description: "never ends",
        parameters: Schema.Struct({}),
        idempotent: false,
        run: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      })
      const first = yield* open(memory, { tools: [stuck] })
      const { take } = yield* first.handle.attach
      const ended = ({ run_id }: { readonly run_id: string }) =>
        until(take, (event) => event.event === "run_end" && event.data.run_id === run_id)
      yield* first.handle.run("one", { key: "k1" })
      const one = yield* first.model.next
      const later = yield* first.handle.run("later", { delivery: "queue" })
      yield* first.handle.notify("by the way")
      yield* one.answer("done")
      yield* Effect.flatMap(first.model.next, (call) => call.answer("done too"))
      yield* ended(later)
      const undone = yield* first.handle.run("undone")
      yield* first.model.next
      yield* first.handle.cancel
      yield* ended(undone)
      yield* first.handle.run("cut")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      const second = yield* open(memory)
      yield* second.handle.run("on")
      yield* Effect.flatMap(second.model.next, (call) => call.answer("well"))
      yield* second.handle.shutdown
      const lines = fileOf(memory, first.ref)
      expect(
        Array.from(new Set(names(lines)))
          .toSorted()
          .join(", ")
      ).toBe(
        "assistant_item, invoke, llm_usage, pod.format, pod.inbox add, pod.inbox take, pod.mark rollback, " +
          "pod.receipt, pod.run start, pod.scope, pod.tool started, run_completed, run_errored, segment_start, " +
          "system_item, tool_result, turn_end, user_input"
      )
      const records = lines.filter(isExtension) as ReadonlyArray<object> as ReadonlyArray<Extension>
      expect(lines.filter((line) => !isCanonicalEntry(line))).toEqual([])
      expect(records.filter(({ domain, payload }) => !isCanonicalRecord({ domain, payload }))).toEqual([])
    }).pipe(Effect.scoped)
  )
})

const words = ["", "text", "message", "unknown", "run", "pod.mark", "undo", "extra", "more", "turn", "content"]
const numbers = [0, -1, 1.5, 2 ** 53, 2 ** 32, Infinity]
const objects = [{}, { kind: "text" }, { kind: "text", text: "t" }, { op: "undo", mark: 3 }]
const odd = ['{"__proto__":{"kind":"text"}}', `${"[".repeat(70)}${"]".repeat(70)}`].map(
  (json) => JSON.parse(json) as Json
)
const strange: ReadonlyArray<Json> = [null, true, false, [], [null], ["text"], ...numbers, ...words, ...objects, ...odd]

/** One thing in it is another: a value replaced, a key dropped, added or named anew, an element doubled. */
const mutated = (value: Json, random: () => number): Json => {
  const pick = <A>(list: ReadonlyArray<A>): A => list[Math.floor(random() * list.length)] as A
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : []
  if (keys.length === 0 || random() < 0.1) return pick(strange)
  const key = pick(keys)
  const at = Number(key)
  if (Array.isArray(value)) {
    const list = value as ReadonlyArray<Json>
    const action = random()
    if (action < 0.15) return list.toSpliced(at, 1)
    if (action < 0.3) return [...list, random() < 0.5 ? pick(list) : pick(strange)]
    return list.with(at, mutated(list[at] as Json, random))
  }
  const { [key]: inner, ...rest } = value as { readonly [key: string]: Json }
  const action = random()
  if (action < 0.1) return rest
  if (action < 0.2) return { ...rest, [key]: inner as Json, [pick(words)]: pick(strange) }
  if (action < 0.25) return { ...rest, [`${key}_`]: inner as Json }
  return { ...rest, [key]: mutated(inner as Json, random) }
}

describe("read like the schema reads it", () => {
  it("20,000 examples with something changed", () => {
    const random = generator(7)
    let quick = 0
    let read = 0
    for (let i = 0; i < 20_000; i++) {
      let json = examples[i % examples.length] as Json
      for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes--) json = mutated(json, random)
      if (agrees(json)) quick += 1
      else if (decodeEntry(json) !== undefined) read += 1
    }
    // All three ways were gone often: without the schema, with it, and not at all.
    expect(quick).toBeGreaterThan(1_000)
    expect(read).toBeGreaterThan(1_000)
    expect(20_000 - quick - read).toBeGreaterThan(1_000)
  })

  it.each([null, undefined, 3, "segment_start", [], {}, { kind: "unheard" }, { kind: ["invoke"] }])(
    "%j is no entry",
    (json) => assert.isUndefined(decodeEntry(json))
  )
})
