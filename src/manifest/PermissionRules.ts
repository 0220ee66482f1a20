/**
 * Deciding whether a tool call may run, from `[permissions]` alone.
 *
 * A convenience for operators and no fence: a pattern on a shell command is easy to get around. What a pod can reach
 * is decided by its scope and its sandbox.
 */
import type { PermissionAction, PermissionsTable } from "./tables/Permissions.ts"

export interface PermissionDecision {
  readonly action: PermissionAction
  /** The text that patterns were matched against. */
  readonly target: string
  /** The rule that decided, counted from 0; absent if none matched. */
  readonly rule?: number
}

/** No table, no policy: everything is allowed. Else the first rule that matches decides, else the default. */
export const decidePermission = (
  permissions: PermissionsTable | undefined,
  tool: string,
  args: Readonly<Record<string, unknown>>
): PermissionDecision => {
  const target = permissionTarget(args)
  if (permissions === undefined) return { action: "allow", target }
  const index = permissions.rule.findIndex(
    (rule) => asciiLower(rule.tool) === asciiLower(tool) && matchesWildcard(rule.pattern, target)
  )
  const rule = permissions.rule[index]
  return rule === undefined
    ? { action: permissions.default_action, target }
    : { action: rule.action, target, rule: index }
}

const targetKeys = ["command", "file_path", "path", "pattern", "query", "url"]

/** What a call is about: the first of the usual arguments that is a text, else all of them as compact JSON. */
export const permissionTarget = (args: Readonly<Record<string, unknown>>): string => {
  for (const key of targetKeys) {
    const value = Object.hasOwn(args, key) ? args[key] : undefined
    if (typeof value === "string") return value
  }
  return JSON.stringify(args)
}

/** Case counts; `*` is any run of characters, `/` and line ends included; `?` is exactly one Unicode code point. */
export const matchesWildcard = (pattern: string, text: string): boolean => {
  const wanted = [...pattern]
  const given = [...text]
  let at = 0
  let wantedAt = 0
  // Where the last `*` stands, and how far it has swallowed: on a mismatch it takes one more. Only the last one can
  // matter, which keeps this at pattern times text steps whatever the pattern.
  let star = -1
  let swallowed = 0
  while (at < given.length) {
    const next = wanted[wantedAt]
    if (next === "*") {
      star = wantedAt++
      swallowed = at
    } else if (next !== undefined && (next === "?" || next === given[at])) {
      wantedAt++
      at++
    } else if (star >= 0) {
      wantedAt = star + 1
      at = ++swallowed
    } else return false
  }
  while (wanted[wantedAt] === "*") wantedAt++
  return wantedAt === wanted.length
}

const asciiLower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
