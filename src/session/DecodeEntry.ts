/** One line's JSON as an entry of the log, and an extension's payload as a record of ours. */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Extension, LogEntry } from "../protocol/LogEntry.ts"
import { PodRecord } from "../protocol/PodRecord.ts"

type Decode = (json: unknown) => Exit.Exit<LogEntry, unknown>

/** One decoder for each kind: trying a line against all of them takes most of the time of a long replay. */
const decoders: ReadonlyMap<unknown, Decode> = new Map(
  LogEntry.members.map((member) => [
    member.fields.kind.schema.literal,
    Schema.decodeUnknownExit(member as Schema.Codec<LogEntry, unknown>) as Decode
  ])
)

const decodeAnyRecord = Schema.decodeUnknownOption(PodRecord)

/** Undefined if it is no entry that this version knows. */
export const decodeEntry = (json: unknown): LogEntry | undefined => {
  const { kind } = (json ?? {}) as { readonly kind?: unknown }
  const exit = decoders.get(kind)?.(json)
  return exit !== undefined && Exit.isSuccess(exit) ? exit.value : undefined
}

/** Undefined for other programs' domains and for malformed payloads. */
export const decodeRecord = ({ domain, payload }: Extension): PodRecord | undefined =>
  domain.startsWith("pod.") ? Option.getOrUndefined(decodeAnyRecord({ domain, payload })) : undefined
