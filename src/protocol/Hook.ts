/** The six points of a run at which hooks are asked, or told. */
import * as Schema from "effect/Schema"

export const hookPoints = [
  "on_prompt_submit",
  "pre_llm_request",
  "pre_tool_call",
  "post_tool_call",
  "on_turn_end",
  "on_abort"
] as const

export const HookPoint = Schema.Literals(hookPoints)
export type HookPoint = typeof HookPoint.Type
