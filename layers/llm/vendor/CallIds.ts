/**
 * Ids of tool calls: unique within a conversation, and of a form that the vendor takes.
 *
 * Compatible servers leave ids out, repeat them in every answer, or use characters that another vendor refuses.
 * No randomness: the same conversation and the same answer give the same ids.
 */
import type { LlmRequest } from "../../../src/llm/LlmRequest.ts"

/** For the calls of one answer to `request`: the server's id if it is new, else one of ours. */
export const forAnswer = (request: LlmRequest): ((wanted: string | undefined) => string) => {
  const taken = new Set<string>()
  for (const message of request.messages) {
    if (message.role !== "assistant") continue
    for (const block of message.blocks) if (block.kind === "tool_call") taken.add(block.id)
  }
  let next = taken.size + 1
  return (wanted) => {
    let id = wanted ?? ""
    while (id === "" || taken.has(id)) id = `call_${next++}`
    taken.add(id)
    return id
  }
}

/**
 * The id as a vendor takes it: letters, digits, `_` and `-`, at most `max` of them. An id that has to be changed gets
 * a checksum, so that two ids stay two.
 */
export const onWire = (id: string, max: number): string =>
  id.length <= max && /^[a-zA-Z0-9_-]+$/.test(id)
    ? id
    : `${id.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, max - 9)}_${checksum(id)}`

/** FNV-1a, 32 bits, as 8 hexadecimal digits. */
const checksum = (text: string): string => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}
