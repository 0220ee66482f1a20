/**
 * The step between a call and its execution. It is an effect, so that it may wait for a person; an interrupted wait
 * leaves the call unstarted.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"

export type Verdict =
  | { readonly _tag: "Allow" }
  /** `message` is what the model reads as the result. */
  | { readonly _tag: "Deny"; readonly message: string }

export type Permit = (call: {
  readonly callId: string
  readonly tool: string
  readonly args: Schema.JsonObject
}) => Effect.Effect<Verdict>
