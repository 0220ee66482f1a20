/**
 * A hook: what a program, or a command of the manifest, has to say at six points of a run.
 *
 * A hook sees summaries and returns a decision; it changes neither call nor result. Nothing returned means: go on. Keys of
 * inputs are those of the JSON that a command gets.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { HookPoint } from "../protocol/Hook.ts"
import type { Decisions } from "./Decision.ts"

/** The hook could not decide. `message` is shown to whoever watches, so it holds nothing that is secret. */
export class HookError extends Schema.TaggedError<HookError>()("HookError", { message: Schema.String }) {}

export interface InRun {
  readonly run_id: string
  readonly leg: number
}

export interface Inputs {
  /** `turn_index` counts the users' inputs of this process, from 1. */
  readonly on_prompt_submit: InRun & { readonly input_text: string; readonly turn_index: number }
  /** `item_count`: items of the conversation. `estimated_tokens`: those of the last request, if it was measured. */
  readonly pre_llm_request: InRun & {
    readonly item_count: number
    readonly estimated_tokens?: number
    readonly turn_index: number
    readonly tool_calls_this_turn: number
  }
  readonly pre_tool_call: InRun & {
    readonly call_id: string
    readonly tool_name: string
    readonly arguments: Schema.JsonObject
  }
  /** `output` is what the tool has returned, before anything of it is cut for the model. */
  readonly post_tool_call: InRun & {
    readonly call_id: string
    readonly tool_name: string
    readonly is_error: boolean
    readonly output: { readonly summary: string; readonly content?: string }
  }
  /** `final_text_preview`: the beginning of the answer, at most 512 bytes. `continued`: times that hooks said to go on. */
  readonly on_turn_end: InRun & {
    readonly turn_index: number
    readonly tool_calls_count: number
    readonly final_text_preview: string
    readonly continued: number
  }
  readonly on_abort: InRun & { readonly reason: string }
}

type Handler<P extends HookPoint> = (input: Inputs[P]) => Effect.Effect<Decisions[P] | undefined | void, HookError>

export interface Hook {
  /** In records and alerts; no other hook of the pod has it. */
  readonly name: string
  /** For one answer; it is then interrupted, and left behind if it does not end by that. Default: 30 seconds. */
  readonly timeout?: Duration.Input
  /** A user's input was accepted, and the model has not seen it. */
  readonly onPromptSubmit?: Handler<"on_prompt_submit">
  /** Before each request to the model. */
  readonly preLlmRequest?: Handler<"pre_llm_request">
  /** A call that the permissions let through, before it starts. A hook that fails here stops the call. */
  readonly preToolCall?: Handler<"pre_tool_call">
  /** When all calls of a response have ended and their results are recorded, for each in call order. */
  readonly postToolCall?: Handler<"post_tool_call">
  /** The model has answered without a call. */
  readonly onTurnEnd?: Handler<"on_turn_end">
  /** A run ends by a failure, a pause, a cancel, a shutdown, or in its middle by the end of its time. 5 seconds for all. */
  readonly onAbort?: Handler<"on_abort">
}

export const handlerOf = <P extends HookPoint>(hook: Hook, point: P): Handler<P> | undefined => {
  const handlers: { readonly [Q in HookPoint]: Handler<Q> | undefined } = {
    on_prompt_submit: hook.onPromptSubmit,
    pre_llm_request: hook.preLlmRequest,
    pre_tool_call: hook.preToolCall,
    post_tool_call: hook.postToolCall,
    on_turn_end: hook.onTurnEnd,
    on_abort: hook.onAbort
  }
  return handlers[point]
}
