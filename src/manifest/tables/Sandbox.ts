/** `[sandbox]`: whether commands are fenced by the operating system. */
import * as Schema from "effect/Schema"
import { defaulted, oneOf, Text } from "../Fields.ts"

export const SandboxTable = Schema.Struct({
  mode: defaulted(
    oneOf("auto", "required", "off"),
    "auto",
    "`auto` runs unfenced where there is no sandbox, and says so; `required` refuses to start; `off` never fences."
  ),
  network: defaulted(oneOf("allow", "deny"), "allow", "Whether fenced commands reach the network."),
  env_allow: defaulted(Schema.Array(Text), [], "Names of environment variables that commands see beyond the usual few.")
})
export type SandboxTable = typeof SandboxTable.Type
