/**
 * Cuts a text to a number of bytes, between characters, and says how much is missing.
 *
 * The last guard before a result enters the conversation. Tools bound their own output at better places; this knows
 * only bytes.
 */
import * as Text from "../scope/Text.ts"

export interface Capped {
  /** At most the limit in bytes of UTF-8, marker included, if the limit is at least `markerReserve`. */
  readonly text: string
  readonly truncated: boolean
  /** Bytes of the original that are not in `text`. */
  readonly droppedBytes: number
}

const marker = (dropped: number): string => `\n[... ${dropped} bytes left out: ask for less, or for a part ...]`

/** The room that the longest marker takes, in bytes. Below it the marker stands alone. */
export const markerReserve = marker(Number.MAX_SAFE_INTEGER).length

export const cap = (text: string, limitBytes: number): Capped => {
  const whole: Capped = { text, truncated: false, droppedBytes: 0 }
  // No character of a JavaScript string takes more than three bytes.
  if (text.length * 3 <= limitBytes) return whole
  const bytes = Text.encode(text)
  if (bytes.length <= limitBytes) return whole
  // The marker for all of it is at least as long as the one for a part.
  const kept = Text.boundaryBefore(bytes, Math.max(0, limitBytes - marker(bytes.length).length))
  const droppedBytes = bytes.length - kept
  return { text: Text.decodeLossy(bytes.subarray(0, kept)) + marker(droppedBytes), truncated: true, droppedBytes }
}
