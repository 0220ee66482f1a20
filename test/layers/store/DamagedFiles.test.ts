/**
 * Files that were cut or changed on the disk. A restore takes the longest run of whole batches, or refuses with the
 * place of the first line that cannot be read; it never breaks and never makes anything up.
 *
 * What must come out is told by a reader of its own, which knows nothing of `Replay` but `Fold.apply`.
 */
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as JsonLinesStore from "../../../layers/store/JsonLinesStore.ts"
import { LogEntry } from "../../../src/protocol/LogEntry.ts"
import { isControl, PodRecord } from "../../../src/protocol/PodRecord.ts"
import * as Fold from "../../../src/session/Fold.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import type { StorageError } from "../../../src/session/StorageError.ts"
import { plain, restarted } from "../../support/sessionState.ts"
import { generator } from "../../support/World.ts"
import { refOf } from "./SessionStoreContract.ts"
import { tempDir } from "./TempDir.ts"

const fixture = (name: string): Uint8Array =>
  Fs.readFileSync(fileURLToPath(new URL(`../../fixtures/format1/${name}.jsonl`, import.meta.url)))

/** Every kind of entry and record, marks, several languages. */
const log = fixture("repaired")
const newline = 0x0a

interface Sound {
  readonly state: string
  readonly lines: number
  readonly entries: number
  readonly bytes: number
}

interface Refused {
  readonly line: number
  readonly byte: number
}

interface Line {
  readonly entry: LogEntry
  readonly end: number
}

const decodeEntry = Schema.decodeUnknownExit(LogEntry)
const decodeRecord = Schema.decodeUnknownExit(PodRecord)

/** The line, or undefined if it is none: not text, not JSON, not an entry, not a record of ours that makes sense. */
const lineIn = (bytes: Uint8Array): LogEntry | undefined => {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    const exit = decodeEntry(json)
    if (Exit.isFailure(exit)) return undefined
    const entry = exit.value
    if (entry.kind !== "extension" || !entry.domain.startsWith("pod.")) return entry
    return Exit.isSuccess(decodeRecord({ domain: entry.domain, payload: entry.payload })) ? entry : undefined
  } catch {
    return undefined
  }
}

const markIn = (entry: LogEntry) =>
  entry.kind === "extension" && entry.domain === "pod.mark"
    ? (entry.payload as { readonly op: string; readonly from: number; readonly to: number })
    : undefined

const isNewer = (entry: LogEntry): boolean =>
  entry.kind === "extension" &&
  entry.domain === "pod.format" &&
  (entry.payload as { readonly version: number }).version > 1

/** What the bytes say, or where they stop to make sense. */
const expected = (bytes: Uint8Array): Sound | Refused | "Newer" => {
  const lines: Array<Line> = []
  let whole = 0
  let start = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, start)) {
    const entry = lineIn(bytes.subarray(start, at))
    const mark = entry === undefined ? undefined : markIn(entry)
    // A mark hides what stands in front of it, never itself and nothing that is still to come.
    const isBackward = mark === undefined || (mark.from <= mark.to && mark.to <= lines.length)
    if (entry === undefined || !isBackward) return { line: lines.length, byte: start }
    if (isNewer(entry)) return "Newer"
    lines.push({ entry, end: at + 1 })
    if ((entry.more ?? 0) === 0) whole = lines.length
    start = at + 1
  }
  const kept = lines.slice(0, whole)
  const hidden = kept.flatMap(({ entry }) => markIn(entry) ?? [])
  const state = Fold.make()
  let entries = 0
  kept.forEach(({ entry }, at) => {
    const isShown = !isControl(entry) && !hidden.some(({ from, to }) => at >= from && at < to)
    if (isShown) entries += 1
    if (isShown || isControl(entry)) Fold.apply(state, entry)
  })
  return {
    state: textOf(Effect.runSync(Effect.orDie(plain(state)))),
    lines: whole,
    entries,
    bytes: kept.at(-1)?.end ?? 0
  }
}

/** The same for parts of one text; what stands behind the last newline makes no difference. */
const expectedOfCut = () => {
  const known = new Map<number, ReturnType<typeof expected>>()
  return (part: Uint8Array) => {
    const lines = part.lastIndexOf(newline)
    const result = known.get(lines) ?? expected(part)
    known.set(lines, result)
    return result
  }
}

const textOf = (state: object): string =>
  JSON.stringify(state, (_, value: unknown) => (value instanceof Map ? [...value] : value))

const found = (exit: Exit.Exit<{ readonly state: object; readonly index: Indexed }, StorageError>): unknown => {
  if (Exit.isSuccess(exit)) {
    const { index, state } = exit.value
    return { state: textOf(state), lines: index.lines, entries: index.entries, bytes: index.bytes }
  }
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") return Cause.pretty(exit.cause)
  const { byte, line, message, path, reason } = error.value
  if (reason === "Newer") return reason
  const isNamed = message.includes(`${path}, line ${(line ?? -1) + 1}, byte ${byte}`)
  return isNamed && reason === "Corrupt" ? { line, byte } : message
}

interface Indexed {
  readonly lines: number
  readonly entries: number
  readonly bytes: number
}

/** A real file with these bytes, open for as long as the Scope, and a way to change them behind the store's back. */
const damaged = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const sessionsDir = yield* tempDir
  const ref = refOf(1, 2)
  const path = Path.join(sessionsDir, ref.sessionId, `${ref.segmentId}.jsonl`)
  Fs.mkdirSync(Path.dirname(path))
  Fs.writeFileSync(path, bytes)
  const store = JsonLinesStore.layer({ sessionsDir })
  const file = yield* Effect.flatMap(SessionStore, ({ open }) => open(ref)).pipe(Effect.provide(store))
  const fd = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.openSync(path, "r+")),
    (open) => Effect.sync(() => Fs.closeSync(open))
  )
  const restored = restarted(file).pipe(Effect.scoped, Effect.provide(store), Effect.exit, Effect.map(found))
  return { fd, restored }
})

describe("a file that was cut", () => {
  it.effect(
    "at any byte: what was whole is there, what was not is not",
    () =>
      Effect.gen(function* () {
        const bytes = fixture("paused")
        const { fd, restored } = yield* damaged(bytes)
        const wanted = expectedOfCut()
        for (let cut = bytes.length; cut >= 0; cut--) {
          Fs.ftruncateSync(fd, cut)
          assert.deepStrictEqual(yield* restored, wanted(bytes.subarray(0, cut)), `cut at byte ${cut}`)
        }
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect(
    "with marks, repairs and several languages, at the ends of lines and in the middle of characters",
    () =>
      Effect.gen(function* () {
        const { fd, restored } = yield* damaged(log)
        const wanted = expectedOfCut()
        const random = generator(1)
        for (let cut = log.length; cut >= 0; cut--) {
          const around = log.subarray(Math.max(0, cut - 2), cut + 2)
          if (!around.includes(newline) && !around.some((byte) => byte >= 0x80) && random() > 0.02) continue
          Fs.ftruncateSync(fd, cut)
          assert.deepStrictEqual(yield* restored, wanted(log.subarray(0, cut)), `cut at byte ${cut}`)
        }
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a file in which bits have changed", () => {
  const flips = Number(process.env["EFFECT_POD_SEEDS"] ?? 2_000)

  it.effect(
    "is read as it stands, or refused with file, line and byte",
    () =>
      Effect.gen(function* () {
        const { fd, restored } = yield* damaged(log)
        const random = generator(2)
        const counts = { read: 0, refused: 0 }
        for (let n = 0; n < flips; n++) {
          const at = Math.floor(random() * log.length)
          const bit = 1 << Math.floor(random() * 8)
          const byte = log[at] as number
          const changed = Uint8Array.from(log)
          changed[at] = byte ^ bit
          Fs.writeSync(fd, changed, at, 1, at)
          const got = yield* restored
          Fs.writeSync(fd, log, at, 1, at)
          const wanted = expected(changed)
          assert.deepStrictEqual(got, wanted, `bit ${bit} of byte ${at}`)
          counts[typeof wanted === "object" && "state" in wanted ? "read" : "refused"] += 1
        }
        assert.isAbove(counts.read, flips / 10)
        assert.isAbove(counts.refused, flips / 10)
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect(
    "several of them at once, and the end cut off",
    () =>
      Effect.gen(function* () {
        const { fd, restored } = yield* damaged(log)
        const random = generator(3)
        for (let n = 0; n < flips / 3; n++) {
          const changed = Uint8Array.from(log).subarray(0, Math.floor(random() * log.length))
          for (let flip = 0; flip < 4; flip++) {
            const at = Math.floor(random() * changed.length)
            if (changed.length > 0) changed[at] = (changed[at] as number) ^ (1 << Math.floor(random() * 8))
          }
          Fs.ftruncateSync(fd, 0)
          Fs.writeSync(fd, changed, 0, changed.length, 0)
          assert.deepStrictEqual(yield* restored, expected(changed), `seed ${n}`)
        }
      }).pipe(Effect.scoped),
    60_000
  )
})
