/** An approval as a person reads it before answering: all of what would be done, and nothing that hides a part of it. */
import type { Approval, ApprovalDecision } from "../protocol/Approval.ts"
import { cut, plain, visible } from "./Text.ts"

/** A longer one is cut, and says so. */
const maxLines = 40
const maxLength = 4_000
/** Of what stands beside the target. */
const maxRest = 400

const targetKeys = new Set(["command", "file_path", "path", "pattern", "query", "url"])

/** What the call has beside its target, `content` of a file for example. */
const restOf = (approval: Approval): string => {
  try {
    const args: unknown = JSON.parse(approval.arguments)
    if (typeof args !== "object" || args === null) return approval.arguments
    const rest = Object.entries(args).filter(([key, value]) => !(targetKeys.has(key) && value === approval.target))
    return rest.map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("\n")
  } catch {
    return approval.arguments
  }
}

/** `whole` is its length, where `text` is no more than its beginning. */
const indented = (text: string, max: number, whole?: number): string => {
  const lines = visible(cut(text, max)).split("\n")
  const shown = lines.slice(0, maxLines).map((line) => `    ${line}`)
  const isCut = lines.length > maxLines || text.length > max
  const where =
    whole !== undefined
      ? `[cut: these are ${whole} characters; effect-pod log NAME --json has all of them]`
      : "[cut: effect-pod status NAME --json shows all of it]"
  return [...shown, ...(isCut || whole !== undefined ? [`    ${where}`] : [])].join("\n")
}

export const questionText = (approval: Approval): string => {
  const rest = approval.target === approval.arguments ? "" : restOf(approval)
  return [
    `? ${plain(approval.tool)} needs approval:`,
    indented(approval.target, maxLength, approval.target_length),
    ...(rest === "" ? [] : [indented(rest, maxRest, approval.arguments_length)])
  ].join("\n")
}

export const answerKeys = "y allows it, n denies it, a allows it until the session ends"

const answers: ReadonlyMap<string, ApprovalDecision> = new Map([
  ["y", "allow"],
  ["yes", "allow"],
  ["n", "deny"],
  ["no", "deny"],
  ["a", "allow_session"],
  ["always", "allow_session"]
])

/** Undefined: the line is no answer. */
export const answerOf = (line: string): ApprovalDecision | undefined => answers.get(line.trim().toLowerCase())

const words: { readonly [Decision in ApprovalDecision]: string } = {
  allow: "allowed",
  allow_session: "allowed until the session ends",
  deny: "denied"
}

/** `by` may be anything that a client calls itself. */
export const answeredText = (decision: ApprovalDecision, by: string): string =>
  `${words[decision]} by ${cut(plain(by).replace(/\s+/g, " "), 80)}`
