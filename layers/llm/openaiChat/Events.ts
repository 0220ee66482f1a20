/**
 * The chunk stream of OpenAI's Chat Completions API, decoded.
 *
 * Chunks carry pieces of one message and no blocks, so blocks are made here: a new one whenever the kind of content
 * changes, one for each tool call. Compatible servers differ in how they number calls, in where they put usage and
 * reasoning, and in whether they send `[DONE]`; all of that is taken. A stream with neither a finish reason nor `[DONE]`
 * was cut.
 */
import type { LlmEvent, StopReason } from "../../../src/llm/LlmEvent.ts"
import { type Decoder, parseEvent } from "../vendor/Answer.ts"
import * as Failure from "../vendor/Failure.ts"
import { array, count, object, string } from "../vendor/Json.ts"
import { reported, usageOf } from "../vendor/OpenAi.ts"
import type { Vendor } from "../vendor/Vendor.ts"

type Fields = Readonly<Record<string, unknown>>

interface Call {
  /** The block; undefined until the name is known. */
  block: number | undefined
  /** As the server numbers and names it. */
  readonly wireIndex: number | undefined
  wireId: string
  name: string
  /** Arguments that came before the name. */
  early: string
}

export const decoder = (vendor: Vendor, callId: (wanted: string | undefined) => string): Decoder => {
  let nextBlock = 0
  /** The text, refusal or thinking that is being written. */
  let prose: { readonly kind: "text" | "refusal" | "thinking"; readonly index: number } | undefined
  const calls: Array<Call> = []
  let refused = false
  let finish = ""
  let done = false
  let lastUsage = ""

  const closeProse = (): ReadonlyArray<LlmEvent> => {
    if (prose === undefined) return []
    const { index } = prose
    prose = undefined
    return [{ type: "block_stop", index }]
  }

  const say = (kind: "text" | "refusal" | "thinking", text: string): ReadonlyArray<LlmEvent> => {
    if (text === "") return []
    if (prose?.kind === kind) return [{ type: "delta", index: prose.index, text }]
    const before = closeProse()
    const index = nextBlock++
    prose = { kind, index }
    if (kind === "refusal") refused = true
    const start: LlmEvent =
      kind === "thinking"
        ? { type: "thinking_start", index }
        : { type: "text_start", index, ...(kind === "refusal" ? { refusal: true } : {}) }
    return [...before, start, { type: "delta", index, text }]
  }

  /** The call that a piece belongs to: by number, unless the same number comes with a new id; else the last one. */
  const callOf = (piece: Fields): Call => {
    const wireIndex = count(piece["index"])
    const wireId = string(piece["id"])
    const known =
      wireIndex === undefined
        ? wireId === ""
          ? calls.at(-1)
          : calls.find((call) => call.wireId === wireId)
        : calls.findLast((call) => call.wireIndex === wireIndex)
    if (known !== undefined && (wireId === "" || known.wireId === "" || known.wireId === wireId)) {
      if (known.wireId === "") known.wireId = wireId
      return known
    }
    const call: Call = { block: undefined, wireIndex, wireId, name: "", early: "" }
    calls.push(call)
    return call
  }

  const callPiece = (piece: Fields): ReadonlyArray<LlmEvent> => {
    const call = callOf(piece)
    const body = object(piece["function"])
    const given = body["arguments"]
    const text = typeof given === "object" && given !== null ? JSON.stringify(given) : string(given)
    if (call.block !== undefined) return text === "" ? [] : [{ type: "delta", index: call.block, text }]
    call.name = string(body["name"])
    call.early += text
    if (call.name === "") return []
    const index = nextBlock++
    call.block = index
    return [
      ...closeProse(),
      { type: "tool_call_start", index, id: callId(call.wireId), name: call.name },
      ...(call.early === "" ? [] : [{ type: "delta", index, text: call.early } as const])
    ]
  }

  const usage = (report: unknown): ReadonlyArray<LlmEvent> => {
    const known = usageOf(report, { input: "prompt_tokens", output: "completion_tokens" })
    // Some servers repeat it in every chunk.
    const text = JSON.stringify(known)
    if (text === "{}" || text === lastUsage) return []
    lastUsage = text
    return [{ type: "usage", usage: known }]
  }

  const stopReason = (): StopReason => {
    switch (finish) {
      case "length":
        return "max_tokens"
      case "content_filter":
        return "refusal"
      default:
        if (calls.some((call) => call.block !== undefined)) return "tool_use"
        return refused ? "refusal" : "end_turn"
    }
  }

  const event = (_name: string, data: string): ReadonlyArray<LlmEvent> => {
    if (data.trim() === "[DONE]") {
      done = true
      return []
    }
    const chunk = parseEvent(vendor, data)
    // vLLM sends the error itself as an event.
    if (chunk["object"] === "error") throw reported(vendor, chunk)
    if (chunk["error"] !== undefined && chunk["error"] !== null) throw reported(vendor, chunk["error"])
    const choice = object(array(chunk["choices"])[0])
    const delta = object(choice["delta"])
    const events = [
      ...say("thinking", string(delta["reasoning_content"]) || string(delta["reasoning"])),
      ...say("text", string(delta["content"])),
      ...say("refusal", string(delta["refusal"])),
      ...array(delta["tool_calls"]).flatMap((piece) => callPiece(object(piece))),
      ...usage(chunk["usage"])
    ]
    finish = string(choice["finish_reason"]) || finish
    if (finish === "error" || finish === "abort")
      throw Failure.reported(vendor, "", "the server gave up in the middle of its answer", undefined)
    return events
  }

  return {
    event,
    end: () => {
      if (finish === "" && !done) throw Failure.cut(vendor)
      const open = calls.flatMap((call) => (call.block === undefined ? [] : [call.block]))
      return [
        ...closeProse(),
        ...open.map((index) => ({ type: "block_stop", index }) as const),
        { type: "stop", reason: stopReason() }
      ]
    }
  }
}
