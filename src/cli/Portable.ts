/**
 * The portable file of a session: JSON lines, a header and then the entries of the log, each without its place in a
 * batch. Control records (`pod.*`) are not in it: inbox and receipts belong to the pod that has them.
 *
 * In the format of the seed there is no header, and entries have the seed's fields alone: its reader takes it as a segment.
 */
import * as Schema from "effect/Schema"
import { Count } from "../protocol/Fields.ts"
import { defaultConfig } from "../protocol/LogEntry.ts"

/** The version of the header and of what it promises. */
export const portableVersion = 1

export const Header = Schema.Struct({
  export: Schema.Literal("effect-pod"),
  version: Count,
  format: Schema.Literal("native"),
  name: Schema.String,
  /** Of the entries: the version of `pod.format`. */
  log_format: Count,
  /** How many follow. A file that has fewer was cut. */
  entries: Count,
  ts: Count,
  /** Where the pod worked. */
  cwd: Schema.optionalKey(Schema.String)
})
export type Header = typeof Header.Type

const ours = new Set([
  "more",
  "run_id",
  "leg",
  "key",
  "turn",
  "block",
  "provider",
  "outcome",
  "truncated",
  "output_path",
  "duration_ms",
  "media",
  "task",
  "tasks",
  "seen",
  "command",
  "commands"
])

type Entry = Readonly<Record<string, Schema.Json>>

const without = (entry: Entry, names: ReadonlySet<string>): Entry =>
  Object.fromEntries(Object.entries(entry).filter(([key]) => !names.has(key)))

const ofBatch = new Set(["more"])

export const nativeEntry = (entry: Entry): Entry => without(entry, ofBatch)

export const seedEntry = (entry: Entry): Entry => without(entry, ours)

/** What the reader of the seed wants first, for a log that has lost it: a start, and a scope. */
export const seedOpening = (
  sessionId: string,
  ts: number,
  has: { readonly start: boolean; readonly scope: boolean }
) => [
  ...(has.start
    ? []
    : [{ kind: "segment_start", ts, session_id: sessionId, system_prompt: null, config: defaultConfig, history: [] }]),
  ...(has.scope ? [] : [{ kind: "extension", ts, domain: "pod.scope", payload: { allow: [], deny: [] } }])
]
