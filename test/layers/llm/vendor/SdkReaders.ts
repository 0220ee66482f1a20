/** What the vendors' own SDKs read from an answer, and the same of ours: the same server, the same bytes. */
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI, type Part } from "@google/genai/web"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import OpenAI from "openai"
import * as AnthropicLayer from "../../../../layers/llm/Anthropic.ts"
import * as Gemini from "../../../../layers/llm/Gemini.ts"
import * as OpenAiChat from "../../../../layers/llm/OpenAiChat.ts"
import * as OpenAiResponses from "../../../../layers/llm/OpenAiResponses.ts"
import type { LlmError } from "../../../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../../../src/llm/LlmEvent.ts"
import { fold } from "../../../../src/llm/Response.ts"
import { messageText } from "../../../../src/protocol/Item.ts"
import { request } from "../../../llm/fakeClient.ts"
import type { VendorServer } from "../../../support/VendorServer.ts"

export interface Read {
  readonly text: string
  /** Undefined where the SDK does not know it. */
  readonly thinking: string | undefined
  readonly calls: ReadonlyArray<readonly [id: string | undefined, name: string | undefined, args: unknown]>
  /** What proves the thinking. */
  readonly proofs: ReadonlyArray<string | undefined>
}

const messages = [{ role: "user", content: "hi" } as const]

export const readers = {
  anthropic: {
    make: AnthropicLayer.make,
    read: async (server: VendorServer): Promise<Read> => {
      const client = new Anthropic({ apiKey: "k", baseURL: server.anthropicUrl, maxRetries: 0 })
      const { content } = await client.messages.stream({ model: "m", max_tokens: 9, messages }).finalMessage()
      return {
        text: content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join(""),
        thinking: content.flatMap((block) => (block.type === "thinking" ? [block.thinking] : [])).join(""),
        calls: content.flatMap((block) =>
          block.type === "tool_use" ? [[block.id, block.name, block.input] as const] : []
        ),
        proofs: content.flatMap((block) => (block.type === "thinking" ? [block.signature] : []))
      }
    }
  },
  openai_chat: {
    make: OpenAiChat.make,
    read: async (server: VendorServer): Promise<Read> => {
      const client = new OpenAI({ apiKey: "k", baseURL: server.openAiUrl, maxRetries: 0 })
      const { choices } = await client.chat.completions.stream({ model: "m", messages }).finalChatCompletion()
      const said = choices[0]?.message
      return {
        text: said?.content ?? "",
        thinking: undefined,
        calls: (said?.tool_calls ?? []).flatMap((call) =>
          call.type === "function"
            ? [[call.id, call.function.name, JSON.parse(call.function.arguments) as unknown] as const]
            : []
        ),
        proofs: []
      }
    }
  },
  openai_responses: {
    make: OpenAiResponses.make,
    read: async (server: VendorServer): Promise<Read> => {
      const client = new OpenAI({ apiKey: "k", baseURL: server.openAiUrl, maxRetries: 0 })
      const { output, output_text } = await client.responses.stream({ model: "m", input: "hi" }).finalResponse()
      const reasoning = output.flatMap((item) => (item.type === "reasoning" ? [item] : []))
      return {
        text: output_text,
        thinking: reasoning.flatMap(({ summary }) => summary.map(({ text }) => text)).join(""),
        calls: output.flatMap((item) =>
          item.type === "function_call"
            ? [[item.call_id, item.name, JSON.parse(item.arguments) as unknown] as const]
            : []
        ),
        proofs: reasoning.map((item) => item.encrypted_content ?? undefined)
      }
    }
  },
  gemini: {
    make: Gemini.make,
    read: async (server: VendorServer): Promise<Read> => {
      const client = new GoogleGenAI({
        apiKey: "k",
        apiVersion: "v1beta",
        httpOptions: { baseUrl: server.anthropicUrl }
      })
      const stream = await client.models.generateContentStream({ model: "m", contents: "hi" })
      const parts: Array<Part> = []
      for await (const chunk of stream) parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []))
      const text = (thought: boolean) =>
        parts.flatMap((part) => ((part.thought === true) === thought ? [part.text ?? ""] : [])).join("")
      return {
        text: text(false),
        thinking: text(true),
        calls: parts.flatMap(({ functionCall }) =>
          functionCall === undefined ? [] : [[functionCall.id, functionCall.name, functionCall.args] as const]
        ),
        proofs: parts.flatMap((part) => (part.thoughtSignature === undefined ? [] : [part.thoughtSignature]))
      }
    }
  }
} as const

/** The text of an answer as it comes, by the SDKs' own decoders. Nothing is kept. */
export const texts: Readonly<Record<keyof typeof readers, (server: VendorServer) => AsyncIterable<string>>> = {
  anthropic: async function* (server) {
    const client = new Anthropic({ apiKey: "k", baseURL: server.anthropicUrl, maxRetries: 0 })
    const body = { model: "m", max_tokens: 9, messages, stream: true } as const
    for await (const event of await client.messages.create(body)) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") yield event.delta.text
    }
  },
  openai_chat: async function* (server) {
    const client = new OpenAI({ apiKey: "k", baseURL: server.openAiUrl, maxRetries: 0 })
    const stream = await client.chat.completions.create({ model: "m", messages, stream: true })
    for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? ""
  },
  openai_responses: async function* (server) {
    const client = new OpenAI({ apiKey: "k", baseURL: server.openAiUrl, maxRetries: 0 })
    for await (const event of await client.responses.create({ model: "m", input: "hi", stream: true })) {
      if (event.type === "response.output_text.delta") yield event.delta
    }
  },
  gemini: async function* (server) {
    const client = new GoogleGenAI({ apiKey: "k", apiVersion: "v1beta", httpOptions: { baseUrl: server.anthropicUrl } })
    for await (const chunk of await client.models.generateContentStream({ model: "m", contents: "hi" })) {
      yield chunk.text ?? ""
    }
  }
}

export type Name = keyof typeof readers
export const names = Object.keys(readers) as ReadonlyArray<Name>

export const clientFor = (name: Name, server: VendorServer) =>
  readers[name].make({
    apiKey: Redacted.make("k"),
    baseUrl: name.startsWith("openai") ? server.openAiUrl : server.anthropicUrl,
    model: "m",
    contextWindow: 1000
  })

export const ourEvents = (name: Name, server: VendorServer): Effect.Effect<ReadonlyArray<LlmEvent>, LlmError> =>
  Effect.flatMap(clientFor(name, server), (client) => Stream.runCollect(client.stream(request)))

export const ourRead = (events: ReadonlyArray<LlmEvent>): Read => {
  const items = fold(events)
    .items()
    .map(({ item }) => item)
  return {
    text: items.flatMap((item) => (item.kind === "message" ? [messageText(item)] : [])).join(""),
    thinking: items.flatMap((item) => (item.kind === "reasoning" ? [item.text] : [])).join(""),
    calls: items.flatMap((item) =>
      item.kind === "tool_call" ? [[item.call_id, item.name, JSON.parse(item.arguments) as unknown] as const] : []
    ),
    proofs: items.flatMap((item) =>
      item.kind === "reasoning" ? [item.signature ?? item.encrypted_content ?? []].flat() : []
    )
  }
}
