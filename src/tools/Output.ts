/** Whatever a tool returns, as the result that the model reads. */
import type { ToolOutput } from "./Tool.ts"

/** A text that is no longer stays in the history for ever; a longer one is bulk, which may be pruned later. */
const longestSummary = 300
const longestFirstLine = 200

export const fromText = (text: string): ToolOutput => {
  if (text.trim() === "") return { summary: "(no output)" }
  if (text.length <= longestSummary && !text.trimEnd().slice(0, -1).includes("\n")) return { summary: text.trimEnd() }
  const end = text.indexOf("\n")
  return end > 0 && end <= longestFirstLine
    ? { summary: text.slice(0, end), content: text.slice(end + 1) }
    : { summary: `${text.length} characters:`, content: text }
}

/** A value as its schema encodes it. Throws where that is not JSON. */
export const fromEncoded = (value: unknown): ToolOutput => {
  if (value === undefined) return { summary: "done" }
  return fromText(textOf(value))
}

/** A text is itself, anything else its JSON. Throws where there is none. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

/** An error for the model: its words, and the fields that its schema shows, if there are more than the words. */
export const failureText = (name: string, error: unknown, encoded?: unknown): string => {
  const words = wordsOf(error)
  const shown = encoded === undefined ? "" : textOf(encoded)
  if (shown === "" || shown === "{}" || shown === words) return words === "" ? `${name} failed` : words
  return words === "" ? shown : `${words}\n${shown}`
}

/** The message of an error, and for one without, what it is called. */
const wordsOf = (error: unknown): string => {
  if (typeof error === "string") return error
  if (typeof error !== "object" || error === null) return ""
  const { _tag: tag, message } = error as { readonly _tag?: unknown; readonly message?: unknown }
  if (typeof message === "string" && message.trim() !== "") return message
  return typeof tag === "string" ? tag : ""
}
