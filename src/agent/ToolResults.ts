/** What answers a tool call, as an entry of the journal. */
import type { ToolCallItem } from "../protocol/Item.ts"
import type { Step } from "../session/Journal.ts"
import type { ToolOutput } from "../tools/Tool.ts"
import type { LegProgress } from "./LegContext.ts"

export interface Result {
  readonly output: ToolOutput
  readonly isError: boolean
  readonly durationMs: number
}

/** For a call that is not run; `summary` says why, for the model. */
export const refuse = (summary: string): Result => ({ output: { summary }, isError: true, durationMs: 0 })

/** The model did not send a JSON object. What was logged in its place must never be run. */
export const badArguments = (name: string, problem: string): Result =>
  refuse(`${name}: the arguments are not a JSON object (${problem}). The call was not run; send it again whole.`)

export const resultStep = (progress: LegProgress, turn: number, call: ToolCallItem, result: Result): Step => ({
  kind: "tool_result",
  item: {
    kind: "tool_result",
    call_id: call.call_id,
    summary: result.output.summary,
    ...(result.output.content === undefined ? {} : { content: result.output.content }),
    ...(result.isError ? { is_error: true } : {})
  },
  run_id: progress.runId,
  leg: progress.leg,
  turn,
  duration_ms: result.durationMs,
  ...(result.output.truncated === true ? { truncated: true } : {}),
  ...(result.output.media === undefined ? {} : { media: result.output.media }),
  ...(result.output.outputPath === undefined ? {} : { output_path: result.output.outputPath }),
  ...(result.output.task === undefined ? {} : { task: result.output.task }),
  ...(result.output.seen === undefined ? {} : { seen: result.output.seen }),
  ...(result.output.command === undefined ? {} : { command: result.output.command })
})
