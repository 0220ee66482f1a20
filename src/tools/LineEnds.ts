/** How the lines of a text end, and texts of the model with the ends that a file has. */

const crlf = "\r\n"

/** `mixed` has both. A text without any line end has none of its own. */
export type LineEnds = "lf" | "crlf" | "mixed" | "none"

export const lineEndsOf = (text: string): LineEnds => {
  if (!text.includes("\n")) return "none"
  if (!text.includes(crlf)) return "lf"
  return text.replaceAll(crlf, "").includes("\n") ? "mixed" : "crlf"
}

const toLf = (text: string): string => text.replaceAll(crlf, "\n")

/** With one kind of line end throughout, if that is what `ends` is; else as it is. */
export const withEnds = (text: string, ends: LineEnds): string => {
  if (ends === "crlf") return toLf(text).replaceAll("\n", crlf)
  return ends === "lf" ? toLf(text) : text
}
