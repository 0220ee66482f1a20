/**
 * Where each key of a TOML document stands.
 *
 * The parser gives values without places, so this walks the text a second time. It is meant for text that the parser
 * has accepted: it finds keys, steps over values and judges nothing. Other text gives it nonsense, but an end.
 */
import { formatKeyPath, type KeyPath } from "./KeyPath.ts"

/** Both count from 1; columns in UTF-16 units. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** By formatted key path. A table is found at its header, an element of an array at its first character. */
export const tomlPositions = (source: string): ReadonlyMap<string, TextPosition> => {
  const text = source.replace(/^\uFEFF/, "")
  const found = new Map<string, TextPosition>()
  /** Elements seen so far of each `[[array of tables]]`. */
  const elements = new Map<string, number>()
  let index = 0
  let line = 1
  let lineStart = 0

  const here = (): TextPosition => ({ line, column: index - lineStart + 1 })
  const note = (path: KeyPath, position: TextPosition) => {
    const key = formatKeyPath(path)
    if (!found.has(key)) found.set(key, position)
  }
  const to = (end: number) => {
    for (; index < end; index++) {
      if (text[index] === "\n") {
        line++
        lineStart = index + 1
      }
    }
  }
  const skip = (pattern: RegExp): string => {
    pattern.lastIndex = index
    const match = pattern.exec(text)?.[0] ?? ""
    to(index + match.length)
    return match
  }
  const blanks = () => skip(/[ \t]*/y)
  const gaps = () => skip(/(?:[ \t\r\n]|#[^\n]*)*/y)

  const keys = (): ReadonlyArray<string> => {
    const parts: Array<string> = []
    while (true) {
      blanks()
      parts.push(unquote(skip(/"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+/y)))
      blanks()
      if (skip(/\./y) === "") return parts
    }
  }

  const value = (path: KeyPath) => {
    if (skip(/"""[^]*?(?<!\\)(?:\\\\)*"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y) !== "") return
    if (skip(/\[/y) !== "") {
      for (let element = 0, before = -1; index > before; element++) {
        before = index
        gaps()
        if (skip(/\]/y) !== "") return
        note([...path, element], here())
        value([...path, element])
        gaps()
        skip(/,/y)
      }
      return
    }
    if (skip(/\{/y) !== "") {
      for (let before = -1; index > before; ) {
        before = index
        blanks()
        if (skip(/\}/y) !== "") return
        pair(path)
        blanks()
        skip(/,/y)
      }
      return
    }
    skip(/[^,\]}#\r\n]*/y)
  }

  const pair = (table: KeyPath) => {
    const position = here()
    const parts = keys()
    parts.forEach((_, depth) => note([...table, ...parts.slice(0, depth + 1)], position))
    skip(/=[ \t]*/y)
    value([...table, ...parts])
  }

  const header = (): KeyPath => {
    const position = here()
    const array = skip(/\[\[?/y) === "[["
    const parts = keys()
    skip(/\]\]?/y)
    const path: Array<string | number> = []
    parts.forEach((part, depth) => {
      path.push(part)
      note(path, position)
      const key = formatKeyPath(path)
      const seen = elements.get(key)
      if (array && depth === parts.length - 1) {
        elements.set(key, (seen ?? 0) + 1)
        path.push(seen ?? 0)
      } else if (seen !== undefined) {
        path.push(seen - 1)
      }
    })
    note(path, position)
    return path
  }

  let table: KeyPath = []
  while (true) {
    gaps()
    if (index >= text.length) return found
    const before = index
    if (text[index] === "[") table = header()
    else pair(table)
    if (index === before) to(index + 1)
  }
}

const unquote = (key: string): string => {
  if (key.startsWith("'")) return key.slice(1, -1)
  if (!key.startsWith('"')) return key
  try {
    return String(JSON.parse(key))
  } catch {
    return key.slice(1, -1)
  }
}
