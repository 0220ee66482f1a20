/**
 * Elements of a conversation as they are logged: messages, reasoning, tool calls and their results.
 *
 * There is no item id and no provider status in here: what a vendor needs to see again travels in
 * `signature` and `encrypted_content`, byte for byte.
 */
import * as Schema from "effect/Schema"
import { omittable } from "./Fields.ts"

export const ContentPart = Schema.Union([
  Schema.Struct({ kind: Schema.tag("text"), text: Schema.String }),
  Schema.Struct({ kind: Schema.tag("refusal"), refusal: Schema.String })
])
export type ContentPart = typeof ContentPart.Type

export const MessageItem = Schema.Struct({
  kind: Schema.tag("message"),
  role: Schema.Literals(["user", "assistant", "system"]),
  content: Schema.Array(ContentPart)
})
export type MessageItem = typeof MessageItem.Type

/** `arguments` is the text of a JSON object. */
export const ToolCallItem = Schema.Struct({
  kind: Schema.tag("tool_call"),
  call_id: Schema.String,
  name: Schema.String,
  arguments: Schema.String
})
export type ToolCallItem = typeof ToolCallItem.Type

/** `summary` is one or two lines and stays for ever; `content` is the bulk and may be pruned from requests later. */
export const ToolResultItem = Schema.Struct({
  kind: Schema.tag("tool_result"),
  call_id: Schema.String,
  summary: Schema.String,
  content: omittable(Schema.String),
  is_error: Schema.optionalKey(Schema.Boolean)
})
export type ToolResultItem = typeof ToolResultItem.Type

export const ReasoningItem = Schema.Struct({
  kind: Schema.tag("reasoning"),
  text: Schema.String,
  summary: Schema.optionalKey(Schema.Array(Schema.String)),
  encrypted_content: omittable(Schema.String),
  signature: omittable(Schema.String)
})
export type ReasoningItem = typeof ReasoningItem.Type

export const LoggedItem = Schema.Union([MessageItem, ToolCallItem, ToolResultItem, ReasoningItem]).annotate({
  identifier: "LoggedItem"
})
export type LoggedItem = typeof LoggedItem.Type

/** The text of a message, its parts joined; a refusal counts as text. */
export const messageText = (item: MessageItem): string =>
  item.content.map((part) => (part.kind === "text" ? part.text : part.refusal)).join("")

export const message = (role: MessageItem["role"], text: string): MessageItem => ({
  kind: "message",
  role,
  content: [{ kind: "text", text }]
})

/** What the model reads as the result of a call: the summary, and below it the content if there is any. */
export const resultText = (item: ToolResultItem): string =>
  item.content === undefined || item.content === "" ? item.summary : `${item.summary}\n${item.content}`
