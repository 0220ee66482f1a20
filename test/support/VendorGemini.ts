/** What Google's Gemini API sends for a scripted answer: whole parts, usage in every chunk, lines that end with CRLF. */
import { noUsage, other, type Wire } from "./VendorDialects.ts"
import type { Streamed } from "./VendorServer.ts"

/** The HTTP statuses of the words that Google has for errors. */
export const googleStatus: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503
}

export const geminiEvents = function* (reply: Streamed, model: string): Generator<Wire> {
  const tokens = reply.usage ?? noUsage
  const input = tokens.input + (tokens.cacheRead ?? 0) + (tokens.cacheWrite ?? 0)
  const sse = (data: object) => `data: ${JSON.stringify(data)}\r\n\r\n`
  const chunk = (parts: ReadonlyArray<object>, output: number, more: object = {}) =>
    sse({
      candidates: [{ ...(parts.length === 0 ? {} : { content: { parts, role: "model" } }), ...more, index: 0 }],
      usageMetadata: {
        promptTokenCount: input,
        ...(output === 0 ? {} : { candidatesTokenCount: output }),
        totalTokenCount: input + output,
        ...(tokens.cacheRead === undefined ? {} : { cachedContentTokenCount: tokens.cacheRead })
      },
      modelVersion: model,
      responseId: "r1"
    })
  /** Goes out on the next call or text. */
  let signature: string | undefined
  const signed = (part: object) => {
    const out = signature === undefined ? part : { ...part, thoughtSignature: signature }
    signature = undefined
    return out
  }
  for (const step of reply.steps) {
    if ("text" in step) yield chunk([signed({ text: step.text })], 0)
    else if ("thinking" in step) yield chunk([{ text: step.thinking, thought: true }], 0)
    else if ("signature" in step) signature = step.signature
    else if ("tool" in step) {
      const { args, id, tool: name } = step
      const call = { name, ...(id === "" ? {} : { id }), ...(typeof args === "object" ? { args } : {}) }
      yield chunk([signed({ functionCall: call })], 0)
    } else if ("ping" in step) yield ": keep-alive\r\n\r\n"
    else if ("error" in step) {
      const { message, type: status } = step.error
      yield sse({ error: { code: googleStatus[status] ?? 418, message, status } })
      return
    } else if ("refusal" in step || "redacted" in step) continue
    else yield other(step)
  }
  const refused = reply.steps.some((step) => "refusal" in step)
  const last = signature === undefined ? [] : [signed({ text: "" })]
  yield chunk(last, tokens.output, { finishReason: reply.stop ?? (refused ? "SAFETY" : "STOP") })
}
