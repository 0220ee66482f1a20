/**
 * Text out of markup without understanding it, for pages that no reader gets through. One pass over the characters,
 * whatever they are.
 */

/** Nothing between their tags is text. */
const silent = new Set(["script", "style", "noscript", "template", "svg", "head"])
const inline = new Set([
  "a",
  "abbr",
  "b",
  "code",
  "em",
  "i",
  "kbd",
  "mark",
  "q",
  "s",
  "small",
  "span",
  "strong",
  "sub",
  "sup",
  "u"
])

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " }

const decodeEntities = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,6}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[name] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\uFFFD"
  })

/** Of a page, for a place where a line means something: on one line, and not longer than that. */
export const oneLine = (text: string, limit: number): string =>
  text
    .slice(0, 4 * limit)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, limit)
    .toWellFormed()

export const plainText = (html: string): string => {
  const parts: Array<string> = []
  for (let at = 0; at < html.length; ) {
    const open = html.indexOf("<", at)
    parts.push(html.slice(at, open < 0 ? html.length : open))
    if (open < 0) break
    const isComment = html.startsWith("<!--", open)
    const close = isComment ? html.indexOf("-->", open + 4) : html.indexOf(">", open)
    if (close < 0) break
    at = close + (isComment ? 3 : 1)
    if (isComment) continue
    const name = (/^<\/?([a-z][a-z\d]*)/i.exec(html.slice(open, open + 32))?.[1] ?? "").toLowerCase()
    if (!inline.has(name)) parts.push("\n")
    if (!silent.has(name) || html[open + 1] === "/") continue
    const end = new RegExp(`</${name}`, "gi")
    end.lastIndex = at
    at = end.exec(html)?.index ?? html.length
  }
  return decodeEntities(parts.join(""))
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "")
    .join("\n")
}
