/**
 * The scope of a pod as it is right now, ready to be asked about resolved paths.
 *
 * Rules come in as they were written; their targets are resolved here. An allow stays where it pointed when the rules
 * were first seen: a target that is replaced by a link later grants nothing new. A deny holds for its text, for where
 * it pointed then and for where it points now, and for the same thing under other names. What the kernel shows of
 * processes is granted by no rule.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Permission, ScopeRule, ScopeRules } from "../protocol/ScopeRule.ts"
import * as Identity from "./Identity.ts"
import * as Lexical from "./Lexical.ts"
import { dedupe } from "./Algebra.ts"
import { isOfProcess } from "./Process.ts"
import type { ScopeError } from "./ScopeError.ts"
import { resolve } from "./Resolve.ts"
import * as Scope from "./Scope.ts"

export interface ScopeSnapshot {
  /** Both are real paths. */
  readonly rules: ScopeRules
  /**
   * What may be done at a real path. `typed` is the path that led there: what denies it, denies both. `aliases` are
   * further denies, see `Identity`.
   */
  readonly access: (real: string, typed?: string, aliases?: ReadonlyArray<ScopeRule>) => Scope.Access
  /** What the deny rules name, as far as it exists. */
  readonly denied: ReadonlyArray<Identity.Denied>
  /** The targets of the allow rules that grant `needed`, for messages. */
  readonly roots: (needed: Permission) => ReadonlyArray<string>
}

const resolveTarget = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, rule: ScopeRule) {
  if (!Lexical.isAbsolute(rule.target)) return undefined
  const resolution = yield* resolve(fs, rule.target)
  return resolution._tag === "Existing" || resolution._tag === "Missing"
    ? { ...rule, target: resolution.real }
    : undefined
})

const resolveTargets = (fs: FileSystem.FileSystem, rules: ReadonlyArray<ScopeRule>) =>
  Effect.forEach(rules, (rule) => resolveTarget(fs, rule)).pipe(
    Effect.map((resolved) => resolved.filter((rule) => rule !== undefined))
  )

const asWritten = (rules: ReadonlyArray<ScopeRule>): ReadonlyArray<ScopeRule> =>
  rules.map((rule) => ({ ...rule, target: Lexical.normalize(rule.target) }))

const everywhere: ScopeRule = { target: "/", permission: "write", recursive: true }

const snapshotOf = (
  written: ScopeRules,
  rules: ScopeRules,
  denied: ReadonlyArray<Identity.Denied> = []
): ScopeSnapshot => ({
  rules,
  denied,
  access: (real, typed, aliases = []) => {
    if (isOfProcess(real)) return "none"
    const access = Scope.permission({ allow: rules.allow, deny: [...rules.deny, ...aliases] }, real)
    if (typed === undefined || rules.deny.length === 0) return access
    const cap = Scope.permission({ allow: [everywhere], deny: rules.deny }, Lexical.normalize(typed))
    return cap === "write" || (cap === "read" && access !== "write") ? access : cap
  },
  roots: (needed) => written.allow.filter((rule) => Scope.allows(rule.permission, needed)).map((rule) => rule.target)
})

/**
 * `rules` is asked at every snapshot, so that a narrowed scope is felt by the next call. `readable` are directories of
 * the pod itself (spilled output) that may be read besides. `within` bounds how long a disk is
 * waited for.
 */
export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly rules: Effect.Effect<ScopeRules>
  readonly readable: ReadonlyArray<string>
  readonly within: (look: Effect.Effect<ScopeSnapshot>) => Effect.Effect<ScopeSnapshot, ScopeError>
}): Effect.Effect<ScopeSnapshot, ScopeError> => {
  const own = options.readable.map((target): ScopeRule => ({ target, permission: "read", recursive: true }))
  let seen: { readonly written: ScopeRules; readonly snapshot: ScopeSnapshot } | undefined
  const look = Effect.fnUntraced(function* (written: ScopeRules) {
    if (seen?.written !== written) {
      const allow = yield* resolveTargets(options.fs, [...written.allow, ...own])
      const deny = [...asWritten(written.deny), ...(yield* resolveTargets(options.fs, written.deny))]
      seen = { written, snapshot: snapshotOf(written, { allow, deny: dedupe(deny) }) }
    }
    if (written.deny.length === 0) return seen.snapshot
    const { rules } = seen.snapshot
    const now = yield* resolveTargets(options.fs, written.deny)
    const denied = yield* Identity.identify(options.fs, now)
    return snapshotOf(written, { allow: rules.allow, deny: dedupe([...rules.deny, ...now]) }, denied)
  })
  return Effect.gen(function* () {
    const written = yield* options.rules
    // Known without the disk: one that hangs elsewhere must not keep it back.
    if (seen?.written === written && written.deny.length === 0) return seen.snapshot
    return yield* options.within(look(written))
  })
}
