/** A tool call that waits for somebody's word, as clients see it and as the journal keeps it. */
import * as Schema from "effect/Schema"

/** `allow_session` allows it, and everything like it until the session ends. */
export const ApprovalDecision = Schema.Literals(["allow", "deny", "allow_session"])
export type ApprovalDecision = typeof ApprovalDecision.Type

const asked = {
  approval_id: Schema.String,
  tool: Schema.String,
  /** The text of a JSON object. */
  arguments: Schema.String,
  /** What the permissions judged. */
  target: Schema.String,
  /** Unix milliseconds. Then it is denied. */
  expires_at: Schema.Int
}

export const Approval = Schema.Struct({ ...asked, call_id: Schema.optionalKey(Schema.String) })
export type Approval = typeof Approval.Type

/** `subject` is what an answer for the session is remembered for, beside the tool. */
export const ApprovalRecord = Schema.Struct({
  ...asked,
  call_id: Schema.String,
  subject: Schema.optionalKey(Schema.String)
})
export type ApprovalRecord = typeof ApprovalRecord.Type

/** `by` is the client that answered, or why the pod itself did. `reason` is for the model. */
export const ApprovalAnswer = Schema.Struct({
  approval_id: Schema.String,
  decision: ApprovalDecision,
  by: Schema.String,
  reason: Schema.optionalKey(Schema.String)
})
export type ApprovalAnswer = typeof ApprovalAnswer.Type

/** What is allowed until the session ends. */
export const Allowance = Schema.Struct({ tool: Schema.String, subject: Schema.String })
export type Allowance = typeof Allowance.Type
