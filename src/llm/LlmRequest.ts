/**
 * What is sent to a model, in no vendor's dialect.
 *
 * The messages alternate the way every vendor can express: one assistant message holds all blocks of one generation
 * in their order, and the results of its calls follow in call order. `layers/llm` turns this into wire requests.
 */
import type * as Schema from "effect/Schema"
import type { RequestConfig } from "../protocol/LogEntry.ts"
import type { Media } from "../protocol/Media.ts"

export type AssistantBlock =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "refusal"; readonly text: string }
  | {
      readonly kind: "thinking"
      readonly text: string
      /** Opaque proof of the vendor, sent back byte for byte. */
      readonly signature?: string
      /** Opaque content that replaces `text` (redacted thinking, encrypted reasoning). */
      readonly encrypted?: string
    }
  | { readonly kind: "tool_call"; readonly id: string; readonly name: string; readonly arguments: string }

export type LlmMessage =
  | { readonly role: "user"; readonly text: string }
  /** Text of the pod itself (notifications, attachments). Vendors without such a role get it as user text. */
  | { readonly role: "system"; readonly text: string }
  | { readonly role: "assistant"; readonly blocks: ReadonlyArray<AssistantBlock> }
  | {
      readonly role: "tool"
      readonly results: ReadonlyArray<{
        readonly id: string
        readonly name: string
        readonly text: string
        readonly isError: boolean
        /** Only for models that can see. */
        readonly media?: ReadonlyArray<Media>
      }>
    }

/** `parameters` is a JSON Schema object (draft 2020-12) of an object type. */
export interface ToolSpec {
  readonly name: string
  readonly description: string
  readonly parameters: Schema.JsonObject
}

export interface LlmRequest {
  readonly system: string | undefined
  readonly messages: ReadonlyArray<LlmMessage>
  /** Sorted by name. */
  readonly tools: ReadonlyArray<ToolSpec>
  readonly config: RequestConfig
  /** Stable for the life of a segment; a vendor may use it to route to a warm cache. */
  readonly cacheKey: string
}
