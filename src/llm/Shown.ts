/**
 * How much of what tools have shown goes into one request: vendors bound the size of requests, and a request that they
 * refuse once they refuse for ever, with everything that the journal holds.
 *
 * The newest is what the model works with. Older ones make room in large steps, so that most requests begin with the
 * bytes of the one before.
 */
import type { Media } from "../protocol/Media.ts"
import type { LlmMessage, LlmRequest } from "./LlmRequest.ts"

/** In characters of base64. Gemini takes 20 MB in one request with all its text, Anthropic 32 MB. */
export const maxCharacters = 14 * 1024 * 1024

/** Of more images than this Anthropic takes only small ones. */
export const maxPieces = 20

type ToolMessage = Extract<LlmMessage, { readonly role: "tool" }>
type ToolResult = ToolMessage["results"][number]

const mapResults = (
  messages: ReadonlyArray<LlmMessage>,
  change: (result: ToolResult) => ToolResult
): ReadonlyArray<LlmMessage> =>
  messages.map((message) => (message.role === "tool" ? { ...message, results: message.results.map(change) } : message))

const mediaOf = (messages: ReadonlyArray<LlmMessage>): ReadonlyArray<Media> =>
  messages.flatMap((message) => (message.role === "tool" ? message.results.flatMap(({ media = [] }) => media) : []))

const hide = ({ media = [], ...result }: ToolResult, why: string): ToolResult => ({
  ...result,
  text: `${result.text}\n[Not shown here: ${media.map(({ name, type }) => name ?? type).join(", ")}. ${why}]`
})

/** How many of the oldest are left out: whenever there is too much, all but the newest half of what fits. */
const leftOut = (all: ReadonlyArray<Media>): number => {
  let from = 0
  let characters = 0
  for (const [index, { data }] of all.entries()) {
    characters += data.length
    if (characters <= maxCharacters && index - from < maxPieces) continue
    while (from < index && (characters > maxCharacters / 2 || index - from >= maxPieces / 2)) {
      characters -= (all[from] as Media).data.length
      from++
    }
  }
  return from
}

/** Without the oldest ones, so many; a result is left out whole. */
const without = (messages: ReadonlyArray<LlmMessage>, oldest: number, why: string): ReadonlyArray<LlmMessage> => {
  if (oldest <= 0) return messages
  let at = 0
  return mapResults(messages, (result) => {
    const begins = at
    at += result.media?.length ?? 0
    return at > begins && begins < oldest ? hide(result, why) : result
  })
}

/** As much as fits, the newest; of the rest its name. */
export const newest = (messages: ReadonlyArray<LlmMessage>): ReadonlyArray<LlmMessage> =>
  without(messages, leftOut(mediaOf(messages)), "It made room for newer ones: read it again to see it.")

/** How many images and documents a request shows. */
export const count = ({ messages }: LlmRequest): number => mediaOf(messages).length

/** The same request with no more than so many, the newest. */
export const atMost = (request: LlmRequest, most: number): LlmRequest => ({
  ...request,
  messages: without(
    request.messages,
    count(request) - most,
    "The conversation was too long with it: read it again, or a part of it, to see it."
  )
})

/** The same request in words alone. */
export const inWords = (request: LlmRequest): LlmRequest => ({
  ...request,
  messages: mapResults(request.messages, (result) =>
    (result.media ?? []).length === 0 ? result : hide(result, "The model's vendor refused the request with it.")
  )
})
