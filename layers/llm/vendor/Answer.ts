/**
 * Reads a server-sent event stream and hands its events to a vendor's decoder.
 *
 * All events of one network chunk travel together. What came before a failure is passed on before the failure.
 */
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../../src/llm/LlmEvent.ts"
import * as Failure from "./Failure.ts"
import { object } from "./Json.ts"
import type { Vendor } from "./Vendor.ts"

/** Throws `LlmError`. One decoder reads one answer. */
export interface Decoder {
  readonly event: (name: string, data: string) => ReadonlyArray<LlmEvent>
  /** The body is over: the events that close the answer, or an error if its end mark is missing. */
  readonly end: () => ReadonlyArray<LlmEvent>
}

/** The data of an event, for vendors that send nothing but JSON objects. Throws `Protocol` for anything else. */
export const parseEvent = (vendor: Vendor, data: string): Readonly<Record<string, unknown>> => {
  try {
    return object(JSON.parse(data))
  } catch {
    throw Failure.notJson(vendor, data)
  }
}

/**
 * In code units. Responses repeats a whole answer in its last event, other vendors send nothing nearly as large; more is
 * nonsense that must not fill the memory.
 */
const maxEventSize = 64 * 1024 * 1024

/** How much of a body is looked at to say what it is: more than is said, so that nothing in that part is cut in two. */
const maxPreview = 8192

export async function* read(
  vendor: Vendor,
  response: Response,
  decoder: Decoder,
  alive: () => void
): AsyncGenerator<NonEmptyReadonlyArray<LlmEvent>, void> {
  let events: Array<LlmEvent> = []
  let failure: { readonly cause: unknown } | undefined
  const decode = (next: () => ReadonlyArray<LlmEvent>) => {
    if (failure !== undefined) return
    try {
      events.push(...next())
    } catch (cause) {
      failure = { cause }
    }
  }
  const parser = Sse.makeParser(
    (event) => {
      if (event._tag === "Event") decode(() => decoder.event(event.event, event.data))
    },
    { maxEventSize }
  )
  const feed = (text: string) => {
    const error = parser.feed(text)
    if (error !== undefined) failure ??= { cause: Failure.protocol(vendor, "an event of more than 64 MiB") }
  }
  const text = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    alive()
    feed(text.decode(bytes, { stream: true }))
    if (isFilled(events)) {
      const ready = events
      events = []
      yield ready
    }
    if (failure !== undefined) throw failure.cause
  }
  // Some servers leave out the empty line after their last event. What is no event then, was cut in its middle.
  feed(`${text.decode()}\n\n`)
  if (failure?.cause instanceof LlmError && failure.cause.reason === "Protocol")
    failure = { cause: Failure.cut(vendor) }
  decode(decoder.end)
  if (isFilled(events)) yield events
  if (failure !== undefined) throw failure.cause
}

const isFilled = <A>(array: ReadonlyArray<A>): array is NonEmptyReadonlyArray<A> => array.length > 0

/** Fails if the server answered with a page or a document. A server that names no type gets the benefit of the doubt. */
export const requireEventStream = (vendor: Vendor, response: Response): Effect.Effect<void, LlmError> => {
  const type = response.headers.get("content-type") ?? ""
  if (!/html|json|xml/i.test(type)) return Effect.void
  return Effect.promise(() => preview(response)).pipe(
    Effect.flatMap((body) => Effect.fail(Failure.notAnEventStream(vendor, type, body)))
  )
}

/** The beginning of a body; what cannot be read is left out. */
const preview = async (response: Response): Promise<string> => {
  const text = new TextDecoder()
  let out = ""
  try {
    for await (const bytes of response.body ?? []) {
      out += text.decode(bytes, { stream: true })
      if (out.length >= maxPreview) break
    }
  } catch {
    // The connection broke: what came is enough to say what it is.
  }
  return out
}
