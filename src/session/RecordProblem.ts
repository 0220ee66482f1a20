/**
 * What is wrong with a committed record of ours. A record that is passed over takes what it says with it: an input, a
 * scope, the end of a leg. So one that makes no sense is a damaged line, like one that is no JSON.
 */
import type { LogEntry } from "../protocol/LogEntry.ts"
import { decodeRecord } from "./DecodeEntry.ts"

/** Undefined if nothing is wrong, or if the entry is no record of ours. `line` is where it stands in the file. */
export const recordProblem = (entry: LogEntry, line: number): string | undefined => {
  if (entry.kind !== "extension" || !entry.domain.startsWith("pod.")) return undefined
  const record = decodeRecord(entry)
  if (record === undefined) return `not a record that this version knows (${entry.domain})`
  if (record.domain !== "pod.mark") return undefined
  const mark = record.payload
  const isBehind = mark.op === "undo" ? mark.mark < line : mark.from <= mark.to && mark.to <= line
  return isBehind ? undefined : "a mark of lines that do not stand in front of it"
}
