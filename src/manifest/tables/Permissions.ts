/** `[permissions]`: which tool calls run, which do not, and which ask first. Evaluated in `../PermissionRules.ts`. */
import * as Schema from "effect/Schema"
import { defaulted, DurationText, oneOf, required, Text } from "../Fields.ts"

const Action = oneOf("allow", "deny", "ask")
export type PermissionAction = typeof Action.Type

export const PermissionRule = Schema.Struct({
  tool: required(Text, "The tool's name, in any case."),
  pattern: required(
    Schema.String,
    "What the call's target must look like: `*` any run of characters, `?` exactly one."
  ),
  action: required(Action, "`allow`, `deny` or `ask`.")
})
export type PermissionRule = typeof PermissionRule.Type

export const PermissionsTable = Schema.Struct({
  default_action: required(Action, "For calls that no rule matches; required if the table is there."),
  rule: defaulted(Schema.Array(PermissionRule), [], "Tried in order; the first match decides."),
  ask_timeout: defaulted(DurationText, "10 minutes", "How long a call waits for an answer; then it is denied.")
})
export type PermissionsTable = typeof PermissionsTable.Type
