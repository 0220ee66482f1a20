/**
 * Which rules of two pods let both write to one place.
 *
 * A place that either of them is denied is not shared. Links are resolved before anything is compared.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import { overlaps } from "../../src/scope/Algebra.ts"

export interface Conflict {
  readonly mine: string
  readonly theirs: string
}

export const conflicts = (mine: ScopeRules, theirs: ScopeRules): ReadonlyArray<Conflict> => {
  if (!overlaps(mine, theirs, "write")) return []
  return writeRules(mine).flatMap((a) =>
    writeRules(theirs).flatMap((b) =>
      overlaps({ allow: [a], deny: mine.deny }, { allow: [b], deny: theirs.deny }, "write")
        ? [{ mine: a.target, theirs: b.target }]
        : []
    )
  )
}

const writeRules = (rules: ScopeRules): ReadonlyArray<ScopeRule> =>
  rules.allow.filter((rule) => rule.permission === "write")

/** The rules that decide on writing, with every link in their targets resolved. */
export const canonical = (rules: ScopeRules): Effect.Effect<ScopeRules> =>
  Effect.gen(function* () {
    return {
      allow: yield* Effect.forEach(writeRules(rules), resolveTarget),
      deny: yield* Effect.forEach(rules.deny, resolveTarget)
    }
  })

const resolveTarget = (rule: ScopeRule): Effect.Effect<ScopeRule> =>
  Effect.promise(async () => ({ ...rule, target: await resolve(Path.resolve(rule.target)) }))

/** What does not exist yet is resolved as far as it exists. */
const resolve = async (path: string): Promise<string> => {
  try {
    return await Fs.realpath(path)
  } catch {
    const parent = Path.dirname(path)
    return parent === path ? path : Path.join(await resolve(parent), Path.basename(path))
  }
}
