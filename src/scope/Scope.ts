/**
 * What the rules of a scope mean, on absolute paths that are already resolved.
 *
 * Pure and lexical: it touches no file. Whoever asks about a path of a user resolves it first (`ScopedFs`).
 * Order of rules never matters, a deny always wins, and no rule re-opens what another one denies.
 */
import type { Permission, ScopeRule, ScopeRules } from "../protocol/ScopeRule.ts"
import * as Lexical from "./Lexical.ts"

export type Access = "none" | Permission

const rank: { readonly [A in Access]: number } = { none: 0, read: 1, write: 2 }

/** `access` is enough for `needed`. */
export const allows = (access: Access, needed: Permission): boolean => rank[access] >= rank[needed]

/** `path` is the rule's target or lies below it; for a flat rule, directly below it. */
export const matches = (rule: ScopeRule, path: string): boolean =>
  rule.recursive ? Lexical.isWithin(path, rule.target) : path === rule.target || Lexical.parent(path) === rule.target

/** The strongest allow that matches, capped strictly below the weakest deny that matches. */
export const permission = (rules: ScopeRules, path: string): Access => {
  let access: Access = "none"
  for (const rule of rules.allow) {
    if (rank[rule.permission] > rank[access] && matches(rule, path)) access = rule.permission
  }
  for (const rule of rules.deny) {
    if (rank[access] >= rank[rule.permission] && matches(rule, path)) {
      access = rule.permission === "write" ? "read" : "none"
    }
  }
  return access
}

export const canRead = (rules: ScopeRules, path: string): boolean => permission(rules, path) !== "none"

export const canWrite = (rules: ScopeRules, path: string): boolean => permission(rules, path) === "write"

const line = (rule: ScopeRule): string => `  - ${rule.target}${rule.recursive ? "" : " [non-recursive]"}`

/** The scope as clients and the model are told it. Deny rules are left out. No newline at the end. */
export const summary = (rules: ScopeRules): string =>
  [
    "Readable:",
    ...rules.allow.map(line),
    "Writable:",
    ...rules.allow.filter((rule) => rule.permission === "write").map(line)
  ].join("\n")

/** The same with what is denied, for whoever has to keep to it. */
export const boundaries = (rules: ScopeRules): string => {
  const denied = (weaker: Permission, title: string) => {
    const lines = rules.deny.filter((rule) => rule.permission === weaker).map(line)
    return lines.length === 0 ? [] : [title, ...lines]
  }
  return [
    summary(rules),
    ...denied("read", "Denied, neither read nor written:"),
    ...denied("write", "Denied writing:")
  ].join("\n")
}
