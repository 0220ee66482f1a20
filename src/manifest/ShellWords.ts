/** Words of a command as texts that patterns are matched against. */
import type { Template } from "../runtime/ShellSyntax.ts"

/** The word, if all of it is known. */
export const literal = (word: Template): string | undefined =>
  word.length === 1 && word[0] !== null ? (word[0] as string) : undefined

/** The words with a space between them. */
export const written = (words: ReadonlyArray<Template>): Template =>
  words.flatMap((word, i): Template => (i === 0 ? word : [" ", ...word]))

/** The same, where a word that is not known at all may also be none. */
export const shortened = (words: ReadonlyArray<Template>): Template => {
  const out: Array<string | null> = []
  let wasHole = true
  for (const word of words) {
    const isHole = word.every((piece) => piece === null)
    if (!isHole && !wasHole) out.push(" ")
    out.push(...word)
    wasHole = isHole
  }
  return out
}

/** The same text with nothing known beside something known. */
export const compact = (template: Template): Template => {
  const out: Array<string | null> = []
  let known: Array<string> = []
  for (const piece of [...template, null]) {
    if (piece !== null) known.push(piece)
    else {
      if (known.length > 0) out.push(known.join(""))
      out.push(null)
      known = []
    }
  }
  out.pop()
  return out
}
