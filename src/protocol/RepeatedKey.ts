/**
 * Finds a key of the envelope that a request gives twice. `JSON.parse` takes the last one and says nothing, so that
 * two readers could take one line for two different requests.
 *
 * Keys are compared as they are written; one that hides behind `\u` escapes is not seen.
 */
const watched = ["method", "id", "params"]
const quoted = watched.map((key) => `"${key}"`)

/** The repeated one of `method`, `id` and `params`. `text` must be a valid JSON object. */
export const repeatedKey = (text: string): string | undefined => {
  // Hardly any line names one of them twice at any depth; only such a line is looked at closely.
  if (!quoted.some((key) => namesTwice(text, key))) return undefined
  const seen = new Set<string>()
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case "{":
      case "[":
        depth++
        break
      case "}":
      case "]":
        depth--
        break
      case '"': {
        const end = closingQuote(text, at)
        if (depth === 1 && isKey(text, end)) {
          const key = text.slice(at + 1, end)
          if (seen.has(key) && watched.includes(key)) return key
          seen.add(key)
        }
        at = end
      }
    }
  }
  return undefined
}

const namesTwice = (text: string, key: string): boolean => {
  const first = text.indexOf(key)
  return first !== -1 && text.indexOf(key, first + key.length) !== -1
}

/** A quote closes its string if the number of backslashes before it is even. */
const closingQuote = (text: string, open: number): number => {
  for (let end = text.indexOf('"', open + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === "\\") backslashes++
    if (backslashes % 2 === 0) return end
  }
}

const isKey = (text: string, end: number): boolean => {
  let at = end + 1
  while (" \t\r\n".includes(text[at]!)) at++
  return text[at] === ":"
}
