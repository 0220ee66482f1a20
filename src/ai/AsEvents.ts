/**
 * The parts of a streamed answer, as Effect's ai modules have them, decoded to events of our own.
 *
 * Parts of one kind may interleave and are told apart by id. Arguments of a call come in pieces, or whole with the call,
 * or both: what came in pieces is not said again. What a provider runs itself, files and sources have no place in the
 * journal and are left out. One decoder reads one answer.
 */
import type * as Response from "effect/ai/Response"
import type { LlmEvent, LlmUsage, StopReason } from "../llm/LlmEvent.ts"
import * as Proof from "./Proof.ts"

export type Part = Exclude<Response.AnyPart, Response.ErrorPart>

interface Block {
  readonly kind: "text" | "thinking" | "tool_call"
  readonly id: string
  readonly index: number
  /** Of the empty reasoning that holds what belongs to this block; undefined for reasoning, which holds it itself. */
  readonly proofIndex: number | undefined
  metadata: Proof.Metadata
  written: boolean
}

export interface Decoder {
  readonly push: (part: Part) => ReadonlyArray<LlmEvent>
  /** The answer ends with these words: the provider's policy will not have it. */
  readonly refuse: (words: string) => ReadonlyArray<LlmEvent>
}

export const decoder = (): Decoder => {
  const blocks = new Map<string, Block>()
  let nextIndex = 0
  let calls = 0

  const open = (kind: Block["kind"], id: string, metadata: Proof.Metadata, name = ""): ReadonlyArray<LlmEvent> => {
    const proofIndex = kind === "thinking" ? undefined : nextIndex++
    const index = nextIndex++
    blocks.set(`${kind} ${id}`, { kind, id, index, proofIndex, metadata, written: false })
    switch (kind) {
      case "text":
        return [{ type: "text_start", index }]
      case "thinking":
        return [{ type: "thinking_start", index }]
      case "tool_call":
        calls++
        return [{ type: "tool_call_start", index, id, name }]
    }
  }

  const write = (kind: Block["kind"], id: string, text: string, metadata?: Proof.Metadata): ReadonlyArray<LlmEvent> => {
    const block = blocks.get(`${kind} ${id}`)
    if (block === undefined) return []
    block.metadata = Proof.merge(block.metadata, metadata)
    if (text === "") return []
    block.written = true
    return [{ type: "delta", index: block.index, text }]
  }

  const close = (kind: Block["kind"], id: string, metadata?: Proof.Metadata): ReadonlyArray<LlmEvent> => {
    const block = blocks.get(`${kind} ${id}`)
    if (block === undefined) return []
    blocks.delete(`${kind} ${id}`)
    const { index, proofIndex } = block
    const proof = Proof.toText(Proof.merge(block.metadata, metadata))
    if (proof === undefined) return [{ type: "block_stop", index }]
    if (proofIndex === undefined) return [{ type: "block_stop", index, signature: proof }]
    // A text of nothing leaves nothing that it could be put back on.
    if (kind === "text" && !block.written) return [{ type: "block_stop", index }]
    return [
      { type: "thinking_start", index: proofIndex, of: index },
      { type: "block_stop", index: proofIndex, encrypted: proof },
      { type: "block_stop", index }
    ]
  }

  const closeAll = () => Array.from(blocks.values()).flatMap(({ id, kind }) => close(kind, id))

  const wholeCall = (part: Response.ToolCallPart<string, unknown>): ReadonlyArray<LlmEvent> => {
    const begun = blocks.get(`tool_call ${part.id}`)
    const opening = begun === undefined ? open("tool_call", part.id, {}, part.name) : []
    const { params } = part
    const text = begun?.written === true ? "" : typeof params === "string" ? params : JSON.stringify(params ?? {})
    return [...opening, ...write("tool_call", part.id, text), ...close("tool_call", part.id, part.metadata)]
  }

  const push = (part: Part): ReadonlyArray<LlmEvent> => {
    switch (part.type) {
      case "text-start":
        return open("text", part.id, part.metadata)
      case "text-delta":
        return write("text", part.id, part.delta, part.metadata)
      case "text-end":
        return close("text", part.id, part.metadata)
      case "reasoning-start":
        return open("thinking", part.id, part.metadata)
      case "reasoning-delta":
        return write("thinking", part.id, part.delta, part.metadata)
      case "reasoning-end":
        return close("thinking", part.id, part.metadata)
      case "tool-params-start":
        return part.providerExecuted ? [] : open("tool_call", part.id, part.metadata, part.name)
      case "tool-params-delta":
        return write("tool_call", part.id, part.delta, part.metadata)
      case "tool-params-end":
        // The call itself follows, with what the provider wants to see again.
        return write("tool_call", part.id, "", part.metadata)
      case "tool-call":
        return part.providerExecuted ? [] : wholeCall(part)
      case "finish": {
        const usage = usageOf(part.usage)
        const reason = stopOf(part.reason, calls > 0)
        return [
          ...closeAll(),
          ...(Object.keys(usage).length === 0 ? [] : [{ type: "usage", usage } as const]),
          ...(reason === undefined ? [] : [{ type: "stop", reason, detail: part.reason } as const])
        ]
      }
      case "text":
      case "reasoning":
      case "tool-result":
      case "tool-approval-request":
      case "file":
      case "source":
      case "response-metadata":
        return []
    }
  }

  const refuse = (text: string): ReadonlyArray<LlmEvent> => {
    const before = closeAll()
    const index = nextIndex++
    return [
      ...before,
      { type: "text_start", index, refusal: true },
      { type: "delta", index, text },
      { type: "block_stop", index },
      { type: "stop", reason: "refusal" }
    ]
  }

  return { push, refuse }
}

/**
 * Undefined is no end. Who does not know why it ended does not know that its calls are whole either: Effect itself runs
 * no handler then. A text is taken as it is.
 */
const stopOf = (reason: Response.FinishReason, hasCalls: boolean): StopReason | undefined => {
  switch (reason) {
    case "stop":
      return "end_turn"
    case "tool-calls":
      return "tool_use"
    case "length":
      return "max_tokens"
    case "content-filter":
      return "refusal"
    case "pause":
      return "pause"
    case "other":
    case "unknown":
      return hasCalls ? undefined : "end_turn"
    case "error":
      return undefined
  }
}

const usageOf = ({ inputTokens, outputTokens }: Response.Usage): LlmUsage => {
  const { cacheRead, cacheWrite, uncached } = inputTokens
  const input =
    inputTokens.total ?? (uncached === undefined ? undefined : uncached + (cacheRead ?? 0) + (cacheWrite ?? 0))
  const { reasoning, text } = outputTokens
  const output = outputTokens.total ?? (text === undefined ? undefined : text + (reasoning ?? 0))
  return {
    ...(input === undefined ? {} : { inputTokens: input }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(cacheRead === undefined ? {} : { cacheReadTokens: cacheRead }),
    ...(cacheWrite === undefined ? {} : { cacheWriteTokens: cacheWrite })
  }
}
