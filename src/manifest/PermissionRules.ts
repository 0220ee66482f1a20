/**
 * Deciding whether a tool call may run, from `[permissions]` alone.
 *
 * A convenience for operators and no fence: a program may do more than its name says. What a pod can reach is decided
 * by its scope and its sandbox. What is not certain about a call never makes it freer: it gets the strictest answer
 * that the rules have for anything that it may turn out to be.
 */
import type { Subject } from "./ShellCommands.ts"
import type { PermissionAction, PermissionsTable } from "./tables/Permissions.ts"
import { covers, matchesWildcard, meets } from "./Wildcard.ts"

export interface PermissionDecision {
  readonly action: PermissionAction
  /** What the call is about, as it was written. */
  readonly target: string
  /** The part of it that decided, where that is not all of it. */
  readonly part?: string
  /** The rule that decided, counted from 0; absent if none matched. */
  readonly rule?: number
}

/** A call as the rules see it: all of these have to be allowed. */
export interface Judged {
  readonly target: string
  readonly subjects: ReadonlyArray<Subject & { readonly tool: string }>
  /** The whole text of a shell command, for rules about what stands between its commands. */
  readonly script?: { readonly tool: string; readonly text: string }
}

const strictness: { readonly [Action in PermissionAction]: number } = { allow: 0, ask: 1, deny: 2 }

/** No table, no policy: everything is allowed. Else the strictest of what the rules say of each subject. */
export const decideCall = (permissions: PermissionsTable | undefined, call: Judged): PermissionDecision => {
  const { target } = call
  if (permissions === undefined) return { action: "allow", target }
  let worst: PermissionDecision | undefined = bySpelling(permissions, call)
  if (worst?.action === "allow") return worst
  for (const subject of call.subjects) {
    const found = decideSubject(permissions, subject)
    if (worst !== undefined && strictness[found.action] <= strictness[worst.action]) continue
    const part = call.subjects.length > 1 || subject.text !== target ? { part: subject.text } : {}
    worst = { ...found, target, ...part }
  }
  return worst ?? { action: permissions.default_action, target }
}

/** No table, no policy. Else the first rule that matches decides, else the default. */
export const decidePermission = (
  permissions: PermissionsTable | undefined,
  tool: string,
  args: Readonly<Record<string, unknown>>
): PermissionDecision => {
  const target = permissionTarget(args)
  return decideCall(permissions, { target, subjects: [plainSubject(tool, target)] })
}

export const plainSubject = (tool: string, text: string): Judged["subjects"][number] => ({
  tool,
  text,
  written: [[text]],
  also: []
})

/**
 * The first rule that certainly matches ends the search. One on the way that may match counts if it denies or asks: what
 * the subject turns out to be may be just that.
 */
const decideSubject = (
  { default_action, rule: rules }: PermissionsTable,
  { also, tool, written }: Judged["subjects"][number]
): Pick<PermissionDecision, "action" | "rule"> => {
  let worst: Pick<PermissionDecision, "action" | "rule"> | undefined
  const count = (action: PermissionAction, rule?: number): void => {
    if (worst !== undefined && strictness[action] <= strictness[worst.action]) return
    worst = rule === undefined ? { action } : { action, rule }
  }
  for (const [index, { action, pattern, tool: named }] of rules.entries()) {
    if (!isSameTool(named, tool)) continue
    const isCertain = written.some((text) => covers(pattern, text))
    if (action === "allow") {
      if (!isCertain) continue
      count(action, index)
      return worst as NonNullable<typeof worst>
    }
    if (!(isCertain || [...written, ...also].some((text) => meets(pattern, text)))) continue
    count(action, index)
    if (isCertain) return worst as NonNullable<typeof worst>
  }
  count(default_action)
  return worst as NonNullable<typeof worst>
}

const operators = /[|&;<>]/

/**
 * Two rules about the text of a shell command as it is written. A rule without wildcards that is this very text means
 * just this command. A pattern with an operator in it (`*| sh*`) can mean nothing else than the text.
 */
const bySpelling = (
  permissions: PermissionsTable,
  { script, subjects, target }: Judged
): PermissionDecision | undefined => {
  if (script === undefined) return undefined
  const rule = permissions.rule.findIndex(
    ({ action, pattern, tool }) =>
      isSameTool(tool, script.tool) &&
      (pattern === script.text ||
        (action !== "allow" && operators.test(pattern) && matchesWildcard(pattern, script.text)))
  )
  const found = permissions.rule[rule]
  if (found === undefined) return undefined
  const before: PermissionsTable = { ...permissions, default_action: "allow", rule: permissions.rule.slice(0, rule) }
  const isFirst =
    found.action !== "allow" || subjects.every((subject) => decideSubject(before, subject).action === "allow")
  return isFirst ? { action: found.action, target, rule } : undefined
}

const isSameTool = (a: string, b: string): boolean => asciiLower(a) === asciiLower(b)

const targetKeys = ["command", "file_path", "path", "pattern", "query", "url"]

/** What a call is about: the first of the usual arguments that is a text, else all of them as compact JSON. */
export const permissionTarget = (args: Readonly<Record<string, unknown>>): string => {
  for (const key of targetKeys) {
    const value = Object.hasOwn(args, key) ? args[key] : undefined
    if (typeof value === "string") return value
  }
  return JSON.stringify(args)
}

const asciiLower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
