/**
 * One answer of a model, folded from its events, and what of it is committed to the journal.
 *
 * No effects, no time: the same events give the same items. Blocks are told apart by index, so they may interleave;
 * items come out in block order, with neighbouring text merged into one message. A committed tool call always holds
 * the text of a JSON object: where the model sent something else it holds `{}`, and `badArguments` says what was
 * wrong, so that the caller answers with an error result instead of running the tool on arguments nobody meant.
 */
import type { ContentPart, MessageItem, ReasoningItem, ToolCallItem } from "../protocol/Item.ts"
import type { LlmEvent, LlmUsage } from "./LlmEvent.ts"
import type { AnswerEvent } from "./Pieces.ts"
import { merge } from "./Usage.ts"

/** What a model sends is never a tool result or a user's message. */
export type GeneratedItem = MessageItem | ReasoningItem | ToolCallItem

export interface ResponseItem {
  readonly item: GeneratedItem
  /** Index of the block that the item begins with. */
  readonly block: number
  /** Only on a tool call that must not run: what is wrong with its arguments. */
  readonly badArguments: string | undefined
}

export interface Response {
  /** Events for blocks that are not open change nothing. */
  readonly push: (event: AnswerEvent) => void
  /** The items of the answer so far. Blocks that hold nothing leave no item. */
  readonly items: () => ReadonlyArray<ResponseItem>
  readonly usage: () => LlmUsage
  /** The last end mark; undefined until there is one. */
  readonly stop: () => Extract<LlmEvent, { type: "stop" }> | undefined
}

interface Block {
  readonly kind: "text" | "refusal" | "thinking" | "tool_call"
  /** Of tool calls; empty otherwise. */
  readonly id: string
  readonly name: string
  text: string
  closed: boolean
  signature: string | undefined
  encrypted: string | undefined
}

export const make = (): Response => {
  const blocks = new Map<number, Block>()
  let usage: LlmUsage = {}
  let stop: Extract<LlmEvent, { type: "stop" }> | undefined
  const open = (index: number, kind: Block["kind"], id = "", name = "") => {
    blocks.set(index, { kind, id, name, text: "", closed: false, signature: undefined, encrypted: undefined })
  }
  return {
    push: (event) => {
      switch (event.type) {
        case "text_start":
          return open(event.index, event.refusal === true ? "refusal" : "text")
        case "thinking_start":
          return open(event.index, "thinking")
        case "tool_call_start":
          return open(event.index, "tool_call", event.id, event.name)
        case "delta": {
          const block = blocks.get(event.index)
          if (block !== undefined && !block.closed) block.text += event.text
          return
        }
        case "block_stop": {
          const block = blocks.get(event.index)
          if (block === undefined || block.closed) return
          block.closed = true
          block.signature = event.signature
          block.encrypted = event.encrypted
          return
        }
        case "text_goes_on": {
          const block = blocks.get(event.from)
          blocks.delete(event.from)
          if (block !== undefined) blocks.set(event.index, block)
          return
        }
        case "void":
          blocks.delete(event.index)
          return
        case "usage":
          usage = merge(usage, event.usage)
          return
        case "stop":
          stop = event
      }
    },
    items: () => collect(blocks),
    usage: () => usage,
    stop: () => stop
  }
}

/** All events at once. */
export const fold = (events: Iterable<LlmEvent>): Response => {
  const response = make()
  for (const event of events) response.push(event)
  return response
}

const collect = (blocks: ReadonlyMap<number, Block>): ReadonlyArray<ResponseItem> => {
  const out: Array<ResponseItem> = []
  let parts: Array<ContentPart> | undefined
  for (const [index, block] of [...blocks].toSorted(([a], [b]) => a - b)) {
    if (isBlank(block)) continue
    if (block.kind === "text" || block.kind === "refusal") {
      if (parts === undefined) {
        parts = []
        out.push({
          block: index,
          item: { kind: "message", role: "assistant", content: parts },
          badArguments: undefined
        })
      }
      append(parts, block.kind, block.text)
      continue
    }
    parts = undefined
    out.push(
      block.kind === "thinking"
        ? { block: index, item: reasoning(block), badArguments: undefined }
        : toolCall(index, block)
    )
  }
  return out
}

const isBlank = (block: Block): boolean =>
  block.kind !== "tool_call" && block.text === "" && block.signature === undefined && block.encrypted === undefined

const append = (parts: Array<ContentPart>, kind: "text" | "refusal", text: string): void => {
  const last = parts.at(-1)
  if (last?.kind === "text" && kind === "text") parts[parts.length - 1] = { kind, text: last.text + text }
  else if (last?.kind === "refusal" && kind === "refusal") {
    parts[parts.length - 1] = { kind, refusal: last.refusal + text }
  } else parts.push(kind === "text" ? { kind, text } : { kind, refusal: text })
}

const reasoning = (block: Block): ReasoningItem => ({
  kind: "reasoning",
  text: block.text,
  ...(block.encrypted === undefined ? {} : { encrypted_content: block.encrypted }),
  ...(block.signature === undefined ? {} : { signature: block.signature })
})

const toolCall = (index: number, block: Block): ResponseItem => {
  const { problem, text } = parseArguments(block.text)
  return {
    block: index,
    item: { kind: "tool_call", call_id: block.id, name: block.name, arguments: text },
    badArguments: problem
  }
}

/**
 * The arguments as they are committed: compact JSON of an object. Nothing, and a lone `null`, mean "no arguments".
 * `problem` is set if something else was sent; `text` is `{}` then.
 */
export const parseArguments = (sent: string): { readonly text: string; readonly problem: string | undefined } => {
  if (sent.trim() === "") return { text: "{}", problem: undefined }
  try {
    const value: unknown = JSON.parse(sent)
    if (value === null) return { text: "{}", problem: undefined }
    if (typeof value === "object" && !Array.isArray(value)) return { text: JSON.stringify(value), problem: undefined }
    return { text: "{}", problem: `${Array.isArray(value) ? "an array" : `a ${typeof value}`} was sent` }
  } catch {
    return { text: "{}", problem: `${sent.length} characters that are no complete JSON were sent` }
  }
}
