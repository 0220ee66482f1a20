/** Who the pod is and what it may do, as told to every client that connects. Made once at start. */
import * as Schema from "effect/Schema"
import { Count, defaulted } from "./Fields.ts"
import { ScopeRules } from "./ScopeRule.ts"

/** A place of the scope as commands really see it. `hidden`: it is there, and nothing of it can be seen. */
export const SandboxMount = Schema.Struct({
  path: Schema.String,
  access: Schema.Literals(["read", "write", "hidden"])
})
export type SandboxMount = typeof SandboxMount.Type

/** `mounts` and `narrower` may be cut short; `network` and both are there only if commands are fenced. */
export const SandboxReport = Schema.Struct({
  mode: Schema.Literals(["none", "bubblewrap"]),
  enforced: Schema.Boolean,
  reason: Schema.String,
  network: Schema.optionalKey(Schema.Literals(["allow", "deny"])),
  mounts: Schema.optionalKey(Schema.Array(SandboxMount)),
  /** Where commands may do less than the file tools, and why. */
  narrower: Schema.optionalKey(Schema.Array(Schema.String)),
  /** What a fence usually stops and this machine's does not, and why. */
  weaker: Schema.optionalKey(Schema.Array(Schema.String))
})
export type SandboxReport = typeof SandboxReport.Type

/** `scope` is what is enforced: links in its targets resolved, denies included, the pod's own directories with it. */
export const Greeting = Schema.Struct({
  pod_name: Schema.String,
  cwd: Schema.String,
  provider: Schema.String,
  model: Schema.String,
  scope_summary: Schema.String,
  tools: Schema.Array(Schema.String),
  scope: Schema.optionalKey(ScopeRules),
  context_window: defaulted(Count, 0),
  context_tokens: defaulted(Count, 0),
  sandbox: Schema.optionalKey(SandboxReport),
  notes: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Greeting = typeof Greeting.Type
