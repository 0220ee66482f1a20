/**
 * What a hook may decide, point by point. A command writes it as JSON, a program returns it; both are read with the same
 * schemas. Sizes are bounded, because what a hook adds is part of every later request.
 */
import * as Schema from "effect/Schema"
import type { HookPoint } from "../protocol/Hook.ts"

const maxReason = 2_000
const maxItem = 32 * 1024
const maxItems = 16

const Reason = Schema.String.check(Schema.isMaxLength(maxReason))
/** Texts that become part of the conversation, in the pod's voice. */
const Items = Schema.Array(Schema.String.check(Schema.isMaxLength(maxItem))).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(maxItems)
)

const Continue = Schema.Struct({ decision: Schema.tag("continue") })
const Pause = Schema.Struct({ decision: Schema.tag("pause") })
const Abort = Schema.Struct({ decision: Schema.tag("abort"), reason: Reason })
const Cancel = Schema.Struct({ decision: Schema.tag("cancel"), reason: Reason })
const ContinueWith = Schema.Struct({ decision: Schema.tag("continue_with"), items: Items })

/** `cancel`: the input is taken back, and the model never sees it. */
export const PromptDecision = Schema.Union([Continue, ContinueWith, Cancel])
export type PromptDecision = typeof PromptDecision.Type

/** `yield`: the conversation is to be made shorter first, where that can be done. */
export const RequestDecision = Schema.Union([
  Continue,
  ContinueWith,
  Cancel,
  Schema.Struct({ decision: Schema.tag("yield") })
])
export type RequestDecision = typeof RequestDecision.Type

/** `skip`: the call is answered with the reason, as an error. `pause`: no call of the response runs. */
export const CallDecision = Schema.Union([
  Continue,
  Schema.Struct({ decision: Schema.tag("skip"), reason: Schema.optionalKey(Reason) }),
  Schema.Struct({
    decision: Schema.tag("synthetic_result"),
    summary: Reason,
    content: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(maxItem))),
    is_error: Schema.optionalKey(Schema.Boolean)
  }),
  Abort,
  Pause
])
export type CallDecision = typeof CallDecision.Type

export const ResultDecision = Schema.Union([Continue, Abort])
export type ResultDecision = typeof ResultDecision.Type

export const TurnEndDecision = Schema.Union([
  Schema.Struct({ decision: Schema.tag("finish") }),
  Schema.Struct({ decision: Schema.tag("continue_with_messages"), items: Items }),
  Pause
])
export type TurnEndDecision = typeof TurnEndDecision.Type

/** Nothing can be decided any more. */
export const AbortDecision = Continue
export type AbortDecision = typeof AbortDecision.Type

export interface Decisions {
  readonly on_prompt_submit: PromptDecision
  readonly pre_llm_request: RequestDecision
  readonly pre_tool_call: CallDecision
  readonly post_tool_call: ResultDecision
  readonly on_turn_end: TurnEndDecision
  readonly on_abort: AbortDecision
}

const schemas: { readonly [P in HookPoint]: Schema.Codec<Decisions[P], unknown> } = {
  on_prompt_submit: PromptDecision,
  pre_llm_request: RequestDecision,
  pre_tool_call: CallDecision,
  post_tool_call: ResultDecision,
  on_turn_end: TurnEndDecision,
  on_abort: AbortDecision
}

/** Undefined: it is no decision of this point. */
export const decode = <P extends HookPoint>(point: P, value: unknown): Decisions[P] | undefined => {
  const decoded = Schema.decodeUnknownOption(schemas[point])(value)
  return decoded._tag === "Some" ? decoded.value : undefined
}

/** The words that leave things as they are. */
export const goesOn = ({ decision }: { readonly decision: string }): boolean =>
  decision === "continue" || decision === "finish"
