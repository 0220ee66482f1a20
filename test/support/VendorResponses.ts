/** What OpenAI's Responses API sends for a scripted answer: names, numbers, order and places of usage as in its streams. */
import { argumentsText, isContent, noUsage, other, splitInto, type Wire } from "./VendorDialects.ts"
import type { Streamed } from "./VendorServer.ts"

type Part = { readonly type: "output_text" | "refusal"; text: string }

export const responsesEvents = function* (reply: Streamed, body: Readonly<Record<string, unknown>>): Generator<Wire> {
  let sequence = 0
  const sse = (type: string, data: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...data })}\n\n`
  const output: Array<object> = []
  const response = (status: string, more: object = {}) => ({
    response: {
      id: "resp_1",
      object: "response",
      created_at: 1,
      status,
      error: null,
      incomplete_details: null,
      model: body["model"],
      output: status === "in_progress" ? [] : output,
      store: body["store"],
      usage: null,
      ...more
    }
  })
  yield sse("response.created", response("in_progress"))
  yield sse("response.in_progress", response("in_progress"))

  let message: { readonly id: string; readonly parts: Array<Part> } | undefined
  let reasoning: { readonly id: string; text: string } | undefined
  const at = () => ({ output_index: output.length })
  const itemAdded = (item: object) => sse("response.output_item.added", { ...at(), item })
  const itemDone = (item: object) => {
    const event = sse("response.output_item.done", { ...at(), item })
    output.push(item)
    return event
  }
  const contentPart = ({ text, type }: Part) =>
    type === "refusal" ? { type, refusal: text } : { type, annotations: [], logprobs: [], text }

  const partDone = function* () {
    const part = message?.parts.at(-1)
    if (message === undefined || part === undefined) return
    const where = { item_id: message.id, ...at(), content_index: message.parts.length - 1 }
    if (part.type === "refusal") yield sse("response.refusal.done", { ...where, refusal: part.text })
    else yield sse("response.output_text.done", { ...where, text: part.text, logprobs: [] })
    yield sse("response.content_part.done", { ...where, part: contentPart(part) })
  }
  const endMessage = function* () {
    if (message === undefined) return
    yield* partDone()
    const { id, parts } = message
    message = undefined
    yield itemDone({ id, type: "message", status: "completed", role: "assistant", content: parts.map(contentPart) })
  }
  const endReasoning = function* (encrypted: string | null) {
    if (reasoning === undefined) return
    const { id, text } = reasoning
    const where = { item_id: id, ...at(), summary_index: 0 }
    if (text !== "") {
      yield sse("response.reasoning_summary_text.done", { ...where, text })
      yield sse("response.reasoning_summary_part.done", { ...where, part: { type: "summary_text", text } })
    }
    reasoning = undefined
    yield itemDone({
      id,
      type: "reasoning",
      summary: text === "" ? [] : [{ type: "summary_text", text }],
      encrypted_content: encrypted
    })
  }
  const startReasoning = function* () {
    reasoning = { id: `rs_${output.length}`, text: "" }
    // The real one sends a preliminary form of it here.
    yield itemAdded({ id: reasoning.id, type: "reasoning", summary: [], encrypted_content: "preliminary" })
  }
  const speak = function* (type: Part["type"], delta: string) {
    yield* endReasoning(null)
    if (message === undefined) {
      message = { id: `msg_${output.length}`, parts: [] }
      yield itemAdded({ id: message.id, type: "message", status: "in_progress", role: "assistant", content: [] })
    }
    let part = message.parts.at(-1)
    if (part?.type !== type) {
      yield* partDone()
      part = { type, text: "" }
      message.parts.push(part)
      yield sse("response.content_part.added", {
        item_id: message.id,
        ...at(),
        content_index: message.parts.length - 1,
        part: contentPart(part)
      })
    }
    part.text += delta
    yield sse(type === "refusal" ? "response.refusal.delta" : "response.output_text.delta", {
      item_id: message.id,
      ...at(),
      content_index: message.parts.length - 1,
      delta,
      ...(type === "refusal" ? {} : { logprobs: [], obfuscation: "xYz" })
    })
  }

  for (const step of reply.steps) {
    if (isContent(step) && !("text" in step || "refusal" in step)) yield* endMessage()
    if ("text" in step) yield* speak("output_text", step.text)
    else if ("refusal" in step) yield* speak("refusal", step.refusal)
    else if ("thinking" in step) {
      if (reasoning === undefined) {
        yield* startReasoning()
        yield sse("response.reasoning_summary_part.added", {
          item_id: `rs_${output.length}`,
          ...at(),
          summary_index: 0,
          part: { type: "summary_text", text: "" }
        })
      }
      const { id } = reasoning ?? { id: "" }
      if (reasoning !== undefined) reasoning.text += step.thinking
      yield sse("response.reasoning_summary_text.delta", {
        item_id: id,
        ...at(),
        summary_index: 0,
        delta: step.thinking,
        obfuscation: "q"
      })
    } else if ("signature" in step) yield* endReasoning(step.signature)
    else if ("redacted" in step) {
      yield* endReasoning(null)
      yield* startReasoning()
      yield* endReasoning(step.redacted)
    } else if ("tool" in step) {
      yield* endReasoning(null)
      const id = `fc_${output.length}`
      const call = { id, type: "function_call", call_id: step.id, name: step.tool }
      const where = { item_id: id, ...at() }
      yield itemAdded({ ...call, status: "in_progress", arguments: "" })
      const whole = argumentsText(step.args)
      for (const delta of splitInto(whole, step.pieces ?? 3)) {
        yield sse("response.function_call_arguments.delta", { ...where, delta, obfuscation: "" })
      }
      yield sse("response.function_call_arguments.done", { ...where, arguments: whole })
      yield itemDone({ ...call, status: "completed", arguments: whole })
    } else if ("ping" in step) yield ": keep-alive\n\n"
    else if ("error" in step) {
      yield sse("error", { code: step.error.type, message: step.error.message, param: null })
      return
    } else yield other(step)
  }
  yield* endReasoning(null)
  yield* endMessage()
  const tokens = reply.usage ?? noUsage
  const input = tokens.input + (tokens.cacheRead ?? 0) + (tokens.cacheWrite ?? 0)
  const usage = {
    input_tokens: input,
    input_tokens_details: { cached_tokens: tokens.cacheRead ?? 0 },
    output_tokens: tokens.output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + tokens.output
  }
  if (reply.stop === undefined || reply.stop === "completed") {
    yield sse("response.completed", response("completed", { usage }))
    return
  }
  yield sse("response.incomplete", response("incomplete", { incomplete_details: { reason: reply.stop }, usage }))
}
