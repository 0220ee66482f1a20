/**
 * What travels on a connection and stands in a log, as JSON Schema (draft 2020-12) for programs in other languages.
 *
 * It describes lines as they are read: optional keys may be missing, unknown keys are allowed and ignored.
 * Events are those of both protocols, since a client may speak either.
 */
import * as Schema from "effect/Schema"
import { Event } from "./Event.ts"
import { LogEntry } from "./LogEntry.ts"
import { Method } from "./Method.ts"
import { protocols } from "./Protocols.ts"
import { SeedError, SeedRunEnd } from "./SeedEvent.ts"

const self = (title: string, schema: Schema.Top): Schema.JsonObject => {
  const document = Schema.toJsonSchemaDocument(schema)
  const definitions = document.definitions as Schema.JsonObject
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    ...(document.schema as Schema.JsonObject),
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

/** Built on call: only `effect-pod schema` wants them. */
export const jsonSchemas = (): {
  readonly protocol: ReadonlyArray<number>
  readonly method: Schema.JsonObject
  readonly event: Schema.JsonObject
  readonly log_entry: Schema.JsonObject
} => ({
  protocol: protocols,
  method: self("Method: one line from a client to a pod", Method),
  event: self(
    "Event: one line from a pod to a client",
    // All other lines of the seed protocol are native ones, too.
    Schema.Union([...Event.members, SeedRunEnd, SeedError])
  ),
  log_entry: self("LogEntry: one line of a segment file, one entry of a snapshot", LogEntry)
})
