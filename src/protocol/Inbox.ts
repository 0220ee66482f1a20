/** A thing that waits to be given to the model, as clients see it. */
import * as Schema from "effect/Schema"

/**
 * `queue` starts a run of its own, `steer` joins the current run before its next model request,
 * `wake` starts a turn if the pod is idle, `quiet` waits for whatever comes next.
 */
export const InboxMode = Schema.Literals(["queue", "steer", "wake", "quiet"])
export type InboxMode = typeof InboxMode.Type

export const InboxItem = Schema.Struct({
  item_id: Schema.String,
  kind: Schema.Literals(["run", "notify", "pod_event"]),
  mode: InboxMode,
  run_id: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String),
  ts: Schema.Int,
  preview: Schema.String
})
export type InboxItem = typeof InboxItem.Type

export const InFlightBlock = Schema.Struct({
  kind: Schema.Literals(["text", "thinking", "tool_call"]),
  text: Schema.optionalKey(Schema.String),
  id: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String),
  arguments_so_far: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Schema.Literals(["receiving", "waiting", "asking", "running"]))
})
export type InFlightBlock = typeof InFlightBlock.Type

/** Blocks of the current leg whose item is not committed yet. */
export const InFlight = Schema.Struct({
  run_id: Schema.String,
  leg: Schema.Int,
  turn: Schema.Int,
  blocks: Schema.Array(InFlightBlock)
})
export type InFlight = typeof InFlight.Type

export const WaitingOn = Schema.Struct({
  kind: Schema.Literals(["model", "retry", "tool", "approval", "compaction", "child", "inbox_held"]),
  since_ms: Schema.Int,
  until_ms: Schema.optionalKey(Schema.Int)
})
export type WaitingOn = typeof WaitingOn.Type
