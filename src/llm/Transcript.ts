/**
 * From the items of a session to the messages of a request.
 *
 * Pure: the same history gives the same messages, and a longer history the same ones followed by more, which is what
 * vendors' prompt caches rely on; only old images and documents make room for new ones (`Shown`). Every call is answered right after the generation that made it, in call order,
 * every result has exactly one earlier call, and call ids are unique, whatever the history looks like.
 *
 * A generation is an unbroken stretch of assistant-side items of one `turn` (all of them, where `turn` is missing).
 */
import { type LoggedItem, resultText, type ToolCallItem, type ToolResultItem } from "../protocol/Item.ts"
import type { Media } from "../protocol/Media.ts"
import type { AssistantBlock, LlmMessage } from "./LlmRequest.ts"
import { newest } from "./Shown.ts"

/** What the pod itself says (`SystemItem.body`) comes as a message of role `system`. */
export interface HistoryItem {
  readonly item: LoggedItem
  /** The generation, as journalled; items of one response share it. */
  readonly turn?: number | undefined
  /** Where it was made (`originOf`), if it holds what only that origin takes back. */
  readonly provider?: unknown
  /** What belongs to a tool's result besides its text. */
  readonly media?: ReadonlyArray<Media> | undefined
}

export interface TranscriptOptions {
  /** Asks for the rest of an answer, whatever the history ends with. */
  readonly note?: string | undefined
  /** Who gets the request: reasoning with the proof of another origin is left out. Default: whoever has made it. */
  readonly origin?: string | undefined
}

/** Stands in for a result that was never recorded: vendors reject a request with an open call. */
export const unknownOutcome =
  "The outcome of this call is unknown: it was interrupted before a result was recorded. It may have had effects."

/** Vendors do not continue an answer in place; a history that ends with one asks for more in words. */
export const continueNote = "[The answer above is incomplete. Continue exactly where it ends, without repeating it.]"

/** The same for an answer that its token limit has cut, also where nothing of it could be kept. */
export const limitNote =
  "[Your last answer reached its token limit. Continue exactly where it ends, without repeating it. " +
  "A tool call in it was not run: make it again, with shorter arguments.]"

export const transcript = (
  history: ReadonlyArray<HistoryItem>,
  { note, origin }: TranscriptOptions = {}
): ReadonlyArray<LlmMessage> => {
  const plan = new Plan()
  for (const { item, media, provider, turn } of history) {
    switch (item.kind) {
      case "tool_result":
        plan.result(item, media)
        break
      case "tool_call":
        plan.call(item, turn)
        break
      case "reasoning":
        if (origin === undefined || typeof provider !== "string" || provider === origin) {
          plan.block(reasoningBlock(item), turn)
        }
        break
      case "message":
        if (item.role === "assistant") {
          for (const part of item.content) {
            plan.block(
              part.kind === "text" ? { kind: "text", text: part.text } : { kind: "refusal", text: part.refusal },
              turn
            )
          }
        } else {
          const text = item.content.map((part) => (part.kind === "text" ? part.text : part.refusal)).join("")
          plan.say({ role: item.role, text })
        }
    }
  }
  return newest(plan.messages(note))
}

const reasoningBlock = (item: Extract<LoggedItem, { kind: "reasoning" }>): AssistantBlock => ({
  kind: "thinking",
  text: item.text,
  ...(item.signature == null ? {} : { signature: item.signature }),
  ...(item.encrypted_content == null ? {} : { encrypted: item.encrypted_content })
})

interface Call {
  /** As logged; the request may use another one. */
  readonly loggedId: string
  readonly id: string
  readonly name: string
  result: ToolResultItem | undefined
  media: ReadonlyArray<Media> | undefined
}

interface Generation {
  readonly turn: number | undefined
  readonly blocks: Array<AssistantBlock>
  readonly calls: Array<Call>
}

class Plan {
  private readonly entries: Array<Generation | LlmMessage> = []
  private readonly generations: Array<Generation> = []
  private readonly ids = new Set<string>()
  private open: Generation | undefined

  say(message: LlmMessage): void {
    this.open = undefined
    this.entries.push(message)
  }

  block(block: AssistantBlock, turn: number | undefined): void {
    const { blocks } = this.generation(turn)
    const last = blocks.at(-1)
    if (block.kind === "text" && last?.kind === "text")
      blocks[blocks.length - 1] = { ...last, text: last.text + block.text }
    else blocks.push(block)
  }

  call(item: ToolCallItem, turn: number | undefined): void {
    const id = this.unique(item.call_id)
    const generation = this.generation(turn)
    generation.blocks.push({ kind: "tool_call", id, name: item.name, arguments: item.arguments })
    generation.calls.push({ loggedId: item.call_id, id, name: item.name, result: undefined, media: undefined })
  }

  /** Goes to the open call of that id in the latest generation that has one; a result without a call is left out. */
  result(item: ToolResultItem, media: ReadonlyArray<Media> | undefined): void {
    this.open = undefined
    for (const generation of this.generations.toReversed()) {
      const call = generation.calls.find((made) => made.loggedId === item.call_id && made.result === undefined)
      if (call === undefined) continue
      call.result = item
      call.media = media
      return
    }
  }

  messages(note: string | undefined): ReadonlyArray<LlmMessage> {
    const out: Array<LlmMessage> = []
    for (const entry of this.entries) {
      if ("role" in entry) {
        out.push(entry)
        continue
      }
      if (entry.blocks.length === 0) continue
      out.push({ role: "assistant", blocks: entry.blocks })
      if (entry.calls.length > 0) out.push({ role: "tool", results: entry.calls.map(answer) })
    }
    const asks = note ?? (out.at(-1)?.role === "assistant" ? continueNote : undefined)
    if (asks !== undefined) out.push({ role: "system", text: asks })
    return out
  }

  private generation(turn: number | undefined): Generation {
    if (this.open !== undefined && this.open.turn === turn) return this.open
    const generation: Generation = { turn, blocks: [], calls: [] }
    this.open = generation
    this.entries.push(generation)
    this.generations.push(generation)
    return generation
  }

  private unique(id: string): string {
    let candidate = id
    for (let n = 2; this.ids.has(candidate); n++) candidate = `${id}_${n}`
    this.ids.add(candidate)
    return candidate
  }
}

const answer = (call: Call) => ({
  id: call.id,
  name: call.name,
  text: call.result === undefined ? unknownOutcome : resultText(call.result),
  isError: call.result === undefined || call.result.is_error === true,
  ...(call.media === undefined ? {} : { media: call.media })
})
