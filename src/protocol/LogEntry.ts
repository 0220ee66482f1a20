/**
 * The lines of a segment file, which are also the entries of a snapshot.
 *
 * The kinds are the seed's and no others: its reader takes one unknown kind for a corrupt file. What we add is
 * fields on these kinds, and `extension` records in `pod.*` domains (see `PodRecord.ts`).
 * Decoded and encoded form are the same plain objects, so a line is `JSON.stringify(entry)`.
 */
import * as Schema from "effect/Schema"
import { BackgroundCommand } from "./BackgroundCommand.ts"
import { Count, nullable, omittable } from "./Fields.ts"
import { LoggedItem, ToolResultItem } from "./Item.ts"
import { Media } from "./Media.ts"
import { SeenFile } from "./SeenFile.ts"
import { Segment } from "./Segment.ts"
import { ErrorCode, ErrorPhase, InvokeKind, RunResult } from "./Status.ts"
import { SystemItem } from "./SystemItem.ts"
import { Task } from "./Task.ts"

/** Generation settings; null where the model's own default holds. */
export const RequestConfig = Schema.Struct({
  max_tokens: nullable(Count),
  temperature: nullable(Schema.Finite),
  top_p: nullable(Schema.Finite),
  top_k: nullable(Count),
  stop_sequences: Schema.Array(Schema.String),
  reasoning: nullable(Schema.Union([Schema.String, Schema.Int]))
})
export type RequestConfig = typeof RequestConfig.Type

export const defaultConfig: RequestConfig = {
  max_tokens: null,
  temperature: null,
  top_p: null,
  top_k: null,
  stop_sequences: [],
  reasoning: null
}

export const Origin = Schema.Struct({ segment_id: Schema.String, at_turn_index: Count })
export type Origin = typeof Origin.Type

/**
 * Tokens as reported by the vendor, added over the calls of a leg. Never estimated. `cost_usd` is made of the prices
 * that were known when a call was made; `cost_partial`: it leaves out calls that had none.
 */
export const RunUsage = Schema.Struct({
  llm_calls: Count,
  input_tokens: Count,
  output_tokens: Count,
  cache_read_input_tokens: Count,
  cache_write_input_tokens: Count,
  cost_usd: Schema.optionalKey(Schema.Finite),
  cost_partial: Schema.optionalKey(Schema.Literal(true))
})
export type RunUsage = typeof RunUsage.Type

export const noUsage: RunUsage = {
  llm_calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_write_input_tokens: 0
}

/** How a leg ended, in full: the `run_end` event is made from this and from nothing else. */
export const Outcome = Schema.Struct({
  result: RunResult,
  error: Schema.optionalKey(
    Schema.Struct({
      code: ErrorCode,
      message: Schema.String,
      phase: ErrorPhase,
      hint: Schema.optionalKey(Schema.String)
    })
  ),
  limit: Schema.optionalKey(Schema.String),
  /** With `limit`: what to do about it. */
  hint: Schema.optionalKey(Schema.String),
  /** With `paused`: a crash cut the leg, and the run waits for `resume`. */
  by_crash: Schema.optionalKey(Schema.Literal(true)),
  /** The hook that paused the run, or would not have its input. */
  by_hook: Schema.optionalKey(Schema.String),
  usage: RunUsage
})
export type Outcome = typeof Outcome.Type

/** Fields of ours that a line may carry: which run, leg and generation it belongs to. */
const ofRun = {
  run_id: Schema.optionalKey(Schema.String),
  leg: Schema.optionalKey(Count)
}
const ofTurn = { ...ofRun, turn: Schema.optionalKey(Count) }

/** Unix milliseconds. */
const ts = Count

/** `more`: lines of the same batch that follow this one. A batch counts when its last line is there. */
const line = { ts, more: Schema.optionalKey(Count) }

/** `tasks` are those that there were at the end of `history`. */
export const SegmentStart = Schema.Struct({
  kind: Schema.tag("segment_start"),
  ...line,
  session_id: Schema.String,
  system_prompt: nullable(Schema.String),
  config: RequestConfig,
  history: Schema.Array(LoggedItem),
  tasks: Schema.optionalKey(Schema.Array(Task)),
  forked_from: omittable(Origin),
  compacted_from: omittable(Origin)
})
export type SegmentStart = typeof SegmentStart.Type

export const Invoke = Schema.Struct({ kind: Schema.tag("invoke"), ...line, trigger: InvokeKind, ...ofRun })
export const UserInput = Schema.Struct({
  kind: Schema.tag("user_input"),
  ...line,
  segments: Schema.Array(Segment),
  key: Schema.optionalKey(Schema.String),
  ...ofTurn
})
/**
 * `block` is the position of the block in its response; items of one response share `turn`. `provider` is set on what
 * only its maker takes back, and says who that is: the scheme, and where there is a server, `@` and its host.
 */
export const AssistantItem = Schema.Struct({
  kind: Schema.tag("assistant_item"),
  ...line,
  item: LoggedItem,
  block: Schema.optionalKey(Count),
  provider: Schema.optionalKey(Schema.Json),
  ...ofTurn
})
/**
 * `truncated`, `output_path`, `duration_ms` and `task` are what the `tool_result` event adds for native clients. `task` is
 * the one that the call has made or changed, as it is from here on. `media` is what the model sees besides the text.
 * `seen` is the file that it knows from here on, `command` what it has learned of a command in the background.
 */
export const ToolResultEntry = Schema.Struct({
  kind: Schema.tag("tool_result"),
  ...line,
  item: ToolResultItem,
  truncated: Schema.optionalKey(Schema.Boolean),
  output_path: Schema.optionalKey(Schema.String),
  duration_ms: Schema.optionalKey(Count),
  media: Schema.optionalKey(Schema.Array(Media)),
  task: Schema.optionalKey(Task),
  seen: Schema.optionalKey(SeenFile),
  command: Schema.optionalKey(BackgroundCommand),
  ...ofTurn
})
/** `commands` are those in the background of whose end it tells, by id. */
export const SystemItemEntry = Schema.Struct({
  kind: Schema.tag("system_item"),
  ...line,
  item: SystemItem,
  commands: Schema.optionalKey(Schema.Array(Schema.String)),
  ...ofTurn
})
export const TurnEnd = Schema.Struct({ kind: Schema.tag("turn_end"), ...line, turn_count: Count, ...ofRun })
export const RunCompleted = Schema.Struct({
  kind: Schema.tag("run_completed"),
  ...line,
  interrupted: Schema.Boolean,
  result: Schema.Literals(["finished", "paused", "limit_reached", "yielded"]),
  outcome: Schema.optionalKey(Outcome),
  ...ofRun
})
export const RunErrored = Schema.Struct({
  kind: Schema.tag("run_errored"),
  ...line,
  interrupted: Schema.Boolean,
  message: Schema.String,
  outcome: Schema.optionalKey(Outcome),
  ...ofRun
})
export const ConfigChanged = Schema.Struct({ kind: Schema.tag("config_changed"), ...line, config: RequestConfig })
export const LlmUsage = Schema.Struct({
  kind: Schema.tag("llm_usage"),
  ...line,
  history_len: Count,
  input_total_tokens: Count,
  cache_read_tokens: Count,
  cache_write_tokens: Count,
  output_tokens: Count,
  /** US dollars; absent where the model has no known prices. */
  cost_usd: Schema.optionalKey(Schema.Finite),
  /** What the request began with: a sum over prompt, tools and so many messages. */
  prefix: Schema.optionalKey(Schema.Struct({ messages: Count, hash: Schema.String })),
  /** `provider/model`, where it was not the pod's own. */
  model: Schema.optionalKey(Schema.String),
  ...ofTurn
})
export const Extension = Schema.Struct({
  kind: Schema.tag("extension"),
  ...line,
  domain: Schema.String,
  payload: Schema.Json
})
export type Extension = typeof Extension.Type

export const LogEntry = Schema.Union([
  SegmentStart,
  Invoke,
  UserInput,
  AssistantItem,
  ToolResultEntry,
  SystemItemEntry,
  TurnEnd,
  RunCompleted,
  RunErrored,
  ConfigChanged,
  LlmUsage,
  Extension
]).annotate({ identifier: "LogEntry" })
export type LogEntry = typeof LogEntry.Type
