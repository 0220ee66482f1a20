/** What two of the vendors send for the same scripted answer: names, ids, order and places of usage as in their streams. */
import type { Gate, Step, Streamed, Usage } from "./VendorServer.ts"

export type Wire = string | Gate | "cut"

export const splitInto = (text: string, pieces: number): ReadonlyArray<string> => {
  const size = Math.max(1, Math.ceil(text.length / pieces))
  const out: Array<string> = []
  for (let at = 0; at < text.length; at += size) out.push(text.slice(at, at + size))
  return out
}

export const argumentsText = (args: unknown): string => (typeof args === "string" ? args : JSON.stringify(args))

export const noUsage: Usage = { input: 10, output: 5 }

export const anthropicEvents = function* (reply: Streamed, model: string): Generator<Wire> {
  const usage = reply.usage ?? noUsage
  const sse = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
  yield sse("message_start", {
    message: {
      id: "msg_01",
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: {
        input_tokens: usage.input,
        cache_creation_input_tokens: usage.cacheWrite ?? 0,
        cache_read_input_tokens: usage.cacheRead ?? 0,
        output_tokens: 1,
        service_tier: "standard"
      }
    }
  })
  let index = -1
  let open: "text" | "thinking" | undefined
  const stop = () => {
    const event = sse("content_block_stop", { index })
    open = undefined
    return event
  }
  let called = false
  for (const step of reply.steps) {
    const kind =
      "text" in step || "refusal" in step ? "text" : "thinking" in step || "signature" in step ? "thinking" : "other"
    if (open !== undefined && isContent(step) && open !== kind) yield stop()
    if (kind === "text" && open === undefined) {
      open = "text"
      yield sse("content_block_start", { index: ++index, content_block: { type: "text", text: "", citations: null } })
    }
    if (kind === "thinking" && open === undefined) {
      open = "thinking"
      yield sse("content_block_start", {
        index: ++index,
        content_block: { type: "thinking", thinking: "", signature: "" }
      })
    }
    const delta = (change: object) => sse("content_block_delta", { index, delta: change })
    if ("text" in step) yield delta({ type: "text_delta", text: step.text })
    else if ("refusal" in step) yield delta({ type: "text_delta", text: step.refusal })
    else if ("thinking" in step) yield delta({ type: "thinking_delta", thinking: step.thinking })
    else if ("signature" in step) {
      yield delta({ type: "signature_delta", signature: step.signature })
      yield stop()
    } else if ("redacted" in step) {
      yield sse("content_block_start", {
        index: ++index,
        content_block: { type: "redacted_thinking", data: step.redacted }
      })
      yield stop()
    } else if ("tool" in step) {
      called = true
      yield sse("content_block_start", {
        index: ++index,
        content_block: { type: "tool_use", id: step.id, name: step.tool, input: {}, caller: { type: "direct" } }
      })
      yield delta({ type: "input_json_delta", partial_json: "" })
      for (const piece of splitInto(argumentsText(step.args), step.pieces ?? 3)) {
        yield delta({ type: "input_json_delta", partial_json: piece })
      }
      yield stop()
    } else if ("ping" in step) yield sse("ping", {})
    else if ("error" in step) {
      yield sse("error", { error: step.error })
      return
    } else yield other(step)
  }
  if (open !== undefined) yield stop()
  const refused = reply.steps.some((step) => "refusal" in step)
  yield sse("message_delta", {
    delta: {
      stop_reason: reply.stop ?? (refused ? "refusal" : called ? "tool_use" : "end_turn"),
      stop_sequence: null,
      stop_details: refused ? { type: "refusal", category: null, explanation: "not that" } : null,
      container: null
    },
    usage: { output_tokens: usage.output }
  })
  yield sse("message_stop", {})
}

export const openAiEvents = function* (reply: Streamed, body: Readonly<Record<string, unknown>>): Generator<Wire> {
  const chunk = (choice: object | undefined, rest: object = {}) =>
    `data: ${JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model: body["model"],
      service_tier: "default",
      choices: choice === undefined ? [] : [{ index: 0, logprobs: null, finish_reason: null, ...choice }],
      ...rest
    })}\n\n`
  yield chunk({ delta: { role: "assistant", content: "", refusal: null } })
  let calls = 0
  for (const step of reply.steps) {
    if ("text" in step) yield chunk({ delta: { content: step.text } })
    else if ("refusal" in step) yield chunk({ delta: { refusal: step.refusal } })
    else if ("thinking" in step) yield chunk({ delta: { reasoning_content: step.thinking } })
    else if ("signature" in step || "redacted" in step) continue
    else if ("tool" in step) {
      const index = calls++
      yield chunk({
        delta: { tool_calls: [{ index, id: step.id, type: "function", function: { name: step.tool, arguments: "" } }] }
      })
      for (const piece of splitInto(argumentsText(step.args), step.pieces ?? 3)) {
        yield chunk({ delta: { tool_calls: [{ index, function: { arguments: piece } }] } })
      }
    } else if ("ping" in step) yield ": keep-alive\n\n"
    else if ("error" in step) {
      yield `data: ${JSON.stringify({ error: { ...step.error, code: step.error.type, param: null } })}\n\n`
      return
    } else yield other(step)
  }
  yield chunk({ delta: {}, finish_reason: reply.stop ?? (calls > 0 ? "tool_calls" : "stop") })
  const options = body["stream_options"] as { readonly include_usage?: boolean } | undefined
  if (options?.include_usage === true) {
    const usage = reply.usage ?? noUsage
    yield chunk(undefined, {
      usage: {
        prompt_tokens: usage.input + (usage.cacheRead ?? 0) + (usage.cacheWrite ?? 0),
        completion_tokens: usage.output,
        total_tokens: usage.input + (usage.cacheRead ?? 0) + (usage.cacheWrite ?? 0) + usage.output,
        prompt_tokens_details: { cached_tokens: usage.cacheRead ?? 0, audio_tokens: 0 }
      }
    })
  }
  yield "data: [DONE]\n\n"
}

export const isContent = (step: Step): boolean => !("ping" in step || "gate" in step || "raw" in step || "cut" in step)

export const other = (step: Step): Wire => {
  if ("gate" in step) return step.gate
  if ("raw" in step) return step.raw
  return "cut"
}
