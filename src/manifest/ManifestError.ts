/**
 * What is wrong with a manifest, or with the model that it asks for: all of it at once, each with its place.
 *
 * No value of a manifest ever stands in here, only key names, line numbers and what was expected: what somebody
 * mistyped may well be a key to a paid service.
 */
import * as Schema from "effect/Schema"

/** `key` is empty for a problem of the whole file. `line` and `column` count from 1. */
export const ManifestProblem = Schema.Struct({
  key: Schema.String,
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  column: Schema.optionalKey(Schema.Int)
})
export type ManifestProblem = typeof ManifestProblem.Type

/** `subject` is the file, or a word for a manifest that comes from a program. */
export class ManifestError extends Schema.TaggedError<ManifestError>()("ManifestError", {
  subject: Schema.String,
  problems: Schema.Array(ManifestProblem)
}) {
  override get message(): string {
    const [first, ...others] = this.problems
    if (first === undefined) return `${this.subject}: not usable`
    if (others.length === 0) return `${this.subject}${formatProblem(first, ", ")}`
    return [
      `${this.subject} has ${this.problems.length} problems:`,
      ...this.problems.map((problem) => formatProblem(problem, "  "))
    ].join("\n")
  }
}

const formatProblem = (problem: ManifestProblem, lead: string): string => {
  const place =
    problem.line === undefined
      ? ""
      : `${lead}line ${problem.line}${problem.column === undefined || problem.key !== "" ? "" : `, column ${problem.column}`}`
  const separator = place === "" && lead.trim() === "" ? lead : ": "
  const hint = problem.hint === undefined ? "" : ` (${problem.hint})`
  return `${place}${separator}${problem.message}${hint}`
}

export const manifestError = (subject: string, ...problems: ReadonlyArray<ManifestProblem>): ManifestError =>
  new ManifestError({ subject, problems })
