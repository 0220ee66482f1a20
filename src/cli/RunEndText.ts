/** How a run ended: in one line for people, and as an exit code. */
import type { RunEnd } from "../pod/PodHandle.ts"
import type { RunUsage } from "../protocol/LogEntry.ts"
import type { RunResult } from "../protocol/Status.ts"
import { ExitCode } from "./CliError.ts"
import { plain, plural, type Style } from "./Text.ts"

const codes: { readonly [R in RunResult]: ExitCode } = {
  finished: ExitCode.ok,
  paused: ExitCode.unfinished,
  limit_reached: ExitCode.unfinished,
  rolled_back: ExitCode.cancelled,
  cancelled: ExitCode.cancelled,
  abandoned: ExitCode.cancelled,
  failed: ExitCode.failed,
  interrupted: ExitCode.failed
}

/** An input that was taken back with an error was refused, not cancelled. */
export const exitCodeOf = ({ error, result }: Pick<RunEnd, "error" | "result">): ExitCode =>
  result === "rolled_back" && error !== undefined ? ExitCode.failed : codes[result]

const words: { readonly [R in RunResult]: string } = {
  finished: "finished",
  paused: "paused; the run goes on with resume",
  limit_reached: "stopped at its limit",
  rolled_back: "cancelled before anything was said; the input was taken back",
  cancelled: "cancelled",
  abandoned: "abandoned",
  failed: "failed",
  interrupted: "interrupted by a crash"
}

/** Empty if no model was called. */
export const usageText = (usage: RunUsage): string => {
  if (usage.llm_calls === 0) return ""
  const tokens =
    usage.input_tokens + usage.output_tokens > 0
      ? `, ${plural(usage.input_tokens, "token")} in, ${usage.output_tokens} out`
      : ""
  return `${plural(usage.llm_calls, "model call")}${tokens}${costText(usage)}`
}

/** Below a dollar to its millionth part: a call may cost far less than a cent. */
const costText = ({ cost_partial, cost_usd }: RunUsage): string =>
  cost_usd === undefined
    ? ""
    : `, ${cost_partial === true ? "at least " : ""}$${cost_usd >= 1 ? cost_usd.toFixed(2) : Number(cost_usd.toFixed(6))}`

const inBrackets = (text: string): string => (text === "" ? "" : ` (${text})`)

type Ending = Pick<RunEnd, "result" | "usage" | "error" | "limit" | "hint" | "by_hook">

const wordsOf = ({ by_hook, error, result }: Ending): string => {
  if (result === "rolled_back" && error !== undefined) return "refused; the input was taken back"
  if (result === "paused" && by_hook !== undefined) return `paused by the hook "${plain(by_hook)}"; resume goes on`
  return words[result]
}

/** One line, and a second one with a hint if there is something to do. */
export const runEndText = (ending: Ending, style: Style): string => {
  const { error, hint: advice, limit, usage } = ending
  const head = `${wordsOf(ending)}${limit === undefined ? "" : `: ${plain(limit)}`}`
  if (error === undefined) {
    const what = advice === undefined ? "" : `\n  hint: ${plain(advice)}`
    return style.dim(`· ${head}${inBrackets(usageText(usage))}${what}`)
  }
  const hint = error.hint === undefined ? "" : `\n  hint: ${plain(error.hint)}`
  return `${style.red(`✗ ${head}: ${plain(error.message)}`)} ${style.dim(`[${error.code}]`)}${hint}`
}
