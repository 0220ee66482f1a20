/**
 * An `LlmRequest` as a request of Google's Gemini API.
 *
 * Roles alternate: everything that is not the model's goes into contents of the role `user`, neighbours merged. A
 * signature goes back on the part that it came with, see `./Events.ts` for where the journal keeps it. Thoughts
 * themselves are not sent back: without their signature they mean nothing to the API. The first call of an answer that
 * has none, because another model made it, gets the placeholder that Google has for this.
 */
import type { Content, GenerateContentConfig, Part, ThinkingConfig, ThinkingLevel } from "@google/genai/web"
import type { AssistantBlock, LlmMessage, LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { parseArguments } from "../../../src/llm/Response.ts"
import type { RequestConfig } from "../../../src/protocol/LogEntry.ts"
import { onWire } from "../vendor/CallIds.ts"
import { seen } from "../vendor/Seen.ts"
import type { VendorOptions } from "../vendor/Vendor.ts"
import { project } from "./JsonSchema.ts"

export interface WireRequest {
  readonly contents: Array<Content>
  readonly config: GenerateContentConfig
  /** Settings that this model cannot be given, each in words. */
  readonly ignored: ReadonlyArray<string>
}

export const build = (options: VendorOptions, request: LlmRequest): WireRequest => {
  const { config } = request
  const thinking = thinkingOf(options, config)
  const offersTools = options.capability?.tool_calling !== "none" && request.tools.length > 0
  return {
    contents: toContents(options, request.messages, wantsSignedCalls.test(options.model) ? unsigned : undefined),
    config: {
      ...(request.system === undefined || isBlank(request.system)
        ? {}
        : { systemInstruction: { parts: [{ text: request.system.toWellFormed() }] } }),
      ...(offersTools ? { tools: [{ functionDeclarations: request.tools.map(toDeclaration) }] } : {}),
      ...(config.max_tokens === null ? {} : { maxOutputTokens: config.max_tokens }),
      ...(config.temperature === null ? {} : { temperature: config.temperature }),
      ...(config.top_p === null ? {} : { topP: config.top_p }),
      ...(config.top_k === null ? {} : { topK: config.top_k }),
      ...(config.stop_sequences.length === 0 ? {} : { stopSequences: [...config.stop_sequences] }),
      ...thinking.params
    },
    ignored: thinking.ignored
  }
}

const isBlank = (text: string): boolean => text.trim() === ""

/** Models from the third generation on answer 400 to a call in the history whose step has no signature. */
const wantsSignedCalls = /(^|\/)gemini-(?![12](\.\d+)?-)/

/** https://ai.google.dev/gemini-api/docs/thought-signatures: for calls that were not made by a model of theirs. */
const unsigned = "skip_thought_signature_validator"

/** A word is a level, a number a budget of tokens: 0 turns thinking off, -1 lets the model decide. */
const thinkingOf = (
  options: VendorOptions,
  config: RequestConfig
): { readonly params: { thinkingConfig?: ThinkingConfig }; readonly ignored: ReadonlyArray<string> } => {
  const { reasoning } = config
  if (reasoning === null) return { params: {}, ignored: [] }
  const form = typeof reasoning === "string" ? "effort" : "budget_tokens"
  const known = options.capability?.reasoning
  if (known !== undefined && known !== "both" && known !== form) {
    const takes = known === "effort" ? "an effort level" : "a number of tokens"
    return { params: {}, ignored: [`reasoning = ${JSON.stringify(reasoning)}: ${options.model} takes ${takes}`] }
  }
  if (reasoning === "none" || reasoning === 0) return { params: { thinkingConfig: { thinkingBudget: 0 } }, ignored: [] }
  const thinkingConfig: ThinkingConfig =
    typeof reasoning === "string"
      ? // Other words travel as well: the API knows which ones it takes.
        { includeThoughts: true, thinkingLevel: reasoning.toUpperCase() as ThinkingLevel }
      : { includeThoughts: true, thinkingBudget: Math.max(-1, reasoning) }
  return { params: { thinkingConfig }, ignored: [] }
}

const toDeclaration = (tool: LlmRequest["tools"][number]) => ({
  name: tool.name,
  description: tool.description,
  parametersJsonSchema: project({ type: "object", ...tool.parameters })
})

interface Draft {
  readonly role: "user" | "model"
  readonly parts: Array<Part>
}

/** `placeholder`: for calls that have no signature. */
const toContents = (
  options: VendorOptions,
  messages: ReadonlyArray<LlmMessage>,
  placeholder: string | undefined
): Array<Content> => {
  const drafts: Array<Draft> = []
  const say = (role: Draft["role"], parts: ReadonlyArray<Part>) => {
    if (parts.length === 0) return
    const last = drafts.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else drafts.push({ role, parts: [...parts] })
  }
  for (const message of messages) {
    switch (message.role) {
      case "user":
      case "system":
        say("user", textPart(message.text))
        break
      case "assistant":
        say("model", modelParts(message.blocks, placeholder))
        break
      case "tool":
        say("user", resultParts(options, message.results))
    }
  }
  if (drafts[0]?.role === "model") drafts.unshift({ role: "user", parts: [{ text: "[The conversation so far.]" }] })
  return drafts
}

/** What there is to see comes behind the responses: older models take it nowhere else. */
const resultParts = (options: VendorOptions, results: ToolResults): ReadonlyArray<Part> => {
  const shown = results.map((result) => ({ result, ...seen(options, result) }))
  return [
    ...shown.map(({ result, text }) => ({
      functionResponse: {
        id: callId(result.id),
        name: result.name,
        response: { [result.isError ? "error" : "output"]: text.toWellFormed() }
      }
    })),
    ...shown.flatMap(({ media }) => media.map(({ data, type }) => ({ inlineData: { mimeType: type, data } })))
  ]
}

type ToolResults = Extract<LlmMessage, { readonly role: "tool" }>["results"]

const textPart = (text: string): ReadonlyArray<Part> => (text === "" ? [] : [{ text: text.toWellFormed() }])

const callId = (id: string): string => onWire(id, 64)

const modelParts = (blocks: ReadonlyArray<AssistantBlock>, placeholder: string | undefined): ReadonlyArray<Part> => {
  const out: Array<Part> = []
  let called = false
  /** Belongs to the part that comes next. */
  let signature: string | undefined
  const push = (part: Part) => {
    out.push(signature === undefined ? part : { ...part, thoughtSignature: signature })
    signature = undefined
  }
  for (const block of blocks) {
    switch (block.kind) {
      case "text":
      case "refusal":
        for (const part of textPart(block.text)) push(part)
        break
      case "thinking":
        if (block.encrypted !== undefined) out.push({ text: "", thoughtSignature: block.encrypted })
        else if (block.signature === undefined) break
        else if (block.text === "") signature = block.signature
        else out.push({ text: block.text, thought: true, thoughtSignature: block.signature })
        break
      case "tool_call":
        // Of calls made side by side the first one is signed, for all of them.
        if (!called) signature ??= placeholder
        called = true
        push({
          functionCall: {
            id: callId(block.id),
            name: block.name,
            args: JSON.parse(parseArguments(block.arguments.toWellFormed()).text) as Record<string, unknown>
          }
        })
    }
  }
  if (signature !== undefined) push({ text: "" })
  return out
}
