/**
 * Files of format 1, as they were written when it began. They are never written again: this and every later version
 * reads them, and reads the same.
 *
 * A golden result has the fold of the file and the lines that the log shows. A fold may know more one day; what is
 * in the golden result must be in it.
 */
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { LogEntry } from "../../src/protocol/LogEntry.ts"
import * as Schema from "effect/Schema"
import { PodStore } from "../../src/session/PodStore.ts"
import { type SegmentRef, SessionStore } from "../../src/session/SessionStore.ts"
import { fileOf, isEvent, open, until } from "../support/podBench.ts"
import { restarted } from "../support/sessionState.ts"

const directory = fileURLToPath(new URL("../fixtures/format1/", import.meta.url))
const isEntry = Schema.is(LogEntry)
const bytesOf = (name: string): Uint8Array => Fs.readFileSync(`${directory}${name}.jsonl`)

interface Golden {
  readonly lines: number
  readonly bytes: number
  readonly torn_bytes: number
  /** Lines of the file that are entries of the log. */
  readonly log: ReadonlyArray<number>
  readonly state: Readonly<Record<string, unknown>>
}

const goldenOf = (name: string) => JSON.parse(Fs.readFileSync(`${directory}${name}.golden.json`, "utf8")) as Golden

/** A store with the fixture in it, as the segment of the pod "bench". */
const load = Effect.fnUntraced(function* (name: string) {
  const memory = MemoryStore.make()
  const bytes = bytesOf(name)
  const [first = ""] = new TextDecoder().decode(bytes).split("\n")
  const sessionId = (JSON.parse(first) as { readonly session_id: string }).session_id
  const ref: SegmentRef = { sessionId, segmentId: "019e7044-8800-7000-8000-000000000001" }
  yield* Effect.gen(function* () {
    const file = yield* (yield* SessionStore).create(ref)
    yield* file.append(bytes, { at: 0, sync: true })
    yield* (yield* PodStore).update("bench", {
      active: { session_id: ref.sessionId, segment_id: ref.segmentId },
      cwd: "/w"
    })
  }).pipe(Effect.scoped, Effect.provide(memory.layer))
  return { bytes, memory, ref }
})

const jsonOf = (state: object): unknown =>
  JSON.parse(JSON.stringify(state, (_, value: unknown) => (value instanceof Map ? [...value] : value)))

/** What each of them is about, and how the pod stands that is started on it. */
const fixtures = {
  whole: { about: "every kind of entry, each run with its end", status: "idle", interrupted: 0 },
  paused: { about: "a run that is paused, with a call that has no result", status: "paused", interrupted: 0 },
  interrupted: { about: "a leg without an end, and input that waits", status: "idle", interrupted: 1 },
  torn: { about: "the same, behind it half a batch that breaks in a character", status: "idle", interrupted: 1 },
  rewound: { about: "rewinds, one of them undone, with a word said in between", status: "idle", interrupted: 0 },
  repaired: { about: "the same once more, cut, closed and gone on with", status: "idle", interrupted: 1 }
} as const

describe("format 1", () => {
  for (const [name, { about, interrupted, status }] of Object.entries(fixtures)) {
    it.effect(`${name}.jsonl, ${about}: folds to what it always was`, () =>
      Effect.gen(function* () {
        const golden = goldenOf(name)
        const { bytes, memory, ref } = yield* load(name)
        const { index, state, tornBytes } = yield* Effect.flatMap(SessionStore, (store) =>
          Effect.flatMap(store.open(ref), restarted)
        ).pipe(Effect.provide(memory.layer))
        expect(jsonOf(state)).toMatchObject(golden.state)
        expect([index.lines, index.bytes, tornBytes]).toEqual([golden.lines, golden.bytes, golden.torn_bytes])
        const view = index.view()
        expect(view.total).toBe(golden.log.length)
        const decode = new TextDecoder()
        const lines = decode.decode(bytes.subarray(0, golden.bytes)).split("\n")
        const shown = view.ranges(0, view.total, 1).map(({ from, to }) => decode.decode(bytes.subarray(from, to - 1)))
        expect(shown).toEqual(golden.log.map((line) => lines[line]))
      }).pipe(Effect.scoped)
    )

    it.effect(`${name}.jsonl: a pod goes on from it, and leaves every line as it is`, () =>
      Effect.gen(function* () {
        const golden = goldenOf(name)
        const { bytes, memory, ref } = yield* load(name)
        const { handle, model } = yield* open(memory)
        expect(yield* handle.status).toBe(status)
        const { take } = yield* handle.attach
        const { run_id } = yield* handle.run("still there?")
        yield* Effect.flatMap(model.next, (call) => call.answer("yes"))
        yield* until(take, (event) => isEvent("run_end")(event) && JSON.stringify(event).includes(run_id))
        const after = memory.bytes(ref) ?? new Uint8Array(0)
        expect(Buffer.compare(after.subarray(0, golden.bytes), bytes.subarray(0, golden.bytes))).toBe(0)
        const entries = fileOf(memory, ref)
        expect(entries.filter((entry) => !isEntry(entry))).toEqual([])
        const cut = entries.filter((entry) => entry.kind === "run_errored" && entry.outcome?.result === "interrupted")
        expect(cut).toHaveLength(interrupted)
        const torn = Array.from(memory.cutTails().values(), (tail) => [...tail])
        expect(torn).toEqual(golden.torn_bytes > 0 ? [[...bytes.subarray(golden.bytes)]] : [])
      }).pipe(Effect.scoped)
    )
  }

  it("has every kind of line that the program writes", () => {
    const lines = Object.keys(fixtures).flatMap((name) =>
      new TextDecoder()
        .decode(bytesOf(name).subarray(0, goldenOf(name).bytes))
        .trimEnd()
        .split("\n")
    )
    const kinds = new Set(
      lines.map((line) => {
        const { domain, kind } = JSON.parse(line) as { readonly kind: string; readonly domain?: string }
        return domain ?? kind
      })
    )
    expect([...kinds].toSorted()).toEqual(
      [
        "assistant_item",
        "invoke",
        "llm_usage",
        "pod.format",
        "pod.inbox",
        "pod.mark",
        "pod.receipt",
        "pod.repair",
        "pod.run",
        "pod.scope",
        "pod.tool",
        "run_completed",
        "run_errored",
        "segment_start",
        "system_item",
        "tool_result",
        "turn_end",
        "user_input"
      ].toSorted()
    )
  })
})
