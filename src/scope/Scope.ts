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

/** There is a path that both rules match. Permissions play no part. */
export const overlaps = (a: ScopeRule, b: ScopeRule): boolean => {
  if (a.recursive && b.recursive) return Lexical.isWithin(a.target, b.target) || Lexical.isWithin(b.target, a.target)
  if (a.recursive) return matches(a, b.target) || Lexical.parent(a.target) === b.target
  if (b.recursive) return overlaps(b, a)
  return matches(a, b.target) || matches(b, a.target)
}

/** Everything that `inner` grants, `cover` grants too. */
export const covers = (cover: ScopeRule, inner: ScopeRule): boolean =>
  allows(cover.permission, inner.permission) &&
  (cover.recursive ? Lexical.isWithin(inner.target, cover.target) : cover.target === inner.target && !inner.recursive)

/**
 * Grants what both scopes grant and never more. Less in one corner: where a flat rule meets a rule on one of its direct
 * children, no rule can say "this entry, but not what it holds", and the entry is left out.
 */
export const intersect = (a: ScopeRules, b: ScopeRules): ScopeRules => ({
  allow: dedupe(a.allow.flatMap((left) => b.allow.flatMap((right) => meet(left, right)))),
  deny: dedupe([...a.deny, ...b.deny])
})

const meet = (a: ScopeRule, b: ScopeRule): ReadonlyArray<ScopeRule> => {
  const least = rank[a.permission] <= rank[b.permission] ? a.permission : b.permission
  if (a.recursive && Lexical.isWithin(b.target, a.target)) return [{ ...b, permission: least }]
  if (b.recursive && Lexical.isWithin(a.target, b.target)) return [{ ...a, permission: least }]
  return a.target === b.target ? [{ ...a, permission: least }] : []
}

const dedupe = (rules: ReadonlyArray<ScopeRule>): ReadonlyArray<ScopeRule> =>
  rules.filter(
    (rule, index) =>
      rules.findIndex(
        (other) =>
          other.target === rule.target && other.permission === rule.permission && other.recursive === rule.recursive
      ) === index
  )

const line = (rule: ScopeRule): string => `  - ${rule.target}${rule.recursive ? "" : " [non-recursive]"}`

/** The scope as clients and the model are told it. Deny rules are left out. No newline at the end. */
export const summary = (rules: ScopeRules): string =>
  [
    "Readable:",
    ...rules.allow.map(line),
    "Writable:",
    ...rules.allow.filter((rule) => rule.permission === "write").map(line)
  ].join("\n")
