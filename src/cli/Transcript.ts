/** Entries of the log as a transcript for people: what was said and done, without the bookkeeping. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type LoggedItem, messageText } from "../protocol/Item.ts"
import { LogEntry, type SegmentStart } from "../protocol/LogEntry.ts"
import { flatten } from "../protocol/Segment.ts"
import { runEndText } from "./RunEndText.ts"
import { oneLine, plain, plural, style } from "./Text.ts"
import { type ToolCall, toolLine } from "./ToolLine.ts"

export interface TranscriptOptions {
  readonly color: boolean
  readonly columns: number
  readonly cwd: string | undefined
  /** A line with the time stands before each input. */
  readonly times: boolean
  readonly thinking: boolean
  /** How much is shown of what a segment begins with: that many items, the last ones. */
  readonly past: number
}

const decode = Schema.decodeUnknownOption(LogEntry)

export class Transcript {
  private readonly options: TranscriptOptions
  private readonly calls = new Map<string, ToolCall>()

  constructor(options: TranscriptOptions) {
    this.options = options
  }

  /** The text of one entry, ending in a newline, or nothing if it has nothing to say. */
  render(json: Schema.Json): string {
    const entry = Option.getOrUndefined(decode(json))
    if (entry === undefined) return ""
    const lines = this.lines(entry)
    return lines === "" ? "" : `${lines}\n`
  }

  private lines(entry: LogEntry): string {
    const { color, times } = this.options
    const { dim, red } = style(color)
    switch (entry.kind) {
      case "segment_start":
        return this.past(entry)
      case "user_input": {
        const time = times ? `\n${dim(timeOf(entry.ts))}\n` : ""
        return time + this.said(flatten(entry.segments))
      }
      case "assistant_item":
        return this.item(entry.item, undefined)
      case "tool_result":
        return this.item(entry.item, entry.duration_ms)
      case "system_item": {
        const { item } = entry
        const text =
          item.kind === "notification" ? item.message : item.kind === "file_attachment" ? item.path : item.body
        return dim(`· ${item.kind}: ${oneLine(text, 200)}`)
      }
      case "run_completed":
        if (entry.outcome !== undefined) {
          return entry.outcome.result === "finished" ? "" : runEndText(entry.outcome, style(color))
        }
        return entry.result === "finished" ? "" : dim(`· ${entry.result}`)
      case "run_errored":
        if (entry.outcome !== undefined) return runEndText(entry.outcome, style(color))
        return red(`✗ ${oneLine(entry.message, 400)}`)
      default:
        return ""
    }
  }

  /** What was said before the segment began, where it did not begin with nothing: a fork has all of it in its first entry. */
  private past({ compacted_from, history }: SegmentStart): string {
    const { dim } = style(this.options.color)
    const left = Math.max(0, history.length - this.options.past)
    return [
      compacted_from === undefined ? "" : dim("· earlier parts were compacted"),
      left === 0 ? "" : dim(`· ${plural(left, "item")} before these`),
      ...history.slice(left).map((item) => this.item(item, undefined))
    ]
      .filter((text) => text !== "")
      .join("\n")
  }

  private said(text: string): string {
    const [first = "", ...rest] = plain(text).split("\n")
    return [`${style(this.options.color).bold("›")} ${first}`, ...rest.map((line) => `  ${line}`)].join("\n")
  }

  private item(item: LoggedItem, durationMs: number | undefined): string {
    const { color, columns, cwd, thinking } = this.options
    const { dim } = style(color)
    switch (item.kind) {
      case "message": {
        const text = messageText(item)
        if (item.role === "system") return dim(`· ${oneLine(text.replace(/\s+/g, " "), 200)}`)
        return item.role === "user" ? this.said(text) : plain(text).trimEnd()
      }
      case "tool_call":
        this.calls.set(item.call_id, item)
        return ""
      case "tool_result": {
        const { call_id, content, is_error, summary } = item
        const call = this.calls.get(call_id) ?? { name: "tool", arguments: "" }
        this.calls.delete(call_id)
        return toolLine(
          call,
          { summary, output: content, isError: is_error === true, durationMs },
          { columns, cwd, style: style(color) }
        )
      }
      case "reasoning": {
        const text = thinking ? plain(item.text).trimEnd() : ""
        return text === "" ? "" : dim(`~ ${text.replace(/\n/g, "\n~ ")}`)
      }
    }
  }
}

const timeOf = (ts: number): string =>
  Option.match(DateTime.make(ts), {
    onNone: () => String(ts),
    onSome: (time) =>
      DateTime.formatIso(time)
        .replace("T", " ")
        .replace(/\.\d+Z$/, " UTC")
  })
