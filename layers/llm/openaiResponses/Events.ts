/**
 * The event stream of OpenAI's Responses API, decoded.
 *
 * An answer is a list of items (messages, reasoning, calls), each with parts; every part becomes a block. The whole of
 * a part follows its deltas: it fills in what did not come as deltas, and contradicts what did not come as it was
 * sent. Kinds of events and items that are not known here are skipped. A stream without one of the API's three ends
 * was cut.
 */
import type { LlmEvent, StopReason } from "../../../src/llm/LlmEvent.ts"
import { type Decoder, parseEvent } from "../vendor/Answer.ts"
import * as Failure from "../vendor/Failure.ts"
import { array, count, object, string } from "../vendor/Json.ts"
import { reported, usageOf } from "../vendor/OpenAi.ts"
import type { Vendor } from "../vendor/Vendor.ts"

type Fields = Readonly<Record<string, unknown>>
type Prose = "text" | "refusal" | "summary" | "reasoning"

/** The events that write text: of which kind, and where they have it. A `delta` is a piece, anything else the whole. */
const prosePieces: Readonly<Record<string, { readonly kind: Prose; readonly field: string }>> = {
  "response.output_text.delta": { kind: "text", field: "delta" },
  "response.output_text.done": { kind: "text", field: "text" },
  "response.refusal.delta": { kind: "refusal", field: "delta" },
  "response.refusal.done": { kind: "refusal", field: "refusal" },
  "response.reasoning_summary_text.delta": { kind: "summary", field: "delta" },
  "response.reasoning_summary_text.done": { kind: "summary", field: "text" },
  "response.reasoning_text.delta": { kind: "reasoning", field: "delta" },
  "response.reasoning_text.done": { kind: "reasoning", field: "text" }
}

interface Part {
  readonly kind: Prose | "call"
  readonly index: number
  /** What came as deltas. */
  text: string
  closed: boolean
}

interface Item {
  readonly parts: Map<string, Part>
  /** Arguments that came before the call was named. */
  early: string
  done: boolean
}

export const decoder = (vendor: Vendor, callId: (wanted: string | undefined) => string): Decoder => {
  const items = new Map<string, Item>()
  let nextBlock = 0
  let called = false
  let refused = false
  let ended = false

  const itemOf = (key: string): Item => {
    const known = items.get(key)
    if (known !== undefined) return known
    const item: Item = { parts: new Map(), early: "", done: false }
    items.set(key, item)
    return item
  }

  const closeAll = (item: Item): ReadonlyArray<LlmEvent> => [...item.parts.values()].flatMap((part) => close(part))

  /** The part, and the events that open it. What is written before it in the same item is over. */
  const open = (item: Item, kind: Prose, at: number): { readonly part: Part; readonly events: Array<LlmEvent> } => {
    const key = `${kind} ${at}`
    const known = item.parts.get(key)
    if (known !== undefined) return { part: known, events: [] }
    const events: Array<LlmEvent> = [...closeAll(item)]
    const part: Part = { kind, index: nextBlock++, text: "", closed: false }
    item.parts.set(key, part)
    if (kind === "refusal") refused = true
    if (kind === "text" || kind === "refusal") {
      events.push({ type: "text_start", index: part.index, ...(kind === "refusal" ? { refusal: true } : {}) })
    } else events.push({ type: "thinking_start", index: part.index })
    return { part, events }
  }

  const write = (part: Part, text: string): ReadonlyArray<LlmEvent> => {
    if (text === "") return []
    if (part.closed) throw Failure.protocol(vendor, "a delta for a part that is over")
    part.text += text
    return [{ type: "delta", index: part.index, text }]
  }

  /** What is missing of the whole. */
  const complete = (part: Part, whole: string): ReadonlyArray<LlmEvent> => {
    if (whole === "" || whole === part.text) return []
    if (whole.startsWith(part.text) && !part.closed) return write(part, whole.slice(part.text.length))
    // Servers that are not the vendor's own tidy up the white space of reasoning.
    if (part.kind === "summary" || part.kind === "reasoning") return []
    throw Failure.protocol(vendor, `the deltas of a ${part.kind} do not add up to the whole of it`)
  }

  const prose = (kind: Prose, body: Fields, field: string): ReadonlyArray<LlmEvent> => {
    const at = count(body[kind === "summary" ? "summary_index" : "content_index"]) ?? 0
    const isDelta = field === "delta"
    const text = string(body[field])
    const item = itemOf(keyOf(body))
    if (text === "" && !item.parts.has(`${kind} ${at}`)) return []
    const { events, part } = open(item, kind, at)
    return [...events, ...(isDelta ? write(part, text) : complete(part, text))]
  }

  const openCall = (item: Item, call: Fields): ReadonlyArray<LlmEvent> => {
    const part: Part = { kind: "call", index: nextBlock++, text: "", closed: false }
    item.parts.set("call", part)
    called = true
    const { early } = item
    return [
      { type: "tool_call_start", index: part.index, id: callId(string(call["call_id"])), name: string(call["name"]) },
      ...write(part, early)
    ]
  }

  const added = (body: Fields): ReadonlyArray<LlmEvent> => {
    const key = keyOf(body)
    const given = object(body["item"])
    const before: Array<LlmEvent> = []
    // A number that is used twice means a second item.
    if (items.get(key)?.done === true) items.delete(key)
    if (given["type"] === "function_call" && string(given["name"]) !== "") {
      const item = itemOf(key)
      if (!item.parts.has("call")) before.push(...openCall(item, given))
    }
    return before
  }

  const callDelta = (body: Fields): ReadonlyArray<LlmEvent> => {
    const item = itemOf(keyOf(body))
    const part = item.parts.get("call")
    const text = string(body["delta"])
    if (part !== undefined) return write(part, text)
    item.early += text
    return []
  }

  const callDone = (body: Fields): ReadonlyArray<LlmEvent> => {
    const part = itemOf(keyOf(body)).parts.get("call")
    return part === undefined ? [] : complete(part, string(body["arguments"]))
  }

  /** The whole of an item: whatever did not come before comes now. */
  const itemDone = (key: string, given: Fields): ReadonlyArray<LlmEvent> => {
    const item = itemOf(key)
    if (item.done) return []
    item.done = true
    switch (given["type"]) {
      case "function_call": {
        const opened = item.parts.has("call") ? [] : openCall(item, given)
        const part = item.parts.get("call")
        return [...opened, ...(part === undefined ? [] : complete(part, string(given["arguments"]))), ...closeAll(item)]
      }
      case "message":
        return [
          ...array(given["content"]).flatMap((content, at) => {
            const { refusal, text, type } = object(content)
            if (type === "refusal") return whole(item, "refusal", at, string(refusal))
            return type === "output_text" ? whole(item, "text", at, string(text)) : []
          }),
          ...closeAll(item)
        ]
      case "reasoning":
        return reasoningDone(item, given)
      default:
        return closeAll(item)
    }
  }

  const whole = (item: Item, kind: Prose, at: number, text: string): ReadonlyArray<LlmEvent> => {
    if (text === "") return []
    const { events, part } = open(item, kind, at)
    return [...events, ...complete(part, text)]
  }

  /** The encrypted content is the item's, and goes with the last of its blocks. */
  const reasoningDone = (item: Item, given: Fields): ReadonlyArray<LlmEvent> => {
    const events = (["summary", "content"] as const).flatMap((list) =>
      array(given[list]).flatMap((part, at) =>
        whole(item, list === "summary" ? "summary" : "reasoning", at, string(object(part)["text"]))
      )
    )
    const encrypted = string(given["encrypted_content"])
    if (encrypted === "") return [...events, ...closeAll(item)]
    const last = [...item.parts.values()].at(-1)
    if (last !== undefined && !last.closed) return [...events, ...close(last, encrypted)]
    const index = nextBlock++
    return [...events, { type: "thinking_start", index }, { type: "block_stop", index, encrypted }]
  }

  const finish = (response: Fields, stop: StopReason, detail = ""): ReadonlyArray<LlmEvent> => {
    // A server that sends no items on the way still has them here.
    const unseen = items.size > 0 ? [] : array(response["output"])
    const events = unseen.flatMap((item, at) => itemDone(`#${at}`, object(item)))
    const reason = stop !== "end_turn" ? stop : called ? "tool_use" : refused ? "refusal" : stop
    ended = true
    return [
      ...events,
      ...[...items.values()].flatMap(closeAll),
      ...usageEvents(response["usage"]),
      { type: "stop", reason, ...(detail === "" ? {} : { detail }) }
    ]
  }

  /** Compatible servers send the wrong one of the three ends, with the right status in it. */
  const end = (type: unknown, response: Fields): ReadonlyArray<LlmEvent> => {
    switch (string(response["status"]) || type) {
      case "failed":
      case "response.failed":
      case "cancelled":
        throw reported(vendor, object(response["error"]), "failed")
      case "incomplete":
      case "response.incomplete":
        return incomplete(response)
      default:
        return finish(response, "end_turn")
    }
  }

  const incomplete = (response: Fields): ReadonlyArray<LlmEvent> => {
    const reason = string(object(response["incomplete_details"])["reason"])
    if (reason === "content_filter") return finish(response, "refusal", reason)
    if (reason === "" || reason === "max_output_tokens" || reason === "max_tokens")
      return finish(response, "max_tokens")
    // An answer that is not whole is never taken for one that is.
    throw Failure.reported(vendor, "incomplete", reason, undefined)
  }

  const event = (name: string, data: string): ReadonlyArray<LlmEvent> => {
    if (ended || data.trim() === "[DONE]") return []
    const body = parseEvent(vendor, data)
    const response = object(body["response"])
    const type = string(body["type"]) || name
    const said = prosePieces[type]
    if (said !== undefined) return prose(said.kind, body, said.field)
    switch (type) {
      case "response.output_item.added":
        return added(body)
      case "response.function_call_arguments.delta":
        return callDelta(body)
      case "response.function_call_arguments.done":
        return callDone(body)
      case "response.output_item.done":
        return itemDone(keyOf(body), object(body["item"]))
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        return end(type, response)
      case "error":
        throw reported(vendor, "error" in body ? object(body["error"]) : body, "error")
      default:
        // Compatible servers send errors without a type.
        if (body["type"] === undefined && typeof body["error"] === "object" && body["error"] !== null) {
          throw reported(vendor, object(body["error"]), "error")
        }
        return []
    }
  }

  return {
    event,
    end: () => {
      if (!ended) throw Failure.cut(vendor)
      return []
    }
  }
}

/** Compatible servers leave out the number of an item, others give it a new id with every event. */
const keyOf = (body: Fields): string => {
  const index = count(body["output_index"])
  return index === undefined ? string(body["item_id"]) || string(object(body["item"])["id"]) : `#${index}`
}

const close = (part: Part, encrypted?: string): ReadonlyArray<LlmEvent> => {
  if (part.closed) return []
  part.closed = true
  return [{ type: "block_stop", index: part.index, ...(encrypted === undefined ? {} : { encrypted }) }]
}

const usageEvents = (report: unknown): ReadonlyArray<LlmEvent> => {
  const usage = usageOf(report, { input: "input_tokens", output: "output_tokens" })
  return Object.keys(usage).length === 0 ? [] : [{ type: "usage", usage }]
}
