/**
 * The event stream of Anthropic's Messages API, decoded.
 *
 * Order: `message_start`, blocks (start, deltas, stop), `message_delta` with the reason to stop, `message_stop`. Event
 * and block types that are not known here are skipped, as the API asks; what contradicts the order is `Protocol`.
 */
import type { LlmEvent, LlmUsage, StopReason } from "../../../src/llm/LlmEvent.ts"
import { type Decoder, parseEvent } from "../vendor/Answer.ts"
import * as Failure from "../vendor/Failure.ts"
import type { Vendor } from "../vendor/Vendor.ts"
import { count, object, string } from "../vendor/Json.ts"

interface Block {
  /** What it is called from here on: the vendor's number, unless another block had it. */
  readonly index: number
  readonly kind: "text" | "thinking" | "tool_call" | "skipped"
  signature: string
  readonly encrypted: string | undefined
  /** Arguments that came whole with the start of the block; used if no delta follows. */
  wholeArguments: string
}

const stopReasons: Readonly<Record<string, StopReason>> = {
  end_turn: "end_turn",
  stop_sequence: "end_turn",
  tool_use: "tool_use",
  max_tokens: "max_tokens",
  pause_turn: "pause",
  refusal: "refusal",
  model_context_window_exceeded: "context_overflow"
}

/** What the API's error types are as HTTP statuses, for errors inside an open stream. */
const errorStatus: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529
}

export const decoder = (vendor: Vendor, callId: (wanted: string | undefined) => string): Decoder => {
  /** Those that are open, by the vendor's number. */
  const blocks = new Map<number, Block>()
  let nextIndex = 0
  const tokens = { input: undefined, read: undefined, written: undefined, output: undefined } as Record<
    "input" | "read" | "written" | "output",
    number | undefined
  >
  let stop: Extract<LlmEvent, { type: "stop" }> | undefined
  let ended = false

  const usage = (report: unknown): ReadonlyArray<LlmEvent> => {
    const fields = object(report)
    tokens.input = count(fields["input_tokens"]) ?? tokens.input
    tokens.read = count(fields["cache_read_input_tokens"]) ?? tokens.read
    tokens.written = count(fields["cache_creation_input_tokens"]) ?? tokens.written
    tokens.output = count(fields["output_tokens"]) ?? tokens.output
    const known: LlmUsage = {
      // The vendor counts cached parts apart; here the input is the whole prompt.
      ...(tokens.input === undefined ? {} : { inputTokens: tokens.input + (tokens.read ?? 0) + (tokens.written ?? 0) }),
      ...(tokens.output === undefined ? {} : { outputTokens: tokens.output }),
      ...(tokens.read === undefined ? {} : { cacheReadTokens: tokens.read }),
      ...(tokens.written === undefined ? {} : { cacheWriteTokens: tokens.written })
    }
    return Object.keys(known).length === 0 ? [] : [{ type: "usage", usage: known }]
  }

  const start = (wire: number, content: Readonly<Record<string, unknown>>): ReadonlyArray<LlmEvent> => {
    if (blocks.has(wire)) throw Failure.protocol(vendor, `block ${wire} begins while it is open`)
    // A number that is used twice means a second block.
    const index = Math.max(wire, nextIndex)
    nextIndex = index + 1
    const open = (kind: Block["kind"], more: Partial<Block> = {}) => {
      blocks.set(wire, { index, kind, signature: "", encrypted: undefined, wholeArguments: "", ...more })
    }
    switch (content["type"]) {
      case "text":
        open("text")
        return [{ type: "text_start", index }, ...piece(index, content["text"])]
      case "thinking":
        open("thinking", { signature: string(content["signature"]) })
        return [{ type: "thinking_start", index }, ...piece(index, content["thinking"])]
      case "redacted_thinking":
        open("thinking", { encrypted: string(content["data"]) })
        return [{ type: "thinking_start", index }]
      case "tool_use": {
        const input = object(content["input"])
        open("tool_call", { wholeArguments: Object.keys(input).length === 0 ? "" : JSON.stringify(input) })
        return [{ type: "tool_call_start", index, id: callId(string(content["id"])), name: string(content["name"]) }]
      }
      default:
        open("skipped")
        return []
    }
  }

  const delta = (wire: number, change: Readonly<Record<string, unknown>>): ReadonlyArray<LlmEvent> => {
    const block = blocks.get(wire)
    if (block === undefined) throw Failure.protocol(vendor, `a delta for block ${wire}, which is not open`)
    if (block.kind === "skipped") return []
    const { index } = block
    switch (change["type"]) {
      case "text_delta":
        return piece(index, change["text"])
      case "thinking_delta":
        return piece(index, change["thinking"])
      case "input_json_delta": {
        const json = piece(index, change["partial_json"])
        if (json.length > 0) block.wholeArguments = ""
        return json
      }
      case "signature_delta":
        block.signature += string(change["signature"])
        return []
      default:
        return []
    }
  }

  const close = (wire: number): ReadonlyArray<LlmEvent> => {
    const block = blocks.get(wire)
    if (block === undefined) return []
    blocks.delete(wire)
    if (block.kind === "skipped") return []
    const { index } = block
    return [
      ...(block.wholeArguments === "" ? [] : [{ type: "delta", index, text: block.wholeArguments } as const]),
      {
        type: "block_stop",
        index,
        ...(block.signature === "" ? {} : { signature: block.signature }),
        ...(block.encrypted === undefined ? {} : { encrypted: block.encrypted })
      }
    ]
  }

  const finish = (): ReadonlyArray<LlmEvent> => {
    if (ended || stop === undefined) return []
    ended = true
    return [...[...blocks.keys()].flatMap(close), stop]
  }

  const event = (name: string, data: string): ReadonlyArray<LlmEvent> => {
    if (name === "ping" || ended) return []
    const body = parseEvent(vendor, data)
    const index = count(body["index"])
    switch (body["type"] ?? name) {
      case "message_start":
        return usage(object(body["message"])["usage"])
      case "content_block_start":
        if (index === undefined) throw Failure.protocol(vendor, "a block without an index")
        return start(index, object(body["content_block"]))
      case "content_block_delta":
        if (index === undefined) throw Failure.protocol(vendor, "a delta without an index")
        return delta(index, object(body["delta"]))
      case "content_block_stop":
        return index === undefined ? [] : close(index)
      case "message_delta": {
        const change = object(body["delta"])
        const reason = string(change["stop_reason"])
        const detail = Failure.clean(vendor, string(object(change["stop_details"])["explanation"]))
        if (reason !== "") {
          stop = { type: "stop", reason: stopReasons[reason] ?? "end_turn", ...(detail === "" ? {} : { detail }) }
        }
        return usage(body["usage"])
      }
      case "message_stop":
        // A server that gives no reason has still said that this is the end.
        stop ??= { type: "stop", reason: "end_turn" }
        return finish()
      case "error": {
        const error = object(body["error"])
        const type = string(error["type"])
        throw Failure.reported(vendor, type, string(error["message"]), errorStatus[type])
      }
      default:
        return []
    }
  }

  return {
    event,
    end: () => {
      if (ended) return []
      if (stop === undefined) throw Failure.cut(vendor)
      return finish()
    }
  }
}

/** Nothing for a piece that is empty or no text. */
const piece = (index: number, value: unknown): ReadonlyArray<LlmEvent> => {
  const text = string(value)
  return text === "" ? [] : [{ type: "delta", index, text }]
}
