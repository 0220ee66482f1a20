/** The journal of a place with one pod, as it lies on disk: read strictly, and checked as a whole. */
import * as Schema from "effect/Schema"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { LogEntry } from "../../src/protocol/LogEntry.ts"
import type { Place } from "./cli.ts"

const decode = Schema.decodeUnknownSync(LogEntry, { onExcessProperty: "error" })

export const journalFile = (place: Place): string => {
  const sessions = join(place.home, "data", "sessions")
  const files = readdirSync(sessions, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"))
  if (files.length !== 1) throw new Error(`expected one segment in ${sessions}, found ${files.join(", ") || "none"}`)
  return join(sessions, files[0] as string)
}

/** Every line of the file. The last one must be whole. */
export const readJournal = (place: Place): ReadonlyArray<LogEntry> => {
  const lines = readFileSync(journalFile(place), "utf8").split("\n")
  expect(lines.pop(), "behind the last newline").toBe("")
  return lines.map((line) => decode(JSON.parse(line)))
}

export type Terminal = Extract<LogEntry, { readonly kind: "run_completed" | "run_errored" }>

export const terminals = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<Terminal> =>
  entries.filter((entry): entry is Terminal => entry.kind === "run_completed" || entry.kind === "run_errored")

/** The texts that users have sent, in order. */
export const inputs = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<string> =>
  entries.flatMap((entry) =>
    entry.kind === "user_input"
      ? [entry.segments.map((segment) => (segment.kind === "text" ? segment.content : "")).join("")]
      : []
  )

/** What the assistant has said, in order. */
export const answers = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<string> =>
  entries.flatMap((entry) =>
    entry.kind === "assistant_item" && entry.item.kind === "message"
      ? [entry.item.content.map((part) => (part.kind === "text" ? part.text : "")).join("")]
      : []
  )

interface Record {
  readonly op?: string
  readonly run_id?: string
  readonly leg?: number
  readonly call_id?: string
}

const records = (entries: ReadonlyArray<LogEntry>, domain: string, op: string): ReadonlyArray<Record> =>
  entries.flatMap((entry) => {
    if (entry.kind !== "extension" || entry.domain !== domain) return []
    const payload = entry.payload as Record
    return payload.op === op ? [payload] : []
  })

const once = (what: string, names: ReadonlyArray<string>): void =>
  expect(
    names.filter((name, index) => names.indexOf(name) !== index),
    `${what} twice`
  ).toEqual([])

/**
 * What must hold in the journal of a pod that does nothing now, whatever happened to it: each leg that was started has
 * one end, each tool call one result and at most one start, and a result behind its call.
 */
export const expectSound = (entries: ReadonlyArray<LogEntry>): void => {
  expect(entries[0]?.kind).toBe("segment_start")
  expect(entries[1]).toMatchObject({ kind: "extension", domain: "pod.scope" })
  const started = records(entries, "pod.run", "start").map(({ leg, run_id }) => `${run_id}/${leg}`)
  const ended = terminals(entries).map(({ leg, run_id }) => `${run_id}/${leg}`)
  once("started", started)
  expect(ended.toSorted(), "legs that ended").toEqual(started.toSorted())
  const calls = entries.flatMap((entry) =>
    entry.kind === "assistant_item" && entry.item.kind === "tool_call" ? [entry.item.call_id] : []
  )
  const results = entries.flatMap((entry) => (entry.kind === "tool_result" ? [entry.item.call_id] : []))
  once("answered", results)
  once(
    "run",
    records(entries, "pod.tool", "started").map(({ call_id }) => String(call_id))
  )
  expect(results.toSorted(), "calls that were answered").toEqual(calls.toSorted())
}
