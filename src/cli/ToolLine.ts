/** A tool call in one line: what was asked for, and how it went. */
import { cut, millis, oneLine, plain, type Style } from "./Text.ts"

export interface ToolCall {
  readonly name: string
  /** The text of a JSON object, or as much of it as there is. */
  readonly arguments: string
}

export interface ToolOutcome {
  readonly summary: string
  readonly output?: string | undefined
  readonly isError: boolean
  readonly durationMs?: number | undefined
  /** What it printed has been shown while it ran. */
  readonly shown?: boolean
}

/** The argument that says most, for tools of ours and of others. */
const telling = ["command", "file_path", "path", "pattern", "query", "url", "name", "message"]

/** `Read src/main.ts`. Paths below `cwd` are shown relative to it. */
export const callText = (call: ToolCall, cwd: string | undefined, max: number): string => {
  const name = oneLine(call.name, 40)
  const said = argumentText(call.arguments, cwd)
  return said === "" ? name : `${name} ${cut(said, Math.max(8, max - name.length - 1))}`
}

const argumentText = (text: string, cwd: string | undefined): string => {
  let args: unknown
  try {
    args = JSON.parse(text)
  } catch {
    return oneLine(text, 200)
  }
  if (typeof args !== "object" || args === null) return ""
  const key = telling.find((name) => typeof Reflect.get(args, name) === "string")
  if (key === undefined) return Object.keys(args).length === 0 ? "" : oneLine(JSON.stringify(args), 200)
  const value = plain(Reflect.get(args, key) as string)
  const lines = value.split("\n").filter((line) => line.trim() !== "")
  const first = (lines[0] ?? "").trim()
  const short = cwd !== undefined && first.startsWith(`${cwd}/`) ? first.slice(cwd.length + 1) : first
  return lines.length > 1 ? `${short} …` : short
}

/** A command line as the summary of itself says nothing: what it printed first does, and how it ended. */
const echoed = /^\$ .*?( \((?:exit code|killed by|timed out|ended:)[^()]*\))?$/

/** What a tool says to a model that may have to ask for more. When there is no more, a person need not read it. */
const whole = / Returned \d+ of [^;]*; next offset: none\.$/

const resultText = ({ isError, output, shown, summary }: ToolOutcome, max: number): string => {
  const said = oneLine(summary, 1000).replace(whole, "")
  const echo = echoed.exec(said)
  if (echo === null) return `: ${cut(said, max)}`
  const ending = echo[1]?.trim() ?? (isError ? "failed" : "")
  if (shown === true) return ending === "" ? "" : ` ${ending}`
  const first = oneLine(output ?? "", Math.max(8, max - ending.length - 1))
  return `: ${[first === "" && ending === "" ? "no output" : first, ending].filter((part) => part !== "").join(" ")}`
}

/** What follows the call on its line, with what stands between. */
export const outcomeText = (outcome: ToolOutcome, style: Style, max: number): string => {
  const text = resultText(outcome, max)
  const took = outcome.durationMs !== undefined && outcome.durationMs >= 1000 ? ` (${millis(outcome.durationMs)})` : ""
  return `${outcome.isError ? style.red(text) : text}${style.dim(took)}`
}

export const toolLine = (
  call: ToolCall,
  outcome: ToolOutcome,
  options: { readonly cwd: string | undefined; readonly style: Style; readonly columns: number }
): string => {
  const { style } = options
  const mark = outcome.isError ? style.red("✗") : style.green("✓")
  const half = Math.max(24, Math.floor(options.columns / 2) - 4)
  return `${mark} ${callText(call, options.cwd, half)}${outcomeText(outcome, style, half)}`
}
