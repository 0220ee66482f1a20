/**
 * What keeps a pod from answering, as errors of Effect's ai modules.
 *
 * The modules have a closed set of reasons. `metadata["effect-pod"]` says what the pod itself says: the code of its
 * refusal or error, and how the run ended.
 */
import * as AiError from "effect/ai/AiError"
import type { PodRefused, RunEnd } from "../pod/PodHandle.ts"
import type { ErrorCode } from "../protocol/Status.ts"

export const make = (method: string, reason: AiError.AiErrorReason): AiError.AiError =>
  AiError.make({ module: "effect-pod", method, reason })

/** What the caller asks for and a pod does not do. */
export const unsupported = (method: string, description: string): AiError.AiError =>
  make(method, new AiError.InvalidUserInputError({ description }))

/** It may be free a little later. */
export const busy = (method: string, pod: string, why: string): AiError.AiError =>
  ofCode(method, "already_running", `pod ${pod} is busy: ${why}`, {})

/** The rest of the answer cannot be had any more. */
export const behind = (method: string, pod: string): AiError.AiError =>
  ofCode(method, "overloaded", `pod ${pod}: this reader fell behind and lost a part of the answer`, {})

export const ofRefusal = (method: string, { code, hint, message }: PodRefused): AiError.AiError =>
  ofCode(method, code, hint === undefined ? message : `${message} (${hint})`, {})

/** A run that gave no answer. */
export const ofEnd = (method: string, pod: string, end: RunEnd): AiError.AiError => {
  const { error, result } = end
  if (error === undefined) {
    const description = `pod ${pod}: the run ended as ${result}; somebody or something stopped it`
    return make(method, new AiError.UnknownError({ description, metadata: { "effect-pod": { result } } }))
  }
  const words = error.hint === undefined ? error.message : `${error.message} (${error.hint})`
  return ofCode(method, error.code, `pod ${pod}: ${words}`, { result, phase: error.phase })
}

const ofCode = (
  method: string,
  code: ErrorCode,
  description: string,
  more: Readonly<Record<string, string>>
): AiError.AiError => {
  const told = { description, metadata: { "effect-pod": { code, ...more } } }
  switch (code) {
    case "provider_overflow":
    case "invalid_request":
    case "conflict":
    case "not_found":
    case "approval_denied":
      return make(method, new AiError.InvalidRequestError(told))
    // Asked again, it may do: that is what callers read from this reason.
    case "already_running":
    case "overloaded":
    case "provider_error":
    case "storage_error":
      return make(method, new AiError.InternalProviderError(told))
    case "not_running":
    case "not_paused":
    case "lease_lost":
    case "tool_error":
    case "internal":
      return make(method, new AiError.UnknownError(told))
  }
}
