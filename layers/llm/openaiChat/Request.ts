/**
 * An `LlmRequest` as a request of OpenAI's Chat Completions API.
 *
 * System prompt and system items are messages of role `system`, in their places. Reasoning is not sent back: this API
 * has no place for it. That a result is an error is said by its text alone.
 */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionFunctionTool,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam
} from "openai/resources/chat/completions/completions"
import type { AssistantBlock, LlmMessage, LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { onWire } from "../vendor/CallIds.ts"
import { effortOf, isOwn, parametersOf, toolsOf } from "../vendor/OpenAi.ts"
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
        ...request.messages.flatMap(toMessages)
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

const toMessages = (message: LlmMessage): ReadonlyArray<ChatCompletionMessageParam> => {
  switch (message.role) {
    case "user":
    case "system":
      return [{ role: message.role, content: message.text.toWellFormed() }]
    case "assistant":
      return assistant(message.blocks)
    case "tool":
      return message.results.map((result) => ({
        role: "tool",
        tool_call_id: callId(result.id),
        content: result.text.toWellFormed()
      }))
  }
}

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
