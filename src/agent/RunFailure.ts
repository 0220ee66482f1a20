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

/** `phase` is where the call was when it failed: before its first event, or after. */
export const ofLlm = (error: LlmError, phase: "request" | "stream"): RunFailure =>
  error.reason === "Overflow"
    ? overflow(error.message)
    : new RunFailure({
        code: "provider_error",
        phase,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint })
      })

/** The one answer to a context that does not fit, whoever noticed: the vendor, or we before asking. */
export const overflow = (message: string): RunFailure =>
  new RunFailure({
    code: "provider_overflow",
    phase: "request",
    message,
    hint: "the conversation no longer fits the model's context window; start a new pod or use a model with a larger one"
  })
