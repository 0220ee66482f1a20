/**
 * An `LlmRequest` as a request of OpenAI's Responses API.
 *
 * Nothing is stored at the vendor: the whole conversation goes out each time, reasoning in its encrypted form. Ids of
 * items are left out, because without a store they name nothing; so a restart changes no byte of the request. That a
 * result is an error is said by its text alone.
 */
import type {
  FunctionTool,
  ResponseCreateParamsStreaming,
  ResponseInputFileContent,
  ResponseInputImageContent,
  ResponseInputItem
} from "openai/resources/responses/responses"
import type { AssistantBlock, LlmMessage, LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { onWire } from "../vendor/CallIds.ts"
import { effortOf, parametersOf, toolsOf } from "../vendor/OpenAi.ts"
import { dataUrl, fileName, isImage, seen } from "../vendor/Seen.ts"
import type { VendorOptions } from "../vendor/Vendor.ts"

export interface WireRequest {
  readonly body: ResponseCreateParamsStreaming
  /** Settings that this model cannot be given, each in words. */
  readonly ignored: ReadonlyArray<string>
}

export const build = (options: VendorOptions, request: LlmRequest): WireRequest => {
  const { config } = request
  const { effort, ignored } = effortOf("Responses", options, config)
  return {
    body: {
      model: options.model,
      ...(request.system === undefined || request.system === "" ? {} : { instructions: request.system.toWellFormed() }),
      input: request.messages.flatMap((message) => toItems(options, message)),
      ...toolsOf(options, request, toTool),
      ...(config.max_tokens === null ? {} : { max_output_tokens: config.max_tokens }),
      ...(config.temperature === null ? {} : { temperature: config.temperature }),
      ...(config.top_p === null ? {} : { top_p: config.top_p }),
      ...(effort === undefined ? {} : { reasoning: { effort: effort as Effort, summary: "auto" } }),
      ...(neverReasons.test(options.model) ? {} : { include: ["reasoning.encrypted_content"] }),
      prompt_cache_key: request.cacheKey,
      store: false,
      stream: true
    },
    ignored: [
      ...ignored,
      ...(config.top_k === null ? [] : [`top_k = ${config.top_k}: Responses has no such setting`]),
      ...(config.stop_sequences.length === 0 ? [] : ["stop_sequences: Responses has no such setting"])
    ]
  }
}

/** Models that answer 400 to a request for encrypted reasoning. */
const neverReasons = /(^|\/)(gpt-[34]|chatgpt-)|-chat-latest$/

type Effort = NonNullable<NonNullable<ResponseCreateParamsStreaming["reasoning"]>["effort"]>

const toTool = (tool: LlmRequest["tools"][number]): FunctionTool => ({
  type: "function",
  name: tool.name,
  description: tool.description,
  parameters: parametersOf(tool),
  // Strict mode wants every property to be required.
  strict: false
})

const toItems = (options: VendorOptions, message: LlmMessage): ReadonlyArray<ResponseInputItem> => {
  switch (message.role) {
    case "user":
    case "system":
      return [
        {
          type: "message",
          role: message.role === "user" ? "user" : "developer",
          content: [{ type: "input_text", text: message.text.toWellFormed() }]
        }
      ]
    case "assistant":
      return assistant(message.blocks)
    case "tool":
      return message.results.map((result) => ({
        type: "function_call_output",
        call_id: callId(result.id),
        output: outputOf(seen(options, result))
      }))
  }
}

const outputOf = ({ media, text }: ReturnType<typeof seen>): ResponseInputItem.FunctionCallOutput["output"] => {
  if (media.length === 0) return text.toWellFormed()
  return [
    { type: "input_text", text: text.toWellFormed() },
    ...media.map((each): ResponseInputImageContent | ResponseInputFileContent =>
      isImage(each)
        ? { type: "input_image", image_url: dataUrl(each), detail: "auto" }
        : { type: "input_file", filename: fileName(each), file_data: dataUrl(each) }
    )
  ]
}

const callId = (id: string): string => onWire(id, 64)

/** An assistant's message as it goes out: the SDK's type wants the id and the status that the store would know. */
interface SaidMessage {
  readonly type: "message"
  readonly role: "assistant"
  readonly content: Array<
    { readonly type: "output_text"; readonly text: string } | { readonly type: "refusal"; readonly refusal: string }
  >
}

/** Reasoning as it goes out: without an id, for the same reason. */
interface Reasoned {
  readonly type: "reasoning"
  readonly summary: ReadonlyArray<{ readonly type: "summary_text"; readonly text: string }>
  readonly encrypted_content: string
}

/**
 * The blocks of one generation as items. Neighbouring blocks of thinking are the parts of one item's summary, whose
 * last one holds the encrypted content; thinking without it came from another vendor and has no place here.
 */
const assistant = (blocks: ReadonlyArray<AssistantBlock>): ReadonlyArray<ResponseInputItem> => {
  const out: Array<ResponseInputItem | SaidMessage | Reasoned> = []
  let said: SaidMessage | undefined
  let summary: Array<string> = []
  const say = (part: SaidMessage["content"][number]) => {
    if (said === undefined) {
      said = { type: "message", role: "assistant", content: [] }
      out.push(said)
    }
    said.content.push(part)
  }
  for (const block of blocks) {
    if (block.kind !== "thinking") summary = []
    if (block.kind !== "text" && block.kind !== "refusal") said = undefined
    switch (block.kind) {
      case "text":
        if (block.text !== "") say({ type: "output_text", text: block.text.toWellFormed() })
        break
      case "refusal":
        say({ type: "refusal", refusal: block.text.toWellFormed() })
        break
      case "thinking":
        if (block.text !== "") summary.push(block.text.toWellFormed())
        if (block.encrypted === undefined) break
        out.push({
          type: "reasoning",
          summary: summary.map((text) => ({ type: "summary_text", text })),
          encrypted_content: block.encrypted
        })
        summary = []
        break
      case "tool_call":
        out.push({
          type: "function_call",
          call_id: callId(block.id),
          name: block.name,
          arguments: block.arguments.toWellFormed()
        })
    }
  }
  return out as ReadonlyArray<ResponseInputItem>
}
