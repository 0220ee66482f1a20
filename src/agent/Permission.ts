/**
 * The step between a call and its execution. The calls of a response come here in order, one after the other, and what
 * they wait for they wait for side by side: a call that somebody has to be asked about holds up none beside it. An
 * interrupted wait leaves the call unstarted.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { RunFailure } from "./RunFailure.ts"

export type Settled =
  | { readonly _tag: "Allow" }
  /** `message` is what the model reads as the result. */
  | { readonly _tag: "Deny"; readonly message: string }

/** `answer` waits for it. It always ends: by an answer, by the end of its time, or by an interrupt of the run. */
export interface Asked {
  readonly _tag: "Asked"
  readonly answer: Effect.Effect<Settled, RunFailure>
}

export type Verdict =
  | Settled
  /** `question` asks, and is run only if nothing else stands in the way of the call. */
  | { readonly _tag: "Ask"; readonly question: Effect.Effect<Settled | Asked, RunFailure> }

export type Permit = (call: {
  readonly callId: string
  readonly tool: string
  readonly args: Schema.JsonObject
}) => Effect.Effect<Verdict, RunFailure>
