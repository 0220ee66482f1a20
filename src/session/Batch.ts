/** What is committed together: entries on their way to bytes, and events that belong in a place among them. */
import type { LogEntry } from "../protocol/LogEntry.ts"
import { encodeLine } from "../protocol/Wire.ts"
import type { Draft, Emission, Silent } from "./Announce.ts"

/** One element of a batch: an entry, or an event that belongs in this place among them. */
export type Step = Draft | Emission | Silent

export interface EncodedStep {
  readonly step: Step
  /** Undefined for an event. */
  readonly entry: LogEntry | undefined
  /** Length of the entry's line, its newline included. */
  readonly bytes: number
}

const encoder = new TextEncoder()

/** Every line says how many of its batch follow it. `now` is Unix milliseconds. */
export const encode = (
  steps: ReadonlyArray<Step>,
  now: number
): { readonly steps: ReadonlyArray<EncodedStep>; readonly pieces: ReadonlyArray<Uint8Array> } => {
  const pieces: Array<Uint8Array> = []
  let more = steps.filter((step) => !("emit" in step)).length
  const encoded = steps.map((step): EncodedStep => {
    if ("emit" in step) return { step, entry: undefined, bytes: 0 }
    more -= 1
    const draft = "silent" in step ? step.silent : step
    const entry = { ...draft, ts: now, ...(more > 0 ? { more } : {}) } as LogEntry
    const bytes = encoder.encode(encodeLine(entry))
    pieces.push(bytes)
    return { step, entry, bytes: bytes.length }
  })
  return { steps: encoded, pieces }
}

export const concat = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (pieces.length === 1) return pieces[0] as Uint8Array
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
