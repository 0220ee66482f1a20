/**
 * How a request to a model may end, and what follows. A closed union with one rule for each: nothing else decides it.
 *
 * What can be tried again before an answer has begun is `Backoff`'s; what is told here is what is left after that.
 */
import type { StopReason } from "./LlmEvent.ts"
import type { LlmError } from "./LlmError.ts"

export type Ending =
  | { readonly _tag: "Complete" }
  /** The model says that it will not do it, or its vendor does; `detail` is the vendor's word on it. */
  | { readonly _tag: "Refused"; readonly detail: string | undefined }
  | { readonly _tag: "MaxTokens" }
  /** The vendor interrupts a long answer and waits to be asked for the rest. */
  | { readonly _tag: "Paused" }
  /** It had begun, and ended without its end mark: broken, silent, or no longer what the vendor sends. */
  | { readonly _tag: "Cut"; readonly error: LlmError }
  /** The request, or the answer, does not fit the model's context window. */
  | { readonly _tag: "Overflow"; readonly error: LlmError | undefined }
  /** The vendor reports an error inside an answer that had begun. */
  | { readonly _tag: "ErrorEvent"; readonly error: LlmError }
  | { readonly _tag: "Empty"; readonly error: LlmError }
  /** It never began. */
  | { readonly _tag: "Failed"; readonly error: LlmError }

export interface Rule {
  /** `commit`: the answer is whole. `continue`: the rest is asked for. `fail`: nothing of it is kept. */
  readonly next: "commit" | "continue" | "fail"
  /** When the rest has been asked for `maxContinuations` times: the run fails, or ends with what there is. */
  readonly usedUp?: "fail" | "limit"
  /** Back-off before the rest is asked for: somebody is in trouble. */
  readonly waits?: true
}

export const rules: { readonly [Tag in Ending["_tag"]]: Rule } = {
  Complete: { next: "commit" },
  Refused: { next: "commit" },
  MaxTokens: { next: "continue", usedUp: "limit" },
  Paused: { next: "continue", usedUp: "limit" },
  Cut: { next: "continue", usedUp: "fail", waits: true },
  Overflow: { next: "fail" },
  ErrorEvent: { next: "fail" },
  Empty: { next: "fail" },
  Failed: { next: "fail" }
}

/** In a row, for one answer. */
export const maxContinuations = 3

export const ofStop = (reason: StopReason, detail?: string): Ending => {
  switch (reason) {
    case "end_turn":
    case "tool_use":
      return { _tag: "Complete" }
    case "refusal":
      return { _tag: "Refused", detail }
    case "max_tokens":
      return { _tag: "MaxTokens" }
    case "pause":
      return { _tag: "Paused" }
    case "context_overflow":
      return { _tag: "Overflow", error: undefined }
  }
}

export const ofError = (error: LlmError): Ending => {
  if (error.reason === "Overflow") return { _tag: "Overflow", error }
  if (error.reason === "Empty") return { _tag: "Empty", error }
  if (error.phase !== "stream") return { _tag: "Failed", error }
  switch (error.reason) {
    case "Connect":
    case "Timeout":
    case "Cut":
    case "Protocol":
      return { _tag: "Cut", error }
    case "Config":
    case "Status":
    case "Refused":
      return { _tag: "ErrorEvent", error }
  }
}

/** Why the rest is asked for, in words. */
export const reasonOf = (ending: Ending): string => {
  switch (ending._tag) {
    case "MaxTokens":
      return "the answer reached its token limit"
    case "Paused":
      return "the vendor paused the answer"
    case "Complete":
    case "Refused":
      return "the answer ended"
    case "Overflow":
      return ending.error?.message ?? "the model ran out of context window while it answered"
    case "Cut":
    case "ErrorEvent":
    case "Empty":
    case "Failed":
      return ending.error.message
  }
}
