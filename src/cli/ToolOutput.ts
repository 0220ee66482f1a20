/**
 * What a tool says while it runs, line by line.
 *
 * It comes in pieces that end anywhere. A line is shown when it is whole, or when the call has ended; a flood is cut, for
 * the result has it.
 */
import { plain } from "./Text.ts"

/** Lines that are shown of one call: a build is seen to go on, and a screen is not filled by one `cat`. */
const maxLines = 40

/** Characters that are kept of a line that does not end. */
const maxPartial = 4096

export class ToolOutput {
  private partial = ""
  /** The offset of what comes next, if nothing is missed. */
  private next = 0
  private shown = 0

  /** The lines that are whole now, fit for a terminal. */
  push(offset: number, text: string): ReadonlyArray<string> {
    if (offset !== this.next) this.partial = "…"
    this.next = offset + text.length
    if (this.shown > maxLines) return []
    const lines = `${this.partial}${text}`.split("\n")
    this.partial = lastDrawn(lines.pop() ?? "").slice(0, maxPartial)
    return this.bounded(lines)
  }

  /** The last line, if nothing has ended it. */
  end(): ReadonlyArray<string> {
    const line = this.partial
    this.partial = ""
    return this.bounded([line])
  }

  private bounded(lines: ReadonlyArray<string>): ReadonlyArray<string> {
    const said = lines.map(fit).filter((line) => line.trim() !== "")
    const room = maxLines - this.shown
    if (room < 0) return []
    this.shown += said.length
    return said.length <= room ? said : [...said.slice(0, room), "… more is in its result"]
  }
}

/** A progress bar draws over itself: of what a line was, the last is kept. A carriage return at its end draws nothing yet. */
const lastDrawn = (line: string): string => line.slice(line.lastIndexOf("\r", line.length - 2) + 1)

const fit = (line: string): string =>
  plain(lastDrawn(line.replace(/\r+$/, "")))
    .replace(/\t/g, "  ")
    .trimEnd()
