/** The documentation as the tests read it: its files, and their fenced blocks. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)

export const pathOf = (file: string): string => fileURLToPath(new URL(file, root))

export const read = (file: string): string => readFileSync(new URL(file, root), "utf8")

export interface Block {
  /** What stands behind the opening fence, such as `json event`. */
  readonly info: string
  readonly text: string
  /** Line of the block's first line in the file, from 1. */
  readonly line: number
}

export const blocks = (markdown: string): ReadonlyArray<Block> =>
  Array.from(markdown.matchAll(/^```([^\n`]*)\n(.*?)^```$/gms), ({ 0: whole, 1: info = "", 2: text = "", index }) => ({
    info,
    text,
    line: markdown.slice(0, index + whole.indexOf("\n") + 1).split("\n").length
  }))
