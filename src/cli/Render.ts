/**
 * Events of a pod as text for a terminal, piece by piece as they come.
 *
 * The answer of the model and everything else are told apart (`to`), because `run` puts them on different streams.
 * One tool call is one line, and below it what the tool says while it runs. Nothing is drawn over: what is written
 * stays, so it reads the same in a file.
 */
import type { InFlight } from "../protocol/Inbox.ts"
import { flatten } from "../protocol/Segment.ts"
import type { PodStatus } from "../protocol/Status.ts"
import { answeredText } from "./ApprovalText.ts"
import type { PodEvent } from "./Client.ts"
import { runEndText } from "./RunEndText.ts"
import { cut, millis, oneLine, plain, plural, style, type Style, visibleLine } from "./Text.ts"
import { callText, outcomeText, type ToolCall, toolLine } from "./ToolLine.ts"
import { ToolOutput } from "./ToolOutput.ts"

export interface Chunk {
  readonly to: "answer" | "info"
  readonly text: string
}

export interface RenderOptions {
  /** Escape sequences may be written to this stream. */
  readonly color: { readonly answer: boolean; readonly info: boolean }
  /** The answer is shown on a terminal: control characters are taken out of it. */
  readonly safeAnswer: boolean
  /** Both streams are seen on one screen, so that a line of one ends a line of the other. */
  readonly sameScreen: boolean
  /** A tool's line is begun when it starts and finished when it ends. */
  readonly live: boolean
  readonly thinking: boolean
  /** Input, status and queue are shown, not only what the run does. */
  readonly everything: boolean
  /** Approvals are shown by who lets them be answered. */
  readonly asks: boolean
  readonly columns: number
  /** The pod's working directory. */
  readonly cwd: string | undefined
}

/** What is known of a call while it runs. */
interface RunningCall {
  readonly output: ToolOutput
  /** The only line so far: it may be all that the call's own line needs to say. */
  held: ReadonlyArray<string>
  /** Something of the output is on the screen. */
  shown: boolean
}

export class Renderer {
  private readonly options: RenderOptions
  private readonly style: Style
  private readonly calls = new Map<string, ToolCall>()
  private readonly running = new Map<string, RunningCall>()
  private chunks: Array<Chunk> = []
  /** Streams whose last character was not a newline. */
  private readonly open = { answer: false, info: false }
  /** Something of the current text block has been written. */
  private inText = false
  private inThinking = false
  /** The call whose line is begun and not finished. */
  private begun: string | undefined
  /** The call whose output the last line is, or its line that stands above it. */
  private above: string | undefined
  private status: PodStatus | undefined

  constructor(options: RenderOptions) {
    this.options = options
    this.style = style(options.color.info)
  }

  render(event: PodEvent): ReadonlyArray<Chunk> {
    this.apply(event)
    return this.flush()
  }

  /** A line of our own between the others. */
  note(text: string): ReadonlyArray<Chunk> {
    this.line(text)
    return this.flush()
  }

  /** Blocks of the current run that began before we came. */
  inFlight(inFlight: InFlight | null): ReadonlyArray<Chunk> {
    // The end of a call may have been missed.
    const runs = new Set(inFlight?.blocks.flatMap(({ id, state }) => (state === "running" ? [id] : [])))
    for (const id of this.running.keys()) if (!runs.has(id)) this.running.delete(id)
    for (const block of inFlight?.blocks ?? []) {
      if (block.kind === "text") this.text(block.text ?? "")
      if (block.kind === "thinking") this.thought(block.text ?? "")
      if (block.kind === "tool_call" && block.id !== undefined) {
        const call = { name: block.name ?? "tool", arguments: block.arguments_so_far ?? "" }
        this.calls.set(block.id, call)
        if (block.state === "running") this.begin(block.id, call)
      }
    }
    return this.flush()
  }

  /** Somebody else has ended the line that we were in. */
  lineBroken(): void {
    this.begun = undefined
    this.open.answer = false
    this.open.info = false
  }

  /** The status as a snapshot tells it. */
  setStatus(status: PodStatus): void {
    this.status = status
  }

  private flush(): ReadonlyArray<Chunk> {
    const chunks = this.chunks
    this.chunks = []
    return chunks
  }

  private apply(event: PodEvent): void {
    const { everything, thinking } = this.options
    const { dim, red, yellow } = this.style
    switch (event.event) {
      case "text_delta":
        return this.text(event.data.text)
      case "text_done":
        if (!this.inText) this.text(event.data.text)
        return this.endText()
      case "thinking_delta":
        return thinking ? this.thought(event.data.text) : undefined
      case "thinking_done":
        if (thinking && !this.inThinking) this.thought(event.data.text)
        return this.endThought()
      case "tool_call_done":
        this.calls.set(event.data.id, event.data)
        return
      case "assistant_item":
        if (event.data.item.kind === "tool_call") this.calls.set(event.data.item.call_id, event.data.item)
        return
      case "tool_started": {
        const call = this.calls.get(event.data.id) ?? { name: event.data.name, arguments: "" }
        this.calls.set(event.data.id, call)
        return this.begin(event.data.id, call)
      }
      case "tool_output": {
        const call = this.runningCall(event.data.id)
        return this.showOutput(event.data.id, call, call.output.push(event.data.offset, event.data.text))
      }
      case "tool_result":
        return this.finish(event.data)
      case "user_message": {
        if (!everything) return
        const [first = "", ...rest] = plain(flatten(event.data.segments)).split("\n")
        return this.line([`${this.style.bold("›")} ${first}`, ...rest.map((text) => `  ${text}`)].join("\n"))
      }
      case "system_item":
        return this.line(dim(`· ${event.data.item.kind}: ${systemText(event.data.item)}`))
      case "run_end":
        this.endBlocks()
        for (const [id, { held, output }] of this.running) this.outputLines(id, [...held, ...output.end()])
        this.running.clear()
        return this.line(runEndText(event.data, this.style))
      case "llm_retry": {
        const { error, failed_attempt, max_attempts, status, wait_ms } = event.data
        const why = `${status === undefined ? "" : `status ${status}, `}${oneLine(error, 200)}`
        return this.line(
          yellow(`! model call failed (${why}); attempt ${failed_attempt + 1} of ${max_attempts} in ${millis(wait_ms)}`)
        )
      }
      case "llm_continuation":
        return this.line(yellow(`! the answer broke off (${oneLine(event.data.reason, 200)}); going on`))
      case "error":
        return this.line(red(`✗ ${plain(event.data.message)}`) + this.hint(event.data.hint))
      case "alert":
        return this.line((event.data.level === "error" ? red : yellow)(`! ${oneLine(event.data.message, 400)}`))
      case "approval_requested":
        // Where somebody can answer, the whole of it is shown.
        if (this.options.asks) return
        return this.line(
          yellow(
            `? ${event.data.tool} ${visibleLine(event.data.target, 200)} waits for approval ${event.data.approval_id}`
          )
        )
      case "approval_resolved":
        return this.line(dim(`· ${answeredText(event.data.decision, event.data.by)}`))
      case "inbox_changed":
        if (!everything || event.data.op === "take") return
        return this.line(
          dim(`· ${event.data.op === "add" ? "queued" : "removed"}: ${oneLine(event.data.item.preview, 60)}`) +
            dim(` (${event.data.size} waiting)`)
        )
      case "status":
        return this.changeStatus(event.data.status)
      case "compact_start":
        return this.line(dim("· compacting"))
      case "compact_done":
        return this.line(dim("· compacted"))
      case "compact_failed":
        return this.line(yellow(`! compaction failed: ${oneLine(event.data.error, 200)}`))
      case "rewind_applied":
        return this.line(
          dim(
            event.data.summary.discarded_entries === 0
              ? "· what the rewind took away is there again"
              : `· rewound; ${plural(event.data.summary.discarded_entries, "entry", "entries")} left out`
          )
        )
      case "segment_rotated":
        // The first lines of a session come as a rotation, too, and say nothing to a reader.
        return everything && event.data.entry.kind === "segment_start" && event.data.entry.history.length > 0
          ? this.line(dim("· a new segment of the session begins"))
          : undefined
      case "log_repaired":
        return this.line(yellow(`! the log was repaired; what was cut is in ${plain(event.data.saved_to)}`))
      case "lagged":
        return this.line(yellow("! fell behind; some of what happened is not shown"))
      case "shutdown":
        return everything ? this.line(dim("· the pod shuts down")) : undefined
    }
  }

  private changeStatus(status: PodStatus): void {
    const before = this.status
    this.status = status
    if (!this.options.everything || before === status) return
    // The line that ends a run says it already.
    if (status === "running" || (before === "running" && status !== "stopping")) return
    this.line(this.style.dim(`· ${status}`))
  }

  private hint(hint: string | undefined): string {
    return hint === undefined ? "" : `\n  hint: ${plain(hint)}`
  }

  private text(text: string): void {
    if (text === "") return
    this.endThought()
    this.endInfoLine()
    this.inText = true
    this.write("answer", this.options.safeAnswer ? plain(text) : text)
  }

  private endText(): void {
    if (this.open.answer) this.write("answer", "\n")
    this.inText = false
  }

  private thought(text: string): void {
    if (text === "") return
    this.endBegun()
    const start = this.inThinking ? "" : "~ "
    this.inThinking = true
    this.info(this.style.dim(`${start}${plain(text).replace(/\n/g, "\n~ ")}`))
    this.open.info = true
  }

  private endThought(): void {
    if (!this.inThinking) return
    this.inThinking = false
    this.endInfoLine()
  }

  private endBlocks(): void {
    if (this.inText) this.endText()
    this.endThought()
  }

  private begin(id: string, call: ToolCall): void {
    this.runningCall(id)
    if (!this.options.live || this.begun !== undefined) return
    this.endBlocks()
    this.info(this.heading(call))
    this.begun = id
  }

  private heading(call: ToolCall): string {
    return `${this.style.dim("→")} ${callText(call, this.options.cwd, this.half())}`
  }

  /** Its start may have been missed. */
  private runningCall(id: string): RunningCall {
    const call = this.running.get(id) ?? { output: new ToolOutput(), held: [], shown: false }
    this.running.set(id, call)
    return call
  }

  private showOutput(id: string, call: RunningCall, said: ReadonlyArray<string>): void {
    const lines = [...call.held, ...said]
    const [only] = lines
    if (only === undefined) return
    const alone = !call.shown && lines.length === 1
    call.held = alone && this.begun !== id ? lines : []
    if (call.held.length > 0) return
    call.shown = true
    if (alone && only.length <= this.half()) return this.write("info", `: ${this.style.dim(only)}`)
    this.outputLines(id, lines)
  }

  /** Below the line of their call if it is the only one, else each with the name of its call. */
  private outputLines(id: string, lines: ReadonlyArray<string>): void {
    const call = this.calls.get(id) ?? { name: "tool", arguments: "" }
    const shared = this.running.size > 1
    const whose = shared ? `${callText(call, this.options.cwd, Math.floor(this.half() / 2))}: ` : ""
    if (!shared && lines.length > 0 && this.begun !== id && this.above !== id) this.line(this.heading(call))
    for (const text of lines) {
      this.line(this.style.dim(`  ${cut(`${whose}${text}`, Math.max(24, this.options.columns - 3))}`))
      this.above = shared ? undefined : id
    }
  }

  /** True if the call's output is on the screen: its result need not say it again. */
  private endOutput(id: string): boolean {
    const call = this.running.get(id)
    if (call === undefined) return false
    this.showOutput(id, call, call.output.end())
    this.running.delete(id)
    return call.shown
  }

  private finish(data: Extract<PodEvent, { readonly event: "tool_result" }>["data"]): void {
    const call = this.calls.get(data.id) ?? { name: "tool", arguments: "" }
    const shown = this.endOutput(data.id)
    this.calls.delete(data.id)
    const { duration_ms: durationMs, is_error: isError, output, summary } = data
    const outcome = { summary, output, isError, durationMs, shown }
    if (this.begun === data.id) {
      this.begun = undefined
      return this.write("info", `${outcomeText(outcome, this.style, this.half())}\n`)
    }
    const { columns, cwd } = this.options
    this.line(toolLine(call, outcome, { columns, cwd, style: this.style }))
  }

  private half(): number {
    return Math.max(24, Math.floor(this.options.columns / 2) - 4)
  }

  /** A whole line of information, on a line of its own. */
  private line(text: string): void {
    this.endInfoLine()
    this.info(`${text}\n`)
  }

  private info(text: string): void {
    // The answer itself stays as it is: the newline goes where the information goes.
    const apart = this.options.sameScreen && this.open.answer && !this.open.info ? "\n" : ""
    this.write("info", `${apart}${text}`)
  }

  private endBegun(): void {
    if (this.begun !== undefined) this.endInfoLine()
  }

  private endInfoLine(): void {
    this.begun = undefined
    if (this.open.info) this.write("info", "\n")
  }

  private write(to: Chunk["to"], text: string): void {
    if (text === "") return
    this.chunks.push({ to, text })
    this.above = undefined
    this.open[to] = !text.endsWith("\n")
  }
}

const systemText = (item: Extract<PodEvent, { readonly event: "system_item" }>["data"]["item"]): string => {
  switch (item.kind) {
    case "notification":
      return oneLine(item.message, 200)
    case "file_attachment":
      return oneLine(item.path, 200)
    case "knowledge":
    case "workflow":
      return oneLine(item.slug, 80)
    case "pod_event":
    case "task_reminder":
    case "interrupt":
      return oneLine(item.body, 200)
  }
}
