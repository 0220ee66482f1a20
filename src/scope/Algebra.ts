/**
 * What scopes are to each other: pure, on resolved paths, for rules of every kind.
 *
 * Every question is asked of `permission` itself, at sampled paths, and never of the shapes of rules: two scopes can say
 * the same in very different words. The samples are enough. What holds at a path depends on the nearest target above it
 * and on whether that is the path itself, its parent, or further away; so each target is asked, an entry in it that no
 * rule names, and one below that.
 */
import type { Permission, ScopeRule, ScopeRules } from "../protocol/ScopeRule.ts"
import * as Lexical from "./Lexical.ts"
import { type Access, allows, permission } from "./Scope.ts"

/** No file has this name: no rule can have it for a target. */
const unnamed = "\0"

const samples = (...scopes: ReadonlyArray<ScopeRules>): ReadonlyArray<string> => {
  const targets = new Set(scopes.flatMap(({ allow, deny }) => [...allow, ...deny].map((rule) => rule.target)))
  return Array.from(targets).flatMap((target) => {
    const entry = Lexical.join(target, unnamed)
    return [target, entry, Lexical.join(entry, unnamed)]
  })
}

const some = (a: ScopeRules, b: ScopeRules, holds: (a: Access, b: Access) => boolean): boolean =>
  samples(a, b).some((path) => holds(permission(a, path), permission(b, path)))

/** Nowhere does `inner` grant more than `outer`. */
export const contains = (outer: ScopeRules, inner: ScopeRules): boolean =>
  !some(outer, inner, (there, asked) => asked !== "none" && !allows(there, asked))

/** Both grant the same everywhere, in whatever words. */
export const isSame = (a: ScopeRules, b: ScopeRules): boolean => contains(a, b) && contains(b, a)

/** There is a place at which both grant `needed`. */
export const overlaps = (a: ScopeRules, b: ScopeRules, needed: Permission): boolean =>
  some(a, b, (one, other) => allows(one, needed) && allows(other, needed))

/** Everything that `inner` grants, `cover` grants too. */
export const covers = (cover: ScopeRule, inner: ScopeRule): boolean => contains(granting(cover), granting(inner))

const granting = (rule: ScopeRule): ScopeRules => ({ allow: [rule], deny: [] })

/**
 * Grants what both scopes grant and never more. Less in one corner: where a flat rule meets a rule on one of its direct
 * children, no rule can say "this entry, but not what it holds", and the entry is left out.
 */
export const intersect = (a: ScopeRules, b: ScopeRules): ScopeRules => ({
  allow: dedupe(a.allow.flatMap((left) => b.allow.flatMap((right) => meet(left, right)))),
  deny: dedupe([...a.deny, ...b.deny])
})

const meet = (a: ScopeRule, b: ScopeRule): ReadonlyArray<ScopeRule> => {
  const least = allows(a.permission, b.permission) ? b.permission : a.permission
  if (a.recursive && Lexical.isWithin(b.target, a.target)) return [{ ...b, permission: least }]
  if (b.recursive && Lexical.isWithin(a.target, b.target)) return [{ ...a, permission: least }]
  return a.target === b.target ? [{ ...a, permission: least }] : []
}

/**
 * What `from` grants without what `taken` grants: where that is `lost` or more, the result grants less than `lost`.
 * `write` takes away writing and leaves reading, `read` takes away both. Denies of `taken` do not spare anything: no rule
 * re-opens what another one denies.
 */
export const subtract = (from: ScopeRules, taken: ScopeRules, lost: Permission): ScopeRules => ({
  allow: from.allow,
  deny: dedupe([
    ...from.deny,
    ...taken.allow
      .filter((rule) => allows(rule.permission, lost))
      .map((rule): ScopeRule => ({ ...rule, permission: lost }))
  ])
})

/** Each rule once, in its first place. */
export const dedupe = (rules: ReadonlyArray<ScopeRule>): ReadonlyArray<ScopeRule> =>
  rules.filter(
    (rule, index) =>
      rules.findIndex(
        (other) =>
          other.target === rule.target && other.permission === rule.permission && other.recursive === rule.recursive
      ) === index
  )
