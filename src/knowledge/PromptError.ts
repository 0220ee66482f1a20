/** A prompt that cannot be used: not found, not readable, or not a valid template. */
import * as Schema from "effect/Schema"

/** `subject` is the reference or the file; `line` counts from 1. */
export class PromptError extends Schema.TaggedError<PromptError>()("PromptError", {
  subject: Schema.String,
  problem: Schema.String,
  hint: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    const place = this.line === undefined ? "" : `, line ${this.line}`
    const hint = this.hint === undefined ? "" : ` (${this.hint})`
    return `${this.subject}${place}: ${this.problem}${hint}`
  }
}
