/**
 * Wildcards of permission rules. Case counts; `*` is any run of characters, `/` and line ends included; `?` is exactly
 * one Unicode code point.
 *
 * A text may have holes, which stand for any text. A pattern then *covers* it if it matches whatever fills the holes,
 * and *meets* it if it matches for something that does.
 */
import type { Template } from "../runtime/ShellSyntax.ts"

/** Code points that are looked at; what comes behind them is a hole. Keeps every answer quick. */
const maxLength = 4_096

type Tokens = ReadonlyArray<string | null>

const tokensOf = (template: Template): Tokens => {
  const tokens = template.flatMap((piece): ReadonlyArray<string | null> => (piece === null ? [null] : [...piece]))
  return tokens.length > maxLength && tokens.includes(null) ? [...tokens.slice(0, maxLength), null] : tokens
}

const surrogate = /[\ud800-\udfff]/

export const matchesWildcard = (pattern: string, text: string): boolean => covers(pattern, [text])

/** Only `*` takes in a hole. */
export const covers = (pattern: string, template: Template): boolean => {
  // A text without holes is taken as it is where each of its units is a code point: that is many times as fast.
  const text = template.includes(null) ? undefined : template.join("")
  const isPlain = text !== undefined && !surrogate.test(text) && !surrogate.test(pattern)
  const wanted: ArrayLike<string> = isPlain ? pattern : [...pattern]
  const given: ArrayLike<string | null> = isPlain ? text : tokensOf(template)
  let at = 0
  let wantedAt = 0
  // Where the last `*` stands, and how far it has swallowed: on a mismatch it takes one more. Only the last one can
  // matter, which keeps this at pattern times text steps whatever the pattern.
  let star = -1
  let swallowed = 0
  while (at < given.length) {
    const next = wanted[wantedAt]
    const here = given[at]
    if (next === "*") {
      star = wantedAt++
      swallowed = at
    } else if (next !== undefined && here !== null && (next === "?" || next === here)) {
      wantedAt++
      at++
    } else if (star >= 0) {
      wantedAt = star + 1
      at = ++swallowed
    } else return false
  }
  while (wanted[wantedAt] === "*") wantedAt++
  return wantedAt === wanted.length
}

/** Places in the pattern that can be reached, one piece of the text after the other. */
export const meets = (pattern: string, template: Template): boolean => {
  if (!template.includes(null)) return covers(pattern, template)
  const given = tokensOf(template)
  const wanted = [...pattern]
  const skipStars = (reached: Array<boolean>): Array<boolean> => {
    for (let i = 0; i < wanted.length; i++) if (reached[i] === true && wanted[i] === "*") reached[i + 1] = true
    return reached
  }
  let reached: Array<boolean> = skipStars([true])
  for (const here of given) {
    const next: Array<boolean> = []
    if (here === null) {
      const first = reached.indexOf(true)
      if (first < 0) return false
      for (let i = first; i <= wanted.length; i++) next[i] = true
    } else {
      for (let i = 0; i < wanted.length; i++) {
        if (reached[i] !== true) continue
        if (wanted[i] === "*") next[i] = true
        else if (wanted[i] === "?" || wanted[i] === here) next[i + 1] = true
      }
    }
    reached = skipStars(next)
  }
  return reached[wanted.length] === true
}

/** For people and for the model: a hole is an ellipsis. */
export const readable = (template: Template): string => template.map((piece) => piece ?? "…").join("")
