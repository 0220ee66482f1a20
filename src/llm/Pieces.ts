/**
 * The events of several requests as those of one answer.
 *
 * Each request numbers its blocks from 0; here they get numbers of their own. When a piece breaks off, what is whole
 * stays, and so does the text up to where it broke; thinking without its end and all tool calls are void. The text then
 * goes on with the first text of the next piece, unless a call comes before it, and what that piece repeats of it is
 * taken out. So whoever follows the events sees one text grow, and never sees a word twice. The calls of an answer that
 * ends as a refusal are void as well: a vendor may stop it in the middle of one.
 */
import type { LlmEvent } from "./LlmEvent.ts"
import * as Overlap from "./Overlap.ts"

export type AnswerEvent =
  | LlmEvent
  /** The open text block `from` has the number `index` from here on, behind what came before it. */
  | { readonly type: "text_goes_on"; readonly from: number; readonly index: number }
  /** The block is no part of the answer. */
  | { readonly type: "void"; readonly index: number }

export interface Pieces {
  readonly push: (event: LlmEvent) => ReadonlyArray<AnswerEvent>
  /** The piece is over and the answer is not. */
  readonly cut: () => ReadonlyArray<AnswerEvent>
  /** No further piece comes. */
  readonly end: () => ReadonlyArray<AnswerEvent>
}

interface Block {
  readonly kind: "text" | "refusal" | "thinking" | "tool_call"
  /** The block that it belongs to, if it is nothing of its own. */
  readonly of?: number | undefined
  text: string
  closed: boolean
  overlap: Overlap.Overlap | undefined
}

export const make = (): Pieces => {
  /** By their number in the whole answer, in the order in which they began. */
  const blocks = new Map<number, Block>()
  let base = 0
  /** The text that the piece before left open. */
  let open: number | undefined
  /** What the first text of this piece may repeat. */
  let said: string | undefined
  /** A text's end, held back until it is known that the piece does not end with it in the middle of a sentence. */
  let ending: Extract<LlmEvent, { readonly type: "block_stop" }> | undefined

  const closeText = (index: number): ReadonlyArray<AnswerEvent> => {
    const block = blocks.get(index)
    if (block === undefined || block.closed) return []
    block.closed = true
    const rest = block.overlap?.end() ?? ""
    block.text += rest
    return [
      ...(rest === "" ? [] : [{ type: "delta", index, text: rest } as const]),
      ending?.index === index ? ending : { type: "block_stop", index }
    ]
  }

  const closeEnding = (): ReadonlyArray<AnswerEvent> => {
    if (ending === undefined) return []
    const out = closeText(ending.index)
    ending = undefined
    return out
  }

  const closeOpen = (): ReadonlyArray<AnswerEvent> => {
    if (open === undefined) return []
    const out = closeText(open)
    open = undefined
    return out
  }

  const drop = (index: number): AnswerEvent => {
    blocks.delete(index)
    return { type: "void", index }
  }

  /** What belongs to a block that is void: on another one it would be wrong. */
  const dropLoose = (): ReadonlyArray<AnswerEvent> =>
    Array.from(blocks).flatMap(([index, { of }]) => (of === undefined || blocks.has(of) ? [] : [drop(index)]))

  const dropCalls = (): ReadonlyArray<AnswerEvent> => {
    const calls = Array.from(blocks).flatMap(([index, { kind }]) => (kind === "tool_call" ? [index] : []))
    return [...calls.map(drop), ...dropLoose()]
  }

  const startText = (index: number, refusal: boolean, start: AnswerEvent): ReadonlyArray<AnswerEvent> => {
    const overlap = said === undefined ? undefined : Overlap.make(said)
    said = undefined
    const kind = refusal ? "refusal" : "text"
    const from = open
    const before = from === undefined ? undefined : blocks.get(from)
    if (from !== undefined && before?.kind === kind) {
      open = undefined
      before.overlap = overlap
      blocks.delete(from)
      blocks.set(index, before)
      return [{ type: "text_goes_on", from, index }]
    }
    const out = [...closeOpen(), start]
    blocks.set(index, { kind, text: "", closed: false, overlap })
    return out
  }

  const push: Pieces["push"] = (event) => {
    switch (event.type) {
      case "text_start": {
        const index = base + event.index
        return [...closeEnding(), ...startText(index, event.refusal === true, { ...event, index })]
      }
      case "thinking_start":
      case "tool_call_start": {
        const index = base + event.index
        const isCall = event.type === "tool_call_start"
        const out = [...closeEnding(), ...(isCall ? closeOpen() : [])]
        if (isCall) said = undefined
        const of = "of" in event && event.of !== undefined ? base + event.of : undefined
        blocks.set(index, { kind: isCall ? "tool_call" : "thinking", of, text: "", closed: false, overlap: undefined })
        return [...out, { ...event, index, ...(of === undefined ? {} : { of }) }]
      }
      case "delta": {
        const index = base + event.index
        const out = closeEnding()
        const block = blocks.get(index)
        if (block === undefined || block.closed) return out
        const text = block.overlap === undefined ? event.text : block.overlap.push(event.text)
        if (block.kind === "text") block.text += text
        return text === "" && event.text !== "" ? out : [...out, { ...event, index, text }]
      }
      case "block_stop": {
        const index = base + event.index
        const out = closeEnding()
        const block = blocks.get(index)
        if (block === undefined || block.closed) return out
        const stop = { ...event, index }
        if (block.kind === "text") {
          ending = stop
          return out
        }
        block.closed = true
        return [...out, stop]
      }
      case "usage":
        return [event]
      case "stop":
        if (event.reason === "max_tokens" || event.reason === "pause") return [event]
        return [...closeEnding(), ...closeOpen(), ...(event.reason === "refusal" ? dropCalls() : []), event]
    }
  }

  const cut = (): ReadonlyArray<AnswerEvent> => {
    const out: Array<AnswerEvent> = []
    ending = undefined
    let broken: number | undefined
    let text: string | undefined
    for (const [index, block] of blocks) {
      // Behind a text that broke off nothing can stand: the rest of it is still to come.
      if (broken !== undefined || block.kind === "tool_call" || (block.kind === "thinking" && !block.closed)) {
        if (index === open) open = undefined
        out.push(drop(index))
        continue
      }
      if (block.kind === "thinking") continue
      block.overlap = undefined
      text = block.kind === "text" ? block.text : undefined
      if (!block.closed && index !== open) broken = index
    }
    out.push(...dropLoose())
    open = broken ?? open
    said = text
    base = Math.max(-1, ...blocks.keys(), ...out.map((event) => ("index" in event ? event.index : -1))) + 1
    return out
  }

  return { push, cut, end: () => [...closeEnding(), ...closeOpen()] }
}
