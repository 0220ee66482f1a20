/** Places that a session can be taken back to. */
import * as Schema from "effect/Schema"
import { Count, nullable, omittable } from "./Fields.ts"

export const RewindTargetId = Schema.Struct({ segment_id: Schema.String, user_input_entry_index: Count })
export type RewindTargetId = typeof RewindTargetId.Type

export const RewindTarget = Schema.Struct({
  id: RewindTargetId,
  expected_head_entries: Count,
  truncate_entries: Count,
  turn_index: Count,
  timestamp_ms: nullable(Schema.Int),
  preview: Schema.String,
  eligible: Schema.Boolean,
  disabled_reason: omittable(Schema.String),
  warning: omittable(Schema.String)
})
export type RewindTarget = typeof RewindTarget.Type

export const RewindSummary = Schema.Struct({
  truncated_to_entries: Count,
  discarded_entries: Count,
  tool_side_effect_warning: Schema.Boolean
})
export type RewindSummary = typeof RewindSummary.Type
