/**
 * The chunk stream of Google's Gemini API, decoded.
 *
 * Chunks carry parts and no blocks, so blocks are made here: a new one whenever the kind of content changes, one for
 * each call, which comes whole. A stream without a finish reason was cut.
 *
 * Any part may carry a signature, which has to come back on that same part. The journal keeps signatures in reasoning:
 * - of a thought: with the thought;
 * - of a call, or of text: as `signature` of an empty thought before it;
 * - of an empty part of text, which is how a signature comes behind its text: as `encrypted` of an empty thought.
 */
import type { LlmEvent, LlmUsage, StopReason } from "../../../src/llm/LlmEvent.ts"
import { type Decoder, parseEvent } from "../vendor/Answer.ts"
import * as Failure from "../vendor/Failure.ts"
import { array, count, object, string } from "../vendor/Json.ts"
import type { Vendor } from "../vendor/Vendor.ts"

type Fields = Readonly<Record<string, unknown>>

const stopReasons: Readonly<Record<string, StopReason>> = {
  STOP: "end_turn",
  MAX_TOKENS: "max_tokens",
  CONTINUATION: "max_tokens",
  SAFETY: "refusal",
  RECITATION: "refusal",
  LANGUAGE: "refusal",
  BLOCKLIST: "refusal",
  PROHIBITED_CONTENT: "refusal",
  SPII: "refusal",
  IMAGE_SAFETY: "refusal",
  IMAGE_PROHIBITED_CONTENT: "refusal",
  IMAGE_RECITATION: "refusal",
  OTHER: "refusal"
}

/** The model's answer was not fit to be passed on. The next one may be, so these count as errors of the server. */
const spoilt = new Set([
  "MALFORMED_FUNCTION_CALL",
  "MALFORMED_RESPONSE",
  "TOO_MANY_TOOL_CALLS",
  "UNEXPECTED_TOOL_CALL",
  "MISSING_THOUGHT_SIGNATURE"
])

export const decoder = (vendor: Vendor, callId: (wanted: string | undefined) => string): Decoder => {
  let nextBlock = 0
  /** The text or thinking that is being written. */
  let prose: { readonly kind: "text" | "thinking"; readonly index: number } | undefined
  /** By the server's id: what was called. */
  const calls = new Map<string, string>()
  let called = false
  let finish = ""
  let detail = ""
  let blocked = ""
  let lastUsage = ""

  const closeProse = (signature = ""): ReadonlyArray<LlmEvent> => {
    if (prose === undefined) return []
    const { index } = prose
    prose = undefined
    return [{ type: "block_stop", index, ...(signature === "" ? {} : { signature }) }]
  }

  const say = (kind: "text" | "thinking", text: string): ReadonlyArray<LlmEvent> => {
    if (text === "") return []
    if (prose?.kind === kind) return [{ type: "delta", index: prose.index, text }]
    const before = closeProse()
    const index = nextBlock++
    prose = { kind, index }
    const start: LlmEvent = kind === "thinking" ? { type: "thinking_start", index } : { type: "text_start", index }
    return [...before, start, { type: "delta", index, text }]
  }

  const emptyThought = (proof: { readonly signature: string } | { readonly encrypted: string }) => {
    const before = closeProse()
    const index = nextBlock++
    // A signature is that of the block which comes next.
    const of = "signature" in proof ? { of: index + 1 } : {}
    return [...before, { type: "thinking_start", index, ...of }, { type: "block_stop", index, ...proof }] as const
  }

  const part = (given: Fields): ReadonlyArray<LlmEvent> => {
    const signature = string(given["thoughtSignature"])
    if ("functionCall" in given) {
      if (isRepeated(object(given["functionCall"]))) return []
      return [
        ...(signature === "" ? closeProse() : emptyThought({ signature })),
        ...functionCall(object(given["functionCall"]))
      ]
    }
    const text = string(given["text"])
    if (given["thought"] === true) {
      if (signature === "") return say("thinking", text)
      // Its own block, so that the signature covers exactly this part.
      const before = text === "" ? [] : closeProse()
      return [...before, ...say("thinking", text), ...closeProse(signature)]
    }
    if (signature === "") return say("text", text)
    // An answer of nothing but a signature is empty.
    if (text === "") return nextBlock === 0 ? [] : emptyThought({ encrypted: signature })
    return [...emptyThought({ signature }), ...say("text", text), ...closeProse()]
  }

  /** A call that comes twice, with its id, is run once. */
  const isRepeated = (call: Fields): boolean => {
    const id = string(call["id"])
    const what = JSON.stringify([call["name"], call["args"]])
    const repeated = id !== "" && calls.get(id) === what
    if (id !== "") calls.set(id, what)
    return repeated
  }

  const functionCall = (call: Fields): ReadonlyArray<LlmEvent> => {
    const name = string(call["name"])
    if (name === "") throw Failure.protocol(vendor, "a call without a name")
    called = true
    const index = nextBlock++
    const args = call["args"]
    return [
      { type: "tool_call_start", index, id: callId(string(call["id"])), name },
      ...(args === undefined || args === null ? [] : [{ type: "delta", index, text: JSON.stringify(args) } as const]),
      { type: "block_stop", index }
    ]
  }

  const usage = (report: unknown): ReadonlyArray<LlmEvent> => {
    const fields = object(report)
    const sum = (...names: ReadonlyArray<string>): number | undefined => {
      const known = names.flatMap((name) => count(fields[name]) ?? [])
      return known.length === 0 ? undefined : known.reduce((total, tokens) => total + tokens)
    }
    const input = sum("promptTokenCount", "toolUsePromptTokenCount")
    const output = sum("candidatesTokenCount", "thoughtsTokenCount")
    const read = sum("cachedContentTokenCount")
    const known: LlmUsage = {
      ...(input === undefined ? {} : { inputTokens: input }),
      ...(output === undefined ? {} : { outputTokens: output }),
      ...(read === undefined ? {} : { cacheReadTokens: read })
    }
    // It comes with every chunk.
    const text = JSON.stringify(known)
    if (text === "{}" || text === lastUsage) return []
    lastUsage = text
    return [{ type: "usage", usage: known }]
  }

  const event = (_name: string, data: string): ReadonlyArray<LlmEvent> => {
    if (data.trim() === "[DONE]") return []
    const chunk = parseEvent(vendor, data)
    if (chunk["error"] !== undefined && chunk["error"] !== null) throw reported(vendor, object(chunk["error"]))
    const feedback = object(chunk["promptFeedback"])
    blocked = string(feedback["blockReason"]) || blocked
    const candidate = object(array(chunk["candidates"])[0])
    const reason = string(candidate["finishReason"])
    if (reason !== "" && reason !== "FINISH_REASON_UNSPECIFIED") finish = reason
    detail = string(candidate["finishMessage"]) || string(feedback["blockReasonMessage"]) || detail
    if (spoilt.has(finish)) throw Failure.reported(vendor, finish, detail || "the model's answer is not usable", 500)
    return [
      ...array(object(candidate["content"])["parts"]).flatMap((given) => part(object(given))),
      ...usage(chunk["usageMetadata"])
    ]
  }

  return {
    event,
    end: () => {
      if (finish === "" && blocked === "") throw Failure.cut(vendor)
      const word = finish || blocked
      const reason = finish === "" ? "refusal" : (stopReasons[finish] ?? "end_turn")
      const stop = reason === "end_turn" && called ? "tool_use" : reason
      return [
        ...closeProse(),
        {
          type: "stop",
          reason: stop,
          ...(stop === "refusal" ? { detail: Failure.clean(vendor, detail === "" ? word : `${word}: ${detail}`) } : {})
        }
      ]
    }
  }
}

const reported = (vendor: Vendor, error: Fields) =>
  Failure.reported(
    vendor,
    string(error["status"]),
    string(error["message"]) || "the vendor gives no reason",
    count(error["code"])
  )
