/**
 * The files that the model knows, folded from the results of calls: each says which file it has shown or written, and
 * what that file held.
 *
 * They follow the log: what a rewind hides the model has not seen, and what it brings back it has. So a restart and a
 * fork know what the conversation shows, and a conversation that begins anew knows nothing.
 */
import * as HashMap from "effect/HashMap"
import type { LogEntry } from "../protocol/LogEntry.ts"

/** A value: the hash of the content by real path. Each change makes a new one that shares the rest. */
export type SeenFiles = HashMap.HashMap<string, string>

export const none: SeenFiles = HashMap.empty()

export const apply = (seen: SeenFiles, entry: LogEntry): SeenFiles => {
  if (entry.kind === "segment_start") return none
  if (entry.kind !== "tool_result" || entry.seen === undefined) return seen
  return HashMap.set(seen, entry.seen.path, entry.seen.sha256)
}
