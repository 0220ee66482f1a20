import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { type LoggedItem, message } from "../../src/protocol/Item.ts"
import { defaultConfig as config, type LogEntry } from "../../src/protocol/LogEntry.ts"
import { encodeLine } from "../../src/protocol/Wire.ts"
import type { Attachment } from "../../src/session/Attachment.ts"
import { none } from "../../src/session/Tasks.ts"
import { History } from "../../src/session/History.ts"
import { LogIndex } from "../../src/session/LogIndex.ts"
import { readText } from "../../src/session/LogReader.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { fresh, open } from "../support/podBench.ts"
import { forked, past } from "../support/longPast.ts"
import { say, target } from "../support/talk.ts"

const piecesOf = (attachment: Attachment, from = 0, to?: number) => Stream.runCollect(attachment.entries(from, to))
const parsed = (pieces: ReadonlyArray<string>) => JSON.parse(`[${pieces.join("")}]`) as ReadonlyArray<LogEntry>
const fileKey = { kind: "segment_start" }

describe("the log of a file that editors have been at", () => {
  it.effect("is what a replay has read: without marks of the byte order, blank lines and carriage returns", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const line = (text: string) =>
        encodeLine({ kind: "user_input", ts: 1, segments: [{ kind: "text", content: text }] })
      const odd = `\ufeff${line("two")}\n  \n\ufeff${line("three").replace("\n", "\r\n")}${line("four")}`
      bench.memory.write(bench.ref, new TextEncoder().encode(odd))
      const { handle } = yield* open(bench.memory)
      const log = parsed(yield* piecesOf(yield* handle.attach))
      const said = log.flatMap((entry) => (entry.kind === "user_input" ? entry.segments : []))
      expect(said.map((segment) => (segment.kind === "text" ? segment.content : ""))).toEqual([
        "one",
        "two",
        "three",
        "four"
      ])
    }).pipe(Effect.scoped)
  )
})

describe("the log of a pod that goes on behind a long past", () => {
  it.effect("comes in short pieces, which are the log with the past filled in", () =>
    Effect.gen(function* () {
      const copy = yield* forked
      yield* say(copy, "two")
      const pieces = yield* piecesOf(yield* copy.handle.attach)
      expect(pieces.length).toBeGreaterThan(3)
      expect(Math.max(...pieces.map((text) => text.length))).toBeLessThan(300_000)
      const log = parsed(pieces)
      expect(log[0]).toMatchObject({ ...fileKey, forked_from: {}, history: past })
      expect(pieces.join("")).toBe(log.map((entry) => encodeLine(entry).trimEnd()).join(","))
    }).pipe(Effect.scoped)
  )

  it.effect("is the same when it is read by the entry, and from any entry to any other", () =>
    Effect.gen(function* () {
      const copy = yield* forked
      yield* say(copy, "two")
      const attachment = yield* copy.handle.attach
      const log = parsed(yield* piecesOf(attachment))
      const { entries, total } = yield* copy.handle.readEntries(0, 1_000)
      expect(entries.map((text) => JSON.parse(text) as unknown)).toEqual(log)
      expect(total).toBe(log.length)
      for (const [from, to] of [
        [0, 1],
        [0, 2],
        [1, 3],
        [2, total + 5],
        [0, 0],
        [total, total]
      ] as const) {
        expect(parsed(yield* piecesOf(attachment, from, to))).toEqual(log.slice(from, to))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("stays exact over two segments behind each other, and when the model has read it before", () =>
    Effect.gen(function* () {
      const copy = yield* forked
      yield* say(copy, "two")
      yield* copy.handle.fork("third")
      const third = yield* open(copy.memory, { name: "third" })
      const before = yield* piecesOf(yield* third.handle.attach)
      const said = [
        { kind: "message", role: "user", content: [{ kind: "text", text: "two" }] },
        { kind: "message", role: "assistant", content: [{ kind: "text", text: "answer to two" }] }
      ]
      expect(parsed(before)[0]).toMatchObject({ ...fileKey, history: [...past, ...said] })
      // Its items are in memory when it goes on behind itself.
      yield* say(third, "three")
      const ref = { ...third.ref, segmentId: (yield* third.handle.segmentId) ?? "" }
      copy.memory.write(ref, new TextEncoder().encode("\n"))
      yield* say(third, "four")
      const pieces = yield* piecesOf(yield* third.handle.attach)
      expect(Math.max(...pieces.map((text) => text.length))).toBeLessThan(300_000)
      expect(parsed(pieces)[0]).toMatchObject({ ...fileKey, history: [...past, ...said, {}, {}] })
    }).pipe(Effect.scoped)
  )

  it.effect("is whole when there is nothing in that past", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.fork("copy", (yield* target(bench.handle, "one")).id)
      const copy = yield* open(bench.memory, { name: "copy" })
      expect(parsed(yield* piecesOf(yield* copy.handle.attach))[0]).toMatchObject({ ...fileKey, history: [] })
    }).pipe(Effect.scoped)
  )

  it.effect("comes in short pieces when all of the past is one line, or in memory", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionStore
      const items = Array.from({ length: 2_000 }, (_, i) => message("user", `${i}`.repeat(150)))
      const start = (history: ReadonlyArray<LoggedItem>) =>
        new TextEncoder().encode(
          encodeLine({ kind: "segment_start", ts: 1, session_id: "s", system_prompt: null, config, history })
        )
      const written = Effect.fnUntraced(function* (segmentId: string, bytes: Uint8Array) {
        const file = yield* sessions.create({ sessionId: "s", segmentId })
        yield* file.append(bytes, { at: 0, sync: false })
        return { file, from: 0, to: bytes.length }
      })
      const base = yield* written("base", start(items))
      const { file, to } = yield* written("fork", start([]))
      const index = new LogIndex()
      index.add(to, false)
      const inFile = new History()
      const inMemory = new History()
      for (const [i, item] of items.entries()) {
        inFile.pushStored(base, i)
        inMemory.push({ item, turn: undefined })
      }
      for (const history of [inFile, inMemory]) {
        const log = { file, view: index.view(), inherited: { state: { history, tasks: none } } }
        const pieces = yield* Stream.runCollect(readText(log, 0, 1))
        expect(Math.max(...pieces.map((text) => text.length))).toBeLessThan(300_000)
        expect(parsed(pieces)).toEqual([expect.objectContaining({ ...fileKey, history: items })])
      }
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )
})
