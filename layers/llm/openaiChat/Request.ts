/**
 * An `LlmRequest` as a request of OpenAI's Chat Completions API.
 *
 * System prompt and system items are messages of role `system`, in their places. Reasoning is not sent back: this API
 * has no place for it. That a result is an error is said by its text alone.
 */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPart,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionFunctionTool,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam
} from "openai/resources/chat/completions/completions"
import type { AssistantBlock, LlmMessage, LlmRequest } from "../../../src/llm/LlmRequest.ts"
import type { Media } from "../../../src/protocol/Media.ts"
import { onWire } from "../vendor/CallIds.ts"
import { effortOf, isOwn, parametersOf, toolsOf } from "../vendor/OpenAi.ts"
import { dataUrl, fileName, isImage, seen } from "../vendor/Seen.ts"
import type { VendorOptions } from "../vendor/Vendor.ts"

export interface OpenAiChatOptions extends VendorOptions {
  /** Says the limit of an answer as `max_tokens`, for servers that do not know `max_completion_tokens`. */
  readonly legacyMaxTokens?: boolean | undefined
}

export interface WireRequest {
  readonly body: ChatCompletionCreateParamsStreaming
  /** Settings that this model cannot be given, each in words. */
  readonly ignored: ReadonlyArray<string>
}

export const build = (options: OpenAiChatOptions, request: LlmRequest): WireRequest => {
  const { config } = request
  const { effort, ignored } = effortOf("Chat Completions", options, config)
  return {
    body: {
      model: options.model,
      messages: [
        ...(request.system === undefined || request.system === ""
          ? []
          : [{ role: "system", content: request.system.toWellFormed() } as const]),
        ...request.messages.flatMap((message) => toMessages(options, message))
      ],
      ...toolsOf(options, request, toTool),
      ...(config.max_tokens === null
        ? {}
        : options.legacyMaxTokens === true
          ? { max_tokens: config.max_tokens }
          : { max_completion_tokens: config.max_tokens }),
      ...(config.temperature === null ? {} : { temperature: config.temperature }),
      ...(config.top_p === null ? {} : { top_p: config.top_p }),
      ...(config.stop_sequences.length === 0 ? {} : { stop: [...config.stop_sequences] }),
      ...(effort === undefined ? {} : { reasoning_effort: effort as ReasoningEffort }),
      // Compatible servers may refuse a field that they do not know.
      ...(isOwn(options) ? { prompt_cache_key: request.cacheKey } : {}),
      stream: true,
      stream_options: { include_usage: true }
    },
    ignored: [
      ...ignored,
      ...(config.top_k === null ? [] : [`top_k = ${config.top_k}: Chat Completions has no such setting`])
    ]
  }
}

type ReasoningEffort = NonNullable<ChatCompletionCreateParamsStreaming["reasoning_effort"]>

const toTool = (tool: LlmRequest["tools"][number]): ChatCompletionFunctionTool => ({
  type: "function",
  function: {
    name: tool.name,
    description: tool.description,
    parameters: parametersOf(tool)
  }
})

const toMessages = (options: VendorOptions, message: LlmMessage): ReadonlyArray<ChatCompletionMessageParam> => {
  switch (message.role) {
    case "user":
    case "system":
      return [{ role: message.role, content: message.text.toWellFormed() }]
    case "assistant":
      return assistant(message.blocks)
    case "tool":
      return toolMessages(message.results.map((result) => ({ id: result.id, ...seen(options, result) })))
  }
}

/** A result is text alone in this API: what else there is to see comes behind all of them, as the user's. */
const toolMessages = (
  results: ReadonlyArray<ReturnType<typeof seen> & { readonly id: string }>
): ReadonlyArray<ChatCompletionMessageParam> => {
  const answers = results.map(
    ({ id, text }): ChatCompletionMessageParam => ({
      role: "tool",
      tool_call_id: callId(id),
      content: text.toWellFormed()
    })
  )
  const parts = results.flatMap(({ media }) => media.map(toPart))
  if (parts.length === 0) return answers
  const note: ChatCompletionContentPart = { type: "text", text: "[What the tools above returned besides text.]" }
  return [...answers, { role: "user", content: [note, ...parts] }]
}

const toPart = (media: Media): ChatCompletionContentPart =>
  isImage(media)
    ? { type: "image_url", image_url: { url: dataUrl(media) } }
    : { type: "file", file: { filename: fileName(media), file_data: dataUrl(media) } }

/** The longest that this API takes. */
const callId = (id: string): string => onWire(id, 40)

const assistant = (blocks: ReadonlyArray<AssistantBlock>): ReadonlyArray<ChatCompletionAssistantMessageParam> => {
  const textOf = (kind: "text" | "refusal") =>
    blocks
      .map((block) => (block.kind === kind ? block.text : ""))
      .join("")
      .toWellFormed()
  const content = textOf("text")
  const refusal = textOf("refusal")
  const calls = blocks.flatMap(
    (block): ReadonlyArray<ChatCompletionMessageFunctionToolCall> =>
      block.kind === "tool_call"
        ? [
            {
              id: callId(block.id),
              type: "function",
              function: { name: block.name, arguments: block.arguments.toWellFormed() }
            }
          ]
        : []
  )
  if (content === "" && refusal === "" && calls.length === 0) return []
  return [
    {
      role: "assistant",
      content: content === "" ? null : content,
      ...(refusal === "" ? {} : { refusal }),
      ...(calls.length === 0 ? {} : { tool_calls: calls })
    }
  ]
}
