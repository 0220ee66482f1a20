/**
 * The items of the model's context, in order: in memory, or as places in segment files that are read when they are
 * needed.
 *
 * Replay leaves places, so that a start costs neither the time nor the memory of a conversation that nobody has asked
 * for yet. The first request after it reads them once.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LoggedItem } from "../protocol/Item.ts"
import type { LogEntry } from "../protocol/LogEntry.ts"
import type { Media } from "../protocol/Media.ts"
import { decodeEntry } from "./DecodeEntry.ts"
import { itemsOf } from "./EntryItems.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

/** One element of the model's context. Items of one generation share `turn`. */
export interface HistoryItem {
  readonly item: LoggedItem
  readonly turn: number | undefined
  /** Where it was made, if it holds what only that vendor takes back. */
  readonly provider?: unknown
  /** What belongs to a tool's result besides its text. */
  readonly media?: ReadonlyArray<Media>
}

/** A line of a segment file: its bytes `from` ≤ i < `to`. */
export interface LinePlace {
  readonly file: SegmentFile
  readonly from: number
  readonly to: number
}

/** One of the items that a line stands for. A long session has very many: each is one object, not two. */
interface StoredItem extends LinePlace {
  readonly index: number
}

export type HistorySlot = HistoryItem | StoredItem

/** Bytes of one read. */
const windowBytes = 256 * 1024

export class History {
  private slots: Array<HistorySlot> = []

  get length(): number {
    return this.slots.length
  }

  push(item: HistoryItem): void {
    this.slots.push(item)
  }

  /** The `index`-th of the items that the entry at this place stands for. */
  pushStored({ file, from, to }: LinePlace, index: number): void {
    this.slots.push({ file, from, to, index })
  }

  truncate(length: number): void {
    this.slots.length = Math.min(this.slots.length, length)
  }

  clear(): void {
    this.slots = []
  }

  /** Takes over what another history holds. */
  become(other: History): void {
    this.slots = Array.from(other.slots)
  }

  /** Not a copy: of a history that nothing changes any more. */
  get settled(): ReadonlyArray<HistorySlot> {
    return this.slots
  }

  /** Every item as of now. What has to be read is kept for the next time. */
  readonly items: Effect.Effect<ReadonlyArray<HistoryItem>, StorageError> = Effect.suspend(() => {
    const slots = this.slots
    if (!slots.some(isStored)) return Effect.succeed(Array.from(slots) as ReadonlyArray<HistoryItem>)
    const asked = Array.from(slots)
    return Effect.map(Stream.runCollect(read(asked)), (runs) => {
      const items = runs.flat()
      // The journal may have changed the history meanwhile: only what still stands where it stood is replaced.
      if (this.slots === slots) {
        for (const [i, slot] of asked.entries()) if (slots[i] === slot) slots[i] = items[i] as HistoryItem
      }
      return items
    })
  })
}

const isStored = (slot: HistorySlot): slot is StoredItem => "file" in slot

/** The items of these slots in runs, read from their files a window at a time: never more than one is held. */
export const read = (slots: ReadonlyArray<HistorySlot>): Stream.Stream<ReadonlyArray<HistoryItem>, StorageError> =>
  Stream.paginate(
    0,
    Effect.fnUntraced(function* (at: number): Effect.fn.Return<Page, StorageError> {
      const items = yield* run(slots, at)
      const next = at + items.length
      return [[items], next < slots.length ? Option.some(next) : Option.none()]
    })
  )

type Page = readonly [ReadonlyArray<ReadonlyArray<HistoryItem>>, Option.Option<number>]

/** From the slot `first` on, as far as one window reaches. */
const run = Effect.fnUntraced(function* (
  slots: ReadonlyArray<HistorySlot>,
  first: number
): Effect.fn.Return<ReadonlyArray<HistoryItem>, StorageError> {
  const items: Array<HistoryItem> = []
  const text = new TextDecoder()
  let window: { readonly file: SegmentFile; readonly from: number; readonly bytes: Uint8Array } | undefined
  let line: { readonly from: number; readonly entry: LogEntry } | undefined
  for (let i = first; i < slots.length; i++) {
    const slot = slots[i] as HistorySlot
    if (!isStored(slot)) {
      items.push(slot)
      continue
    }
    const { file, from, index, to } = slot
    if (window === undefined) window = { file, from, bytes: yield* file.read(from, Math.max(to, from + windowBytes)) }
    else if (window.file !== file || from < window.from || to > window.from + window.bytes.length) return items
    if (line?.from !== from) {
      const bytes = window.bytes.subarray(from - window.from, to - window.from)
      line = { from, entry: yield* parse(slot, text.decode(bytes)) }
    }
    const item = itemsOf(line.entry)[index]
    if (item === undefined) return yield* changed(slot)
    items.push({ item, turn: turnOf(line.entry), ...apartFromText(line.entry) })
  }
  return items
})

/** The entry that stands there. The line was read and checked once; that it cannot be now means that the file is not what it was. */
export const parse = (place: LinePlace, text: string): Effect.Effect<LogEntry, StorageError> =>
  Effect.suspend(() => {
    try {
      const entry = decodeEntry(JSON.parse(text))
      return entry === undefined ? changed(place) : Effect.succeed(entry)
    } catch {
      return changed(place)
    }
  })

const changed = ({ file, from }: LinePlace) =>
  Effect.fail(
    new StorageError({
      reason: "Corrupt",
      operation: "read",
      path: file.path,
      byte: from,
      message: `${file.path}, byte ${from}: the line is not what it was when the session was opened`,
      hint: "somebody has changed the file; keep a copy of it, then run effect-pod repair"
    })
  )

/** For `HistoryItem`: of most entries nothing. */
export const apartFromText = (entry: LogEntry): Pick<HistoryItem, "media" | "provider"> => {
  if (entry.kind === "assistant_item" && entry.provider !== undefined) return { provider: entry.provider }
  return entry.kind === "tool_result" && entry.media !== undefined ? { media: entry.media } : {}
}

const turnOf = (entry: LogEntry): number | undefined =>
  entry.kind === "assistant_item" || entry.kind === "tool_result" ? entry.turn : undefined
