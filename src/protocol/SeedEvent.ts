/**
 * The events of the seed protocol: all 36, and no word that its readers do not know.
 *
 * A reader of that protocol ends its connection over one unknown event name or enum string, so this type is what keeps
 * the projection honest. Fields that the seed does not have may stand on a line; they are ignored there.
 */
import * as Schema from "effect/Schema"
import { CommonEvent, Completions } from "./Event.ts"
import { defaulted } from "./Fields.ts"
import { Greeting } from "./Greeting.ts"
import { LogEntry } from "./LogEntry.ts"
import { SeedErrorCode, SeedRunResult, SeedStatus } from "./Status.ts"

export const SeedRunEnd = Schema.Struct({
  event: Schema.tag("run_end"),
  data: Schema.Struct({ result: SeedRunResult })
})

export const SeedError = Schema.Struct({
  event: Schema.tag("error"),
  data: Schema.Struct({ code: SeedErrorCode, message: Schema.String })
})

export const SeedEvent = Schema.Union([
  ...CommonEvent.members,
  Schema.Struct({ event: Schema.tag("status"), data: Schema.Struct({ status: SeedStatus }) }),
  SeedError,
  SeedRunEnd,
  Completions,
  Schema.Struct({
    event: Schema.tag("snapshot"),
    data: Schema.Struct({
      entries: Schema.Array(LogEntry),
      greeting: Greeting,
      status: defaulted(SeedStatus, "idle")
    })
  })
])
export type SeedEvent = typeof SeedEvent.Type
export type SeedEventName = SeedEvent["event"]
