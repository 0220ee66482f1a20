/** A tool call that waits for somebody's word, as clients see it and as the journal keeps it. */
import * as Schema from "effect/Schema"

/** `allow_session` allows it, and everything like it until the session ends. */
export const ApprovalDecision = Schema.Literals(["allow", "deny", "allow_session"])
export type ApprovalDecision = typeof ApprovalDecision.Type

/**
 * UTF-16 units of each text that an approval carries. A call may be of any size, and every client and every snapshot
 * gets its approval; the log has all of the call.
 */
export const maxShown = 32 * 1024
export const maxReason = 2_000
export const maxName = 120

/** What the pod itself answers for. No client is named so. */
export const podAnswers = ["expiry", "restart", "pause", "cancel", "limit", "failure", "the end of the run"] as const
export type PodAnswer = (typeof podAnswers)[number]

const asked = {
  approval_id: Schema.String,
  tool: Schema.String,
  /** The text of a JSON object, or its beginning. */
  arguments: Schema.String,
  /** UTF-16 units of all of them, where what stands here is the beginning. */
  arguments_length: Schema.optionalKey(Schema.Int),
  /** What the permissions judged, or its beginning. */
  target: Schema.String,
  target_length: Schema.optionalKey(Schema.Int),
  /** Unix milliseconds. Then it is denied. */
  expires_at: Schema.Int
}

export const Approval = Schema.Struct({ ...asked, call_id: Schema.optionalKey(Schema.String) })
export type Approval = typeof Approval.Type

/** `subject` is what an answer for the session is remembered for, beside the tool; without one, it is for one call. */
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

/** The beginning of a text, at most `max` UTF-16 units of it, with no half of a character at its end. */
export const beginning = (text: string, max: number): string =>
  text.slice(0, /[\ud800-\udbff]/.test(text.charAt(max - 1)) ? max - 1 : max)

/** The same, with an ellipsis for what was left out. */
export const shortened = (text: string, max: number): string =>
  text.length <= max ? text : `${beginning(text, max - 1)}…`
