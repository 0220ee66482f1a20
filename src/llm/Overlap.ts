/**
 * Takes out of a text what repeats the end of another one.
 *
 * A model that is asked to go on where it stopped may begin a few words before that, or say everything again. Text is
 * held back for as long as it may be such a repetition, and passed on as soon as it is not.
 */

export interface Overlap {
  /** What may be passed on now. */
  readonly push: (text: string) => string
  /** Nothing more comes: what was held back and was no repetition. */
  readonly end: () => string
}

/** Shorter ones happen by chance: "ha" goes on with "ha". */
const shortestTail = 24
/** All that was said, said again. */
const shortestWhole = 8
/** A repetition that begins further back is one of everything. */
const window = 4096

export const make = (seen: string): Overlap => {
  /** Where in `seen` the text may have begun to repeat it. */
  let starts: ReadonlyArray<number> = startsIn(seen)
  let decided = starts.length === 0
  let held = ""
  let repeated = 0

  const end = (): string => {
    if (decided) return ""
    decided = true
    return held.slice(repeated)
  }

  return {
    end,
    push: (text) => {
      if (decided) return text
      held += text
      starts = starts.filter((start) => {
        const length = seen.length - start
        if (held.length < length) return seen.startsWith(held, start)
        if (seen.endsWith(held.slice(0, length))) repeated = Math.max(repeated, length)
        return false
      })
      return starts.length === 0 ? end() : ""
    }
  }
}

const startsIn = (seen: string): ReadonlyArray<number> => {
  const starts: Array<number> = []
  for (let at = Math.max(0, seen.length - window); at <= seen.length - shortestTail; at++) starts.push(at)
  if (starts[0] !== 0 && seen.length >= shortestWhole) starts.unshift(0)
  return starts
}
