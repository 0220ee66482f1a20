/** "Did you mean …?": the known word that a misspelt one was probably meant to be. */

/** Case and separators are what people get wrong most, so they count for nothing. */
const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_. ]/g, "")

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
const distance = (a: string, b: string): number => {
  let previous: Array<number> = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(row[j - 1]! + same, row[j]! + 1, next[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, previous[j - 2]! + 1)
      next.push(cost)
    }
    previous = row
    row = next
  }
  return row[b.length]!
}

/** The closest of `known`, or undefined if none is within a third of the word's length. The first of equals wins. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  const wanted = plain(word)
  if (wanted === "" || wanted.length > 64) return undefined
  let best: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3))
  for (const candidate of known) {
    const cost = distance(wanted, plain(candidate))
    if (cost < least || (cost === least && best === undefined)) {
      best = candidate
      least = cost
    }
  }
  return best
}
