/**
 * What a user typed, as the typed pieces that a pod takes: text, and references to files.
 *
 * `@path` at the start of a word is a reference if there is such a file; otherwise it stays text. What was not typed
 * (stdin, a pipe) is text and nothing else.
 */
import type { Segment } from "../protocol/Segment.ts"

/** A word that begins with @: bare, or in double quotes if the path has spaces. */
const reference = /(^|\s)@(?:"([^"\n]+)"|([^\s"@][^\s"]*))/g

/** Marks that end a sentence and rarely a file name. */
const trailing = /[.,;:!?)\]}'"]+$/

/** `find` gives the path by which the pod knows the file, or undefined if there is none. */
export const segmentsOf = (text: string, find: (path: string) => string | undefined): ReadonlyArray<Segment> => {
  const segments: Array<Segment> = []
  let at = 0
  const upTo = (end: number) => {
    if (end > at) segments.push({ kind: "text", content: text.slice(at, end) })
  }
  for (const match of text.matchAll(reference)) {
    const [, lead = "", quoted, bare = ""] = match
    const candidates = quoted === undefined ? [bare, bare.replace(trailing, "")] : [quoted]
    for (const candidate of candidates) {
      const path = candidate === "" ? undefined : find(candidate)
      if (path === undefined) continue
      const start = match.index + lead.length
      upTo(start)
      segments.push({ kind: "file_ref", path })
      at = start + 1 + (quoted === undefined ? candidate.length : candidate.length + 2)
      break
    }
  }
  upTo(text.length)
  return segments
}
