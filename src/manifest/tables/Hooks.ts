/** `[hooks]`: commands that are asked at six points of a run. What they get and may answer is in `docs/manifest.md`. */
import * as Schema from "effect/Schema"
import { hookPoints } from "../../protocol/Hook.ts"
import { defaulted, DurationText, matching, oneOf, required, Text } from "../Fields.ts"

const several = <S extends Schema.Top>(element: S, expected: string) =>
  Schema.Array(element).check(Schema.isMinLength(1, { expected }))

export const HookCommand = Schema.Struct({
  name: required(
    matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a name: 1 to 64 of the characters A-Z a-z 0-9 . _ -"),
    "What records and alerts call it."
  ),
  on: required(several(oneOf(...hookPoints), "an array with at least one point"), "The points at which it is asked."),
  command: required(
    several(Text, "an array that begins with a program"),
    "Program and arguments. No shell comes between; a program with a slash in it is a path."
  ),
  tool: defaulted(
    Text,
    "*",
    "`pre_tool_call` and `post_tool_call`: only for tools of this name; `*` any run of characters, `?` exactly one."
  ),
  timeout: defaulted(DurationText, "30 seconds", "For one answer; then it is ended with all that it started."),
  env_allow: defaulted(Schema.Array(Text), [], "Names of environment variables that it sees beyond the usual few.")
})
export type HookCommand = typeof HookCommand.Type

export const HooksTable = Schema.Struct({
  command: defaulted(Schema.Array(HookCommand), [], "Asked in order; the first that decides has decided.")
})
export type HooksTable = typeof HooksTable.Type
