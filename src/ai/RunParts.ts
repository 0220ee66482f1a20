/**
 * The events of one run as the parts of one streamed answer.
 *
 * Text and thinking of all its generations are there, each block with its start and its end. Calls of tools and their
 * results are not: they are the pod's own, and whoever wants to watch them follows its events.
 */
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import type { RunEnd } from "../pod/PodHandle.ts"
import type { Envelope } from "../protocol/Event.ts"
import type { RunUsage } from "../protocol/LogEntry.ts"
import { ofEnd } from "./AsAiError.ts"
import { metadataKey, type Origin } from "./PodPrompt.ts"

export interface RunParts {
  readonly push: (event: Envelope) => ReadonlyArray<Response.StreamPartEncoded>
  /** The run has ended, with an answer or without. */
  readonly end: () => { readonly failure: AiError.AiError | undefined } | undefined
}

export interface RunPartsOptions {
  readonly method: string
  readonly origin: Origin
  readonly model: string
  readonly runId: string
}

export const make = ({ method, model, origin, runId }: RunPartsOptions): RunParts => {
  const metadata = { [metadataKey]: { session_id: origin.sessionId, run_id: runId } }
  let begun = false
  let end: { readonly failure: AiError.AiError | undefined } | undefined
  let blocks = 0
  let open: { readonly kind: "text" | "reasoning"; readonly id: string } | undefined
  let refused = false

  const close = (): ReadonlyArray<Response.StreamPartEncoded> => {
    if (open === undefined) return []
    const { id, kind } = open
    open = undefined
    return [{ type: `${kind}-end`, id }]
  }

  const write = (kind: "text" | "reasoning", delta: string): ReadonlyArray<Response.StreamPartEncoded> => {
    if (delta === "") return []
    if (open?.kind === kind) return [{ type: `${kind}-delta`, id: open.id, delta }]
    const before = close()
    const id = String(blocks++)
    open = { kind, id }
    return [...before, { type: `${kind}-start`, id, metadata }, { type: `${kind}-delta`, id, delta }]
  }

  const finish = (data: RunEnd): ReadonlyArray<Response.StreamPartEncoded> => {
    const reason = reasonOf(data, refused)
    if (reason === undefined) {
      end = { failure: ofEnd(method, origin.pod, data) }
      return []
    }
    end = { failure: undefined }
    const { hint, limit, result, usage } = data
    const told = {
      run_id: runId,
      result,
      llm_calls: usage.llm_calls,
      ...(limit === undefined ? {} : { limit }),
      ...(hint === undefined ? {} : { hint }),
      ...(usage.cost_usd === undefined ? {} : { cost_usd: usage.cost_usd })
    }
    return [...close(), { type: "finish", reason, usage: usageOf(usage), metadata: { [metadataKey]: told } }]
  }

  const push = (event: Envelope): ReadonlyArray<Response.StreamPartEncoded> => {
    if (end !== undefined) return []
    if (event.event === "run_start" && event.data.run_id === runId) {
      begun = true
      return [{ type: "response-metadata", id: runId, modelId: model }]
    }
    if (!begun) return []
    switch (event.event) {
      case "text_delta":
        return write("text", event.data.text)
      case "thinking_delta":
        return write("reasoning", event.data.text)
      case "text_done":
        return open?.kind === "text" ? close() : []
      case "thinking_done":
        return open?.kind === "reasoning" ? close() : []
      case "assistant_item":
        if (event.data.item.kind === "message") {
          refused = event.data.item.content.some(({ kind }) => kind === "refusal")
        }
        return []
      case "run_end":
        return event.data.run_id === runId ? finish(event.data) : []
      default:
        return []
    }
  }

  return { push, end: () => end }
}

/** Undefined where there is no answer. */
const reasonOf = ({ limit, result }: RunEnd, refused: boolean): Response.FinishReason | undefined => {
  switch (result) {
    case "finished":
      return refused ? "content-filter" : "stop"
    case "limit_reached":
      return limit === "max_tokens" ? "length" : "other"
    case "paused":
      return "pause"
    case "rolled_back":
    case "cancelled":
    case "failed":
    case "interrupted":
    case "abandoned":
      return undefined
  }
}

const usageOf = (usage: RunUsage): typeof Response.Usage.Encoded => {
  const read = usage.cache_read_input_tokens
  const written = usage.cache_write_input_tokens
  return {
    inputTokens: {
      total: usage.input_tokens,
      uncached: Math.max(0, usage.input_tokens - read - written),
      cacheRead: read,
      cacheWrite: written
    },
    outputTokens: { total: usage.output_tokens }
  }
}
