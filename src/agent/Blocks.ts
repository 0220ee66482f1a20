/**
 * From a model's events to the events that clients see.
 *
 * Clients know text and thinking by order, not by index: one block of a kind is open at a time. Where a model
 * interleaves two of them, the later one is held back until the earlier one closes. Tool calls carry ids and flow freely.
 */
import type { AnswerEvent } from "../llm/Pieces.ts"
import { parseArguments } from "../llm/Response.ts"
import type { BroadcastEvent } from "../protocol/Event.ts"

interface Block {
  readonly kind: "text" | "thinking" | "tool_call"
  readonly id: string
  readonly name: string
  text: string
  /** The part of `text` that clients have not seen yet. */
  held: string
  announced: boolean
  closed: boolean
  finished: boolean
}

export interface Blocks {
  readonly push: (event: AnswerEvent) => ReadonlyArray<BroadcastEvent>
  /** The model has produced something that a client may have seen or that may have to be undone. */
  readonly active: () => boolean
}

export const make = (): Blocks => {
  const blocks = new Map<number, Block>()
  let active = false

  const open = (index: number, kind: Block["kind"], id = "", name = ""): Block => {
    const block: Block = { kind, id, name, text: "", held: "", announced: false, closed: false, finished: false }
    blocks.set(index, block)
    return block
  }

  /** The first block of its kind that is not finished may speak; the others wait. */
  const mayMove = (block: Block): boolean => {
    if (block.kind === "tool_call") return true
    for (const other of blocks.values()) {
      if (other === block) return true
      if (other.kind === block.kind && !other.finished) return false
    }
    return false
  }

  const flush = (out: Array<BroadcastEvent>): void => {
    for (const block of blocks.values()) {
      if (block.finished || !mayMove(block)) continue
      if (!block.announced) {
        block.announced = true
        if (block.kind === "thinking") out.push({ event: "thinking_start" })
        if (block.kind === "tool_call") out.push({ event: "tool_call_start", data: { id: block.id, name: block.name } })
      }
      if (block.held !== "") {
        out.push(delta(block, block.held))
        block.held = ""
      }
      if (block.closed) {
        out.push(done(block))
        block.finished = true
      }
    }
  }

  return {
    active: () => active,
    push: (event) => {
      const out: Array<BroadcastEvent> = []
      switch (event.type) {
        case "text_start":
          open(event.index, "text")
          break
        case "thinking_start":
          open(event.index, "thinking")
          active = true
          break
        case "tool_call_start":
          open(event.index, "tool_call", event.id, event.name)
          active = true
          break
        case "delta": {
          const block = blocks.get(event.index)
          if (block === undefined || event.text === "") return out
          block.text += event.text
          block.held += event.text
          active = true
          break
        }
        case "block_stop": {
          const block = blocks.get(event.index)
          if (block === undefined) return out
          block.closed = true
          break
        }
        case "text_goes_on": {
          const block = blocks.get(event.from)
          blocks.delete(event.from)
          if (block !== undefined) blocks.set(event.index, block)
          break
        }
        case "void":
          blocks.delete(event.index)
          break
        case "usage":
        case "stop":
          return out
      }
      flush(out)
      return out
    }
  }
}

const delta = (block: Block, text: string): BroadcastEvent => {
  switch (block.kind) {
    case "text":
      return { event: "text_delta", data: { text } }
    case "thinking":
      return { event: "thinking_delta", data: { text } }
    case "tool_call":
      return { event: "tool_call_args_delta", data: { id: block.id, json: text } }
  }
}

const done = (block: Block): BroadcastEvent => {
  switch (block.kind) {
    case "text":
      return { event: "text_done", data: { text: block.text } }
    case "thinking":
      return { event: "thinking_done", data: { text: block.text } }
    case "tool_call":
      return {
        event: "tool_call_done",
        data: { id: block.id, name: block.name, arguments: parseArguments(block.text).text }
      }
  }
}
