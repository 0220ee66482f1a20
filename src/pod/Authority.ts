/**
 * What a pod may touch and where it works, decided once at start.
 *
 * For a pod that exists the journal wins. A manifest that was named for this start can only narrow the scope; every
 * difference between the two is told.
 */
import type { Manifest } from "../manifest/Manifest.ts"
import type { ScopeRule, ScopeRules } from "../protocol/ScopeRule.ts"
import { intersect, isSame } from "../scope/Algebra.ts"

export interface Authority {
  readonly scope: ScopeRules
  readonly cwd: string
  /** One line for each difference between what was asked for and what holds. */
  readonly notes: ReadonlyArray<string>
}

export interface Asked {
  readonly manifest: Manifest
  /** Absolute; undefined: the target of the first allow rule. */
  readonly cwd: string | undefined
  /** Which of them was named for this start, and did not just come with the place it was started from. */
  readonly named: { readonly manifest: boolean; readonly cwd: boolean }
}

export interface Recorded {
  /** Undefined for a pod whose journal has not begun. */
  readonly scope: ScopeRules | undefined
  readonly cwd: string | undefined
}

export const decide = ({ cwd, manifest, named }: Asked, recorded: Recorded): Authority => {
  const asked: ScopeRules = { allow: manifest.scope.allow, deny: manifest.scope.deny }
  const askedCwd = cwd ?? asked.allow[0]?.target ?? "/"
  if (recorded.scope === undefined) return { scope: asked, cwd: askedCwd, notes: [] }
  const notes: Array<string> = []
  const scope = named.manifest ? intersect(recorded.scope, asked) : recorded.scope
  if (named.manifest && !isSame(scope, recorded.scope)) {
    notes.push(`the manifest narrows the scope of this pod to: ${oneLine(scope)}`)
  }
  if (named.manifest && !isSame(scope, asked)) {
    notes.push("a part of the manifest's scope is not in this pod's journal and is not granted; a new pod would get it")
  }
  const place = named.cwd ? askedCwd : (recorded.cwd ?? askedCwd)
  if (place !== askedCwd) notes.push(`this pod goes on working in ${place}`)
  return { scope, cwd: place, notes }
}

const words = ({ permission, recursive, target }: ScopeRule): string =>
  `${permission} ${target}${recursive ? "" : " without its subdirectories"}`

const oneLine = ({ allow, deny }: ScopeRules): string =>
  allow.length === 0 ? "nothing" : [...allow.map(words), ...deny.map((rule) => `not ${words(rule)}`)].join(", ")
