/**
 * An `LlmRequest` as a request of Anthropic's Messages API.
 *
 * Roles alternate: everything that is not the assistant's goes into user messages, neighbours merged. What the API
 * refuses is left out: blank text, thinking without proof, thinking at the end of a message.
 */
import type {
  Base64ImageSource,
  ContentBlockParam,
  DocumentBlockParam,
  ImageBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  TextBlockParam,
  Tool,
  ToolResultBlockParam
} from "@anthropic-ai/sdk/resources/messages/messages"
import type { AssistantBlock, LlmMessage, LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { parseArguments } from "../../../src/llm/Response.ts"
import type { RequestConfig } from "../../../src/protocol/LogEntry.ts"
import { onWire } from "../vendor/CallIds.ts"
import { isImage, seen } from "../vendor/Seen.ts"
import type { VendorOptions } from "../vendor/Vendor.ts"

export interface WireRequest {
  readonly body: MessageCreateParamsStreaming
  readonly headers: Readonly<Record<string, string>>
  /** Settings that this model cannot be given, each in words. */
  readonly ignored: ReadonlyArray<string>
}

/**
 * The API wants a number. Enough for a long file in one tool call and some thinking; every current model allows it.
 * A model with a small context window gets a quarter of it.
 */
export const defaultMaxTokens = (contextWindow: number): number =>
  Math.max(1, Math.min(16_384, Math.floor(contextWindow / 4)))

/** The last version of the API that takes sampling settings; later ones answer 400. */
const samplingVersion = "2023-06-01"

const minBudget = 1024

export const build = (options: VendorOptions, request: LlmRequest): WireRequest => {
  const { config } = request
  const reasoning = reasoningOf(options, config)
  const sampling = samplingOf(config)
  const messages = toMessages(options, request.messages)
  const offersTools = options.capability?.tool_calling !== "none" && request.tools.length > 0
  const body: MessageCreateParamsStreaming = {
    model: options.model,
    max_tokens: reasoning.maxTokens,
    ...(request.system === undefined || isBlank(request.system)
      ? {}
      : { system: [{ type: "text", text: request.system.toWellFormed() }] }),
    messages,
    ...(offersTools ? { tools: request.tools.map(toTool) } : {}),
    ...(offersTools && options.capability?.tool_calling === "sequential"
      ? { tool_choice: { type: "auto", disable_parallel_tool_use: true } }
      : {}),
    ...(config.stop_sequences.length === 0 ? {} : { stop_sequences: [...config.stop_sequences] }),
    ...reasoning.params,
    // Not in the SDK's types, which know the newest version only.
    ...sampling,
    stream: true
  }
  markForCache(body, breakpoints(options))
  return {
    body,
    headers: Object.keys(sampling).length === 0 ? {} : { "anthropic-version": samplingVersion },
    ignored: reasoning.ignored
  }
}

const isBlank = (text: string): boolean => text.trim() === ""

const samplingOf = (config: RequestConfig): object => ({
  ...(config.temperature === null ? {} : { temperature: config.temperature }),
  ...(config.top_p === null ? {} : { top_p: config.top_p }),
  ...(config.top_k === null ? {} : { top_k: config.top_k })
})

interface Reasoning {
  readonly maxTokens: number
  readonly params: Pick<MessageCreateParamsStreaming, "thinking" | "output_config">
  readonly ignored: ReadonlyArray<string>
}

/**
 * A word is an effort level and lets the model decide how much to think; a number is a budget of tokens, 0 turns
 * thinking off, a negative one lets the model decide. The budget counts towards `max_tokens`.
 */
const reasoningOf = (options: VendorOptions, config: RequestConfig): Reasoning => {
  const { reasoning } = config
  const maxTokens = config.max_tokens ?? defaultMaxTokens(options.contextWindow)
  const plain = (ignored: ReadonlyArray<string> = []): Reasoning => ({ maxTokens, params: {}, ignored })
  if (reasoning === null) return plain()
  const form = typeof reasoning === "string" ? "effort" : "budget_tokens"
  const known = options.capability?.reasoning
  if (known !== undefined && known !== "both" && known !== form) {
    return plain([
      `reasoning = ${JSON.stringify(reasoning)}: ${options.model} takes ${
        known === "effort" ? "an effort level" : "a number of tokens"
      }`
    ])
  }
  const adaptive = { type: "adaptive", display: "summarized" } as const
  if (typeof reasoning === "string") {
    if (reasoning === "none") return { maxTokens, params: { thinking: { type: "disabled" } }, ignored: [] }
    return { maxTokens, params: { thinking: adaptive, output_config: { effort: effort(reasoning) } }, ignored: [] }
  }
  if (reasoning === 0) return { maxTokens, params: { thinking: { type: "disabled" } }, ignored: [] }
  if (reasoning < 0) return { maxTokens, params: { thinking: adaptive }, ignored: [] }
  const wanted = Math.max(minBudget, reasoning)
  const room = config.max_tokens === null ? maxTokens + wanted : config.max_tokens
  const budget = Math.min(wanted, room - 1)
  if (budget < minBudget) return plain([`reasoning = ${reasoning}: max_tokens = ${room} leaves no room for thinking`])
  return { maxTokens: room, params: { thinking: { type: "enabled", budget_tokens: budget } }, ignored: [] }
}

type Effort = NonNullable<NonNullable<MessageCreateParamsStreaming["output_config"]>["effort"]>

/** Anthropic's scale has no `minimal`. Other words travel as they are: the API knows which ones it takes. */
const effort = (word: string): Effort => (word === "minimal" ? "low" : (word as Effort))

const toTool = (tool: LlmRequest["tools"][number]): Tool => ({
  name: tool.name,
  description: tool.description,
  // `parameters` is the schema of an object by contract; the SDK's type wants to see the word.
  input_schema: { type: "object", ...tool.parameters } as Tool.InputSchema
})

interface Draft {
  readonly role: "user" | "assistant"
  readonly content: Array<ContentBlockParam>
}

const toMessages = (options: VendorOptions, messages: ReadonlyArray<LlmMessage>): Array<MessageParam> => {
  const drafts: Array<Draft> = []
  const say = (role: Draft["role"], blocks: ReadonlyArray<ContentBlockParam>) => {
    if (blocks.length === 0) return
    const last = drafts.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else drafts.push({ role, content: [...blocks] })
  }
  for (const message of messages) {
    switch (message.role) {
      case "user":
      case "system":
        say("user", textBlocks(message.text))
        break
      case "assistant":
        say("assistant", assistantBlocks(message.blocks))
        break
      case "tool":
        say(
          "user",
          message.results.map((result) => ({
            type: "tool_result",
            tool_use_id: callId(result.id),
            content: resultContent(seen(options, result)),
            ...(result.isError ? { is_error: true } : {})
          }))
        )
    }
  }
  if (drafts[0]?.role === "assistant")
    drafts.unshift({ role: "user", content: textBlocks("[The conversation so far.]") })
  return drafts
}

const resultContent = ({ media, text }: ReturnType<typeof seen>): NonNullable<ToolResultBlockParam["content"]> => {
  // An error without words is refused.
  const words = isBlank(text) ? "(no output)" : text.toWellFormed()
  if (media.length === 0) return words
  return [
    { type: "text", text: words },
    ...media.map((each): ImageBlockParam | DocumentBlockParam =>
      isImage(each)
        ? {
            type: "image",
            source: { type: "base64", media_type: each.type as Base64ImageSource["media_type"], data: each.data }
          }
        : { type: "document", source: { type: "base64", media_type: "application/pdf", data: each.data } }
    )
  ]
}

const textBlocks = (text: string): Array<TextBlockParam> =>
  isBlank(text) ? [] : [{ type: "text", text: text.toWellFormed() }]

const callId = (id: string): string => onWire(id, 64)

const assistantBlocks = (blocks: ReadonlyArray<AssistantBlock>): ReadonlyArray<ContentBlockParam> => {
  const out = blocks.flatMap((block): ReadonlyArray<ContentBlockParam> => {
    switch (block.kind) {
      case "text":
      case "refusal":
        return textBlocks(block.text)
      case "thinking":
        if (block.signature !== undefined) {
          return [{ type: "thinking", thinking: block.text, signature: block.signature }]
        }
        return block.encrypted === undefined ? [] : [{ type: "redacted_thinking", data: block.encrypted }]
      case "tool_call":
        return [
          {
            type: "tool_use",
            id: callId(block.id),
            name: block.name,
            input: JSON.parse(parseArguments(block.arguments.toWellFormed()).text) as unknown
          }
        ]
    }
  })
  const end = out.findLastIndex((block) => block.type !== "thinking" && block.type !== "redacted_thinking")
  return out.slice(0, end + 1)
}

/** The API takes no more. */
const mostMarks = 4

/** Marks that a request may carry; without a word on it, all of them. */
const breakpoints = (options: VendorOptions): number => {
  const caching = options.capability?.prompt_caching
  if (caching === undefined) return mostMarks
  return caching.kind === "explicit" ? Math.min(mostMarks, caching.max_breakpoints) : 0
}

/**
 * Marks the end of the conversation; the end of the system prompt, which covers the tools; the end of the user's last
 * message but one, where the previous request's mark was (the API looks no further back than 20 blocks for it); and the
 * end of the tools, for pods that differ in their prompt alone. The most useful ones come first.
 */
const markForCache = (body: MessageCreateParamsStreaming, most: number): void => {
  const users = body.messages.filter((message) => message.role === "user")
  const places = [
    lastBlock(users.at(-1)),
    typeof body.system === "object" ? body.system.at(-1) : undefined,
    lastBlock(users.at(-2)),
    body.tools?.at(-1)
  ].filter((place) => place !== undefined)
  for (const place of places.slice(0, most)) place.cache_control = { type: "ephemeral" }
}

interface Markable {
  cache_control?: { type: "ephemeral" } | null
}

const lastBlock = (message: MessageParam | undefined): Markable | undefined => {
  if (message === undefined || typeof message.content === "string") return undefined
  const block = message.content.at(-1)
  // Only thinking cannot be marked, and it never ends a user's message.
  return block?.type === "text" || block?.type === "tool_result" ? block : undefined
}
