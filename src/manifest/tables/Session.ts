/** `[session]`: how much the journal promises, and what a restart does with a run that was cut. */
import * as Schema from "effect/Schema"
import { defaulted, oneOf } from "../Fields.ts"

export const SessionTable = Schema.Struct({
  durability: defaulted(
    oneOf("fsync", "os"),
    "fsync",
    "`fsync`: accepted input, tool starts and results and run ends survive a power cut. `os`: they survive the process."
  ),
  on_interrupted: defaulted(
    oneOf("idle", "paused", "resume"),
    "idle",
    "What a restart does with a run that a crash cut: wait for new input, hold it for `resume`, or go on."
  ),
  record_event_trace: defaulted(Schema.Boolean, false, "Also keep the ephemeral events, for debugging.")
})
export type SessionTable = typeof SessionTable.Type
