/**
 * From the JSON of a line to the entry it is.
 *
 * What this program wrote is an entry already and is taken as it is, which is what makes a long session quick to read.
 * Anything else (the seed's lines, fields of a later version, nulls where a key may be absent) goes through the schema.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Extension, LogEntry } from "../protocol/LogEntry.ts"
import { PodRecord } from "../protocol/PodRecord.ts"
import { isCanonical } from "./Canonical.ts"

export const isCanonicalEntry = isCanonical(LogEntry)
export const isCanonicalRecord = isCanonical(PodRecord)

type Decode = (json: unknown) => Exit.Exit<LogEntry, unknown>

/** One decoder for each kind: trying a line against all of them takes most of the time of a long replay. */
const decoders: ReadonlyMap<unknown, Decode> = new Map(
  LogEntry.members.map((member) => [
    member.fields.kind.schema.literal,
    Schema.decodeUnknownExit(member as Schema.Codec<LogEntry, unknown>) as Decode
  ])
)

/** Undefined: not an entry that this version knows. */
export const decodeEntry = (json: unknown): LogEntry | undefined => {
  if (isCanonicalEntry(json)) return json
  const { kind } = (json ?? {}) as { readonly kind?: unknown }
  const entry = decoders.get(kind)?.(json)
  return entry !== undefined && Exit.isSuccess(entry) ? entry.value : undefined
}

const decodeSlowly = Schema.decodeUnknownOption(PodRecord)

/** Undefined: the record is of another program or of a later version, or it is malformed. */
export const decodeRecord = ({ domain, payload }: Extension): PodRecord | undefined => {
  if (!domain.startsWith("pod.")) return undefined
  const json: unknown = { domain, payload }
  return isCanonicalRecord(json) ? json : Option.getOrUndefined(decodeSlowly(json))
}
