/** Who the pod is and what it may do, as told to every client that connects. Made once at start. */
import * as Schema from "effect/Schema"
import { Count, defaulted } from "./Fields.ts"

export const SandboxReport = Schema.Struct({
  mode: Schema.Literals(["none", "bubblewrap"]),
  enforced: Schema.Boolean,
  reason: Schema.String
})
export type SandboxReport = typeof SandboxReport.Type

export const Greeting = Schema.Struct({
  pod_name: Schema.String,
  cwd: Schema.String,
  provider: Schema.String,
  model: Schema.String,
  scope_summary: Schema.String,
  tools: Schema.Array(Schema.String),
  context_window: defaulted(Count, 0),
  context_tokens: defaulted(Count, 0),
  sandbox: Schema.optionalKey(SandboxReport),
  notes: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Greeting = typeof Greeting.Type
