/** Why a leg could not go on. One total function turns it into what is journalled and sent. */
import * as Schema from "effect/Schema"
import type { LlmError } from "../llm/LlmError.ts"
import { ErrorCode, ErrorPhase } from "../protocol/Status.ts"
import type { StorageError } from "../session/StorageError.ts"

export class RunFailure extends Schema.TaggedError<RunFailure>()("RunFailure", {
  code: ErrorCode,
  phase: ErrorPhase,
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String)
}) {}

export const ofStorage = (error: StorageError): RunFailure =>
  new RunFailure({
    code: "storage_error",
    phase: "store",
    message: error.message,
    hint: error.hint ?? "nothing was done after the last recorded step; free the disk and run again"
  })

/** `phase` is where the call was when it failed: before its first event, or after. `more` is said behind the message. */
export const ofLlm = (error: LlmError, phase: "request" | "stream", more: ReadonlyArray<string> = []): RunFailure =>
  error.reason === "Overflow"
    ? overflow(error.message, phase)
    : new RunFailure({
        code: "provider_error",
        phase,
        message: [error.message, ...more].join("; "),
        ...(error.hint === undefined ? {} : { hint: error.hint })
      })

/** The one answer to a context that does not fit, noticed before the answer or in it. */
export const overflow = (message: string, phase: "request" | "stream"): RunFailure =>
  new RunFailure({
    code: "provider_overflow",
    phase,
    message,
    hint: "the conversation no longer fits the model's context window; start a new pod or use a model with a larger one"
  })
