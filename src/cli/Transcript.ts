/** Entries of the log as a transcript for people: what was said and done, without the bookkeeping. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { messageText } from "../protocol/Item.ts"
import { LogEntry } from "../protocol/LogEntry.ts"
import { flatten } from "../protocol/Segment.ts"
import { runEndText } from "./RunEndText.ts"
import { oneLine, plain, style } from "./Text.ts"
import { type ToolCall, toolLine } from "./ToolLine.ts"

export interface TranscriptOptions {
  readonly color: boolean
  readonly columns: number
  readonly cwd: string | undefined
  /** A line with the time stands before each input. */
  readonly times: boolean
  readonly thinking: boolean
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
    const { color, columns, cwd, thinking, times } = this.options
    const { bold, dim, red } = style(color)
    switch (entry.kind) {
      case "segment_start":
        return entry.compacted_from === undefined ? "" : dim("· earlier parts were compacted")
      case "user_input": {
        const [first = "", ...rest] = plain(flatten(entry.segments)).split("\n")
        const time = times ? `\n${dim(timeOf(entry.ts))}\n` : ""
        return time + [`${bold("›")} ${first}`, ...rest.map((text) => `  ${text}`)].join("\n")
      }
      case "assistant_item": {
        const { item } = entry
        if (item.kind === "message") return plain(messageText(item)).trimEnd()
        if (item.kind === "tool_call") this.calls.set(item.call_id, item)
        if (item.kind !== "reasoning" || !thinking) return ""
        const text = plain(item.text).trimEnd()
        return text === "" ? "" : dim(`~ ${text.replace(/\n/g, "\n~ ")}`)
      }
      case "tool_result": {
        const { call_id, content, is_error, summary } = entry.item
        const call = this.calls.get(call_id) ?? { name: "tool", arguments: "" }
        this.calls.delete(call_id)
        return toolLine(
          call,
          { summary, output: content, isError: is_error === true, durationMs: entry.duration_ms },
          { columns, cwd, style: style(color) }
        )
      }
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
}

const timeOf = (ts: number): string =>
  Option.match(DateTime.make(ts), {
    onNone: () => String(ts),
    onSome: (time) =>
      DateTime.formatIso(time)
        .replace("T", " ")
        .replace(/\.\d+Z$/, " UTC")
  })
