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
import { plain, restarted } from "../support/sessionState.ts"

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

/** What the others are called when they name one another. */
const segments: Readonly<Record<string, string>> = {
  behind: "019e7046-0ea0-7393-8041-21ab76177aee",
  carried: "019e7046-1a58-7861-bd8a-f621275a0252",
  returned: "019e7046-2228-74f7-bbd9-ddd8f8119262"
}
const segmentOf = (name: string): string => segments[name] ?? "019e7044-8800-7000-8000-000000000001"

/** A store with the fixture in it, as the segment of the pod "bench", and with those that are read with it. */
const load = Effect.fnUntraced(function* (name: Name) {
  const memory = MemoryStore.make()
  const bytes = bytesOf(name)
  const [first = ""] = new TextDecoder().decode(bytes).split("\n")
  const sessionId = (JSON.parse(first) as { readonly session_id: string }).session_id
  const ref: SegmentRef = { sessionId, segmentId: segmentOf(name) }
  const { with: others }: { readonly with: ReadonlyArray<string> } = fixtures[name]
  yield* Effect.gen(function* () {
    for (const each of [name, ...others]) {
      const file = yield* (yield* SessionStore).create({ sessionId, segmentId: segmentOf(each) })
      yield* file.append(bytesOf(each), { at: 0, sync: true })
    }
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
  whole: { about: "every kind of entry, each run with its end", status: "idle", interrupted: 0, with: [] },
  paused: { about: "a run that is paused, with a call that has no result", status: "paused", interrupted: 0, with: [] },
  interrupted: { about: "a leg without an end, and input that waits", status: "idle", interrupted: 1, with: [] },
  torn: {
    about: "the same, behind it half a batch that breaks in a character",
    status: "idle",
    interrupted: 1,
    with: []
  },
  rewound: {
    about: "rewinds, one of them undone, with a word said in between",
    status: "idle",
    interrupted: 0,
    with: []
  },
  repaired: { about: "the same once more, cut, closed and gone on with", status: "idle", interrupted: 1, with: [] },
  behind: {
    about: "it goes on behind another, and is left in the middle of a run",
    status: "idle",
    interrupted: 1,
    with: ["whole"]
  },
  carried: {
    about: "it takes that run over, with its inbox and its receipts",
    status: "idle",
    interrupted: 0,
    with: ["behind", "whole"]
  },
  returned: {
    about: "the session as it was far back, and where it was taken back from",
    status: "idle",
    interrupted: 0,
    with: ["whole", "behind", "carried"]
  }
} as const
type Name = keyof typeof fixtures
const names = Object.keys(fixtures) as ReadonlyArray<Name>

describe("format 1", () => {
  for (const name of names) {
    const { about, interrupted, status } = fixtures[name]
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

  it.effect("returned.jsonl: what was taken back can be brought back, over all the segments", () =>
    Effect.gen(function* () {
      const { memory } = yield* load("returned")
      const { handle, journal } = yield* open(memory)
      yield* handle.undoRewind
      const { history } = yield* plain(journal.state)
      expect(jsonOf(history)).toEqual(goldenOf("carried").state["history"])
    }).pipe(Effect.scoped)
  )

  it("has every kind of line that the program writes", () => {
    const lines = names.flatMap((name) =>
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
        "pod.base",
        "pod.carry",
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
