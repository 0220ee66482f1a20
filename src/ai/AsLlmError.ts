/**
 * Errors of Effect's ai modules as errors of a model call, so that the pod's own rules of patience apply to them.
 *
 * A message holds the provider's words, at most 2 KiB of them, and no address: some providers have the key in it.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type * as AiError from "effect/ai/AiError"
import type { ModelInfo } from "../llm/LlmClient.ts"
import { LlmError, type LlmErrorReason } from "../llm/LlmError.ts"
import { isOverflow } from "../llm/Overflow.ts"
import { retryAfter } from "../llm/RetryAfter.ts"

const maxDetail = 2048

interface Extra {
  readonly status?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly hint?: string
}

export const make = (info: ModelInfo, reason: LlmErrorReason, detail: string, extra: Extra = {}): LlmError => {
  const line = detail.replace(/\s+/g, " ").trim()
  return new LlmError({
    reason,
    provider: info.provider,
    message: `${info.provider} (${info.model}): ${line.length <= maxDetail ? line : `${line.slice(0, maxDetail)}…`}`,
    ...(extra.status === undefined ? {} : { status: extra.status }),
    ...(extra.retryAfterMs === undefined ? {} : { retryAfterMs: extra.retryAfterMs }),
    ...(extra.hint === undefined ? {} : { hint: extra.hint })
  })
}

/** One case for each reason, so that a new one does not compile. `nowMs` is Unix time. */
export const asLlmError = (info: ModelInfo, { reason }: AiError.AiError, nowMs: number): LlmError => {
  const error = (kind: LlmErrorReason, extra: Extra = {}) => make(info, kind, wordsOf(reason), extra)
  switch (reason._tag) {
    case "RateLimitError":
      return error("Status", { status: statusOf(reason) ?? 429, retryAfterMs: waitOf(reason, nowMs) })
    case "InternalProviderError":
      return error("Status", { status: statusOf(reason) ?? 500, retryAfterMs: waitOf(reason, nowMs) })
    case "QuotaExhaustedError": {
      const resets = reason.resetAt === undefined ? "" : ` before ${DateTime.formatIso(reason.resetAt)}`
      // Without a status nothing tries it again: what is used up stays used up.
      return error("Status", { hint: `the account has nothing left${resets}: raise its limit, or name another model` })
    }
    case "AuthenticationError":
      return reason.kind === "MissingKey"
        ? error("Config", { hint: "give the model's layer a key" })
        : error("Status", { status: statusOf(reason) ?? 401, hint: "the key was refused: check the model's layer" })
    case "InvalidRequestError":
      return isOverflow(reason.constraint ?? "", `${reason.description ?? ""} ${reason.http?.body ?? ""}`)
        ? error("Overflow", { status: statusOf(reason) })
        : error("Status", { status: statusOf(reason) ?? 400 })
    case "NetworkError":
      return reason.reason === "TransportError"
        ? error("Connect", { hint: "check that the server is running and reachable" })
        : error("Config", { hint: "check the model's layer" })
    case "UnknownError": {
      const status = statusOf(reason)
      return status === undefined ? error("Refused") : error("Status", { status, retryAfterMs: waitOf(reason, nowMs) })
    }
    case "ContentPolicyError":
      return error("Refused", { status: statusOf(reason) })
    case "InvalidResponseError":
    case "InvalidOutputError":
    case "StructuredOutputError":
    case "ToolNotFoundError":
    case "ToolParameterValidationError":
    case "InvalidToolResultError":
    case "ToolResultEncodingError":
      return error("Protocol")
    case "UnsupportedSchemaError":
    case "ToolConfigurationError":
    case "ToolkitRequiredError":
    case "InvalidUserInputError":
      return error("Config")
  }
}

interface WithHttp {
  readonly http?: typeof AiError.HttpContext.Type | undefined
}

const statusOf = ({ http }: WithHttp): number | undefined => http?.response?.status

const waitOf = (
  reason: WithHttp & { readonly retryAfter?: Duration.Duration | undefined },
  nowMs: number
): number | undefined => {
  if (reason.retryAfter !== undefined) return Math.ceil(Duration.toMillis(reason.retryAfter))
  const headers = reason.http?.response?.headers ?? {}
  return retryAfter((name) => {
    const value = headers[name]
    return typeof value === "string" ? value : undefined
  }, nowMs)
}

/** A network error's own message has the whole address in it. */
const wordsOf = (reason: AiError.AiErrorReason): string => {
  if (reason._tag === "NetworkError") return reason.description ?? "the connection failed"
  const status = "http" in reason ? reason.http?.response?.status : undefined
  return status === undefined ? reason.message : `HTTP ${status} ${reason.message}`
}
