/**
 * What a request begins with, as a short number: the next request must begin with the same bytes, or the vendor's
 * cache of them is lost. Not a proof against anybody, only against ourselves.
 */
import type { LlmRequest } from "./LlmRequest.ts"

export interface Prefix {
  /** How many messages it covers, behind prompt and tools. */
  readonly messages: number
  readonly hash: string
}

/** The first `messages` of the request, by default all. Undefined if it has fewer. */
export const prefixOf = (
  request: Pick<LlmRequest, "system" | "tools" | "messages">,
  messages: number = request.messages.length
): Prefix | undefined => {
  if (messages > request.messages.length) return undefined
  const hash = new Hash()
  hash.add(JSON.stringify([request.system ?? null, request.tools]))
  for (const message of request.messages.slice(0, messages)) hash.add(JSON.stringify(message))
  return { messages, hash: hash.hex() }
}

/** Two 32-bit FNV-1a sums over UTF-16 units with different starts; fast, and enough to notice a change. */
class Hash {
  private a = 0x811c9dc5
  private b = 0x9747b28c

  add(text: string): void {
    let { a, b } = this
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      a = Math.imul(a ^ unit, 0x01000193)
      b = Math.imul(b ^ (unit + at), 0x01000193)
    }
    // Where one text ends and the next begins counts as well.
    this.a = Math.imul(a ^ 0x1ffff, 0x01000193)
    this.b = Math.imul(b ^ text.length, 0x01000193)
  }

  hex(): string {
    return [this.a, this.b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("")
  }
}
