/**
 * Text of others, made fit for a terminal: no escape sequences, no endless lines; and the few colours that we use.
 *
 * What a model or a tool says must never move the cursor, change the title or hide itself.
 */

const sequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\^_])/g
/** Control characters but tab and newline, and the marks that turn the direction of a line. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

export const plain = (text: string): string => text.replace(sequences, "").replace(controls, "")

/** What a terminal acts on, or does not show at all: controls, marks of direction, characters without a width. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** Nothing is left out: what could not be seen is named, as `<U+001B>`. Only newlines and tabs are kept as they are. */
export const visible = (text: string): string =>
  text.replace(unseen, (char) =>
    char === "\n" || char === "\t"
      ? char
      : `<U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`
  )

/** The same in one line, with `⏎` where lines end. */
export const visibleLine = (text: string, max: number): string =>
  cut(
    visible(text)
      .trim()
      .replace(/\s*\n\s*/g, " ⏎ "),
    max
  )

/** At most `max` characters, with `…` for what was left out. */
export const cut = (text: string, max: number): string => {
  if (text.length <= max) return text
  // Of a text that is much longer, no more is taken apart than can be kept.
  const chars = Array.from(text.slice(0, 2 * max + 2))
  return chars.length <= max ? text : `${chars.slice(0, Math.max(0, max - 1)).join("")}…`
}

/** The first line that says something, safe and not longer than `max`. */
export const oneLine = (text: string, max: number): string => {
  const line = plain(text)
    .split("\n")
    .find((candidate) => candidate.trim() !== "")
  return cut((line ?? "").trim().replace(/\s+/g, " "), max)
}

export interface Style {
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
}

const paint = (code: number, end: number) => (text: string) =>
  text === "" ? "" : `\u001b[${code}m${text}\u001b[${end}m`
const none = (text: string) => text

export const style = (color: boolean): Style =>
  color
    ? { dim: paint(2, 22), bold: paint(1, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39) }
    : { dim: none, bold: none, red: none, green: none, yellow: none }

/** `350 ms`, `2.4 s`, `3 min 5 s`. */
export const millis = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? "" : ` ${seconds % 60} s`}`
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

/** `512 bytes`, `1.5 KiB`, `20 MiB`. */
export const bytesText = (bytes: number): string => {
  if (bytes < 1024) return plural(bytes, "byte")
  const exponent = Math.min(4, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** exponent
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} ${["", "KiB", "MiB", "GiB", "TiB"][exponent]}`
}
