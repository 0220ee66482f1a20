import { assert, describe, it } from "@effect/vitest"
import type { Permission, ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import * as Algebra from "../../src/scope/Algebra.ts"
import * as Scope from "../../src/scope/Scope.ts"
import { dice } from "../support/dice.ts"

/**
 * The oracle knows no paths: a place is the list of names that lead to it, a scope is the table of what it grants at
 * every place of a small tree. The tree is two levels deeper than any rule's target, and wider by one name.
 */
type Place = ReadonlyArray<string>

const names = ["a", "ab"]
const deepestTarget = 2

const grow = (places: ReadonlyArray<Place>, more: ReadonlyArray<string>): ReadonlyArray<Place> =>
  places.flatMap((place) => more.map((name) => [...place, name]))
const levels = (count: number, more: ReadonlyArray<string>): ReadonlyArray<Place> => {
  const all: Array<ReadonlyArray<Place>> = [[[]]]
  for (let level = 1; level <= count; level++) all.push(grow(all[level - 1] ?? [], more))
  return all.flat()
}
const targets = levels(deepestTarget, names)
const places = levels(deepestTarget + 2, [...names, "z"])

const text = (place: Place): string => `/${place.join("/")}`

const level = { none: 0, read: 1, write: 2 } as const

interface Line {
  readonly target: Place
  readonly permission: Permission
  readonly recursive: boolean
}
interface Lines {
  readonly allow: ReadonlyArray<Line>
  readonly deny: ReadonlyArray<Line>
}

const reaches = ({ recursive, target }: Line, place: Place): boolean => {
  const below = place.length - target.length
  return below >= 0 && target.every((name, index) => place[index] === name) && (recursive || below <= 1)
}

const granted = (lines: Lines, place: Place): number => {
  let most = 0
  let cap = 2
  for (const line of lines.allow) if (reaches(line, place)) most = Math.max(most, level[line.permission])
  for (const line of lines.deny) if (reaches(line, place)) cap = Math.min(cap, level[line.permission] - 1)
  return Math.min(most, cap)
}
const table = (lines: Lines): ReadonlyArray<number> => places.map((place) => granted(lines, place))

const rule = ({ permission, recursive, target }: Line): ScopeRule => ({ target: text(target), permission, recursive })
const rules = (lines: Lines): ScopeRules => ({ allow: lines.allow.map(rule), deny: lines.deny.map(rule) })
const shown = (...scopes: ReadonlyArray<Lines>) => JSON.stringify(scopes.map(rules))

const scopes = (seed: number, count: number): ReadonlyArray<Lines> => {
  const roll = dice(seed)
  const line = (): Line => ({
    target: targets[roll(targets.length)] ?? [],
    permission: roll(2) === 0 ? "read" : "write",
    recursive: roll(2) === 0
  })
  const some = (most: number) => Array.from({ length: roll(most + 1) }, line)
  return Array.from({ length: count }, () => ({ allow: some(4), deny: some(3) }))
}

const count = 10_000
const generated = scopes(20_261_121, count)
const tables = generated.map(table)
const each = (check: (index: number, next: number) => void) => {
  for (let index = 0; index < count; index++) check(index, (index * 7 + 1) % count)
}
const scopeAt = (index: number) => generated[index] as Lines
const tableAt = (index: number) => tables[index] as ReadonlyArray<number>

describe("10,000 scopes against brute force", () => {
  it("are worth asking about: of every answer there is plenty", () => {
    let contained = 0
    let shared = 0
    let lonely = 0
    each((one, two) => {
      if (tableAt(one).every((access, index) => access >= (tableAt(two)[index] ?? 0))) contained++
      if (tableAt(one).some((access, index) => Math.min(access, tableAt(two)[index] ?? 0) === 2)) shared++
      const both = table(unwritten(Algebra.intersect(rules(scopeAt(one)), rules(scopeAt(two)))))
      if (both.some((access, index) => access < Math.min(tableAt(one)[index] ?? 0, tableAt(two)[index] ?? 0))) lonely++
    })
    assert.isAbove(contained, 1000)
    assert.isBelow(contained, 9000)
    assert.isAbove(shared, 1000)
    assert.isBelow(shared, 9000)
    assert.isAbove(lonely, 100)
  })

  it("permission", () =>
    each((one) => {
      const written = rules(scopeAt(one))
      for (const [index, place] of places.entries()) {
        if (level[Scope.permission(written, text(place))] === tableAt(one)[index]) continue
        assert.fail(`${text(place)} in ${shown(scopeAt(one))}`)
      }
    }))

  it("contains", () =>
    each((one, two) => {
      const expected = tableAt(two).every((access, index) => access <= (tableAt(one)[index] ?? 0))
      const found = Algebra.contains(rules(scopeAt(one)), rules(scopeAt(two)))
      if (found !== expected) assert.fail(`${found} for ${shown(scopeAt(one), scopeAt(two))}`)
    }))

  it("covers", () =>
    each((one, two) => {
      const outer = scopeAt(one).allow[0]
      const inner = scopeAt(two).allow[0]
      if (outer === undefined || inner === undefined) return
      const expected = places.every(
        (place) => granted({ allow: [inner], deny: [] }, place) <= granted({ allow: [outer], deny: [] }, place)
      )
      if (Algebra.covers(rule(outer), rule(inner)) !== expected) assert.fail(shown({ allow: [outer, inner], deny: [] }))
    }))

  it("overlaps", () =>
    each((one, two) => {
      for (const needed of ["read", "write"] as const) {
        const expected = tableAt(one).some(
          (access, index) => Math.min(access, tableAt(two)[index] ?? 0) >= level[needed]
        )
        const found = Algebra.overlaps(rules(scopeAt(one)), rules(scopeAt(two)), needed)
        if (found !== expected) assert.fail(`${found} for ${needed} in ${shown(scopeAt(one), scopeAt(two))}`)
      }
    }))

  it("intersect: never more, and less only for an entry that no rule can name alone", () =>
    each((one, two) => {
      const both = unwritten(Algebra.intersect(rules(scopeAt(one)), rules(scopeAt(two))))
      const flat = [...scopeAt(one).allow, ...scopeAt(two).allow].filter((line) => !line.recursive)
      const named = new Set([...scopeAt(one).allow, ...scopeAt(two).allow].map((line) => text(line.target)))
      const isAlone = (place: Place) =>
        named.has(text(place)) && flat.some((line) => text(line.target) === text(place.slice(0, -1)))
      for (const [index, place] of places.entries()) {
        const least = Math.min(tableAt(one)[index] ?? 0, tableAt(two)[index] ?? 0)
        const found = granted(both, place)
        if (found > least || (found < least && !isAlone(place))) {
          assert.fail(`${text(place)}: ${found} for ${least} in ${shown(scopeAt(one), scopeAt(two))}`)
        }
      }
    }))

  it("subtract: exactly what the other's allow rules say is gone", () =>
    each((one, two) => {
      for (const lost of ["read", "write"] as const) {
        const rest = unwritten(Algebra.subtract(rules(scopeAt(one)), rules(scopeAt(two)), lost))
        for (const [index, place] of places.entries()) {
          const isTaken = granted({ allow: scopeAt(two).allow, deny: [] }, place) >= level[lost]
          const expected = isTaken ? Math.min(tableAt(one)[index] ?? 0, level[lost] - 1) : tableAt(one)[index]
          if (granted(rest, place) !== expected) {
            assert.fail(`${text(place)}, ${lost}, in ${shown(scopeAt(one), scopeAt(two))}`)
          }
        }
      }
    }))

  it("hold together: what is left after subtracting overlaps no more, an intersection is contained in both", () =>
    each((one, two) => {
      const [a, b] = [rules(scopeAt(one)), rules(scopeAt(two))]
      const both = Algebra.intersect(a, b)
      const rest = Algebra.subtract(a, b, "write")
      const isSound =
        Algebra.contains(a, both) &&
        Algebra.contains(b, both) &&
        Algebra.contains(a, rest) &&
        !Algebra.overlaps(rest, b, "write") &&
        Algebra.isSame(Algebra.intersect(a, a), a)
      if (!isSound) assert.fail(shown(scopeAt(one), scopeAt(two)))
    }))
})

/** Back from text, for the oracle. */
const unwritten = (written: ScopeRules): Lines => {
  const line = ({ permission, recursive, target }: ScopeRule): Line => ({
    target: target.split("/").filter((name) => name !== ""),
    permission,
    recursive
  })
  return { allow: written.allow.map(line), deny: written.deny.map(line) }
}

describe("in words", () => {
  const allow = (target: string, permission: Permission = "write", recursive = true): ScopeRule => ({
    target,
    permission,
    recursive
  })

  it("two scopes are the same that say the same differently", () => {
    const one = { allow: [allow("/w"), allow("/w/sub")], deny: [allow("/w/x", "read"), allow("/w/x/y", "write")] }
    const two = { allow: [allow("/w")], deny: [allow("/w/x", "read")] }
    assert.isTrue(Algebra.isSame(one, two))
    assert.isFalse(Algebra.isSame(one, { ...two, deny: [] }))
  })

  it("a scope does not contain what one of its denies takes out", () => {
    const parent = { allow: [allow("/w")], deny: [allow("/w/secrets", "read")] }
    assert.isFalse(Algebra.contains(parent, { allow: [allow("/w", "read")], deny: [] }))
    assert.isFalse(Algebra.contains(parent, { allow: [allow("/w/secrets/deep", "read")], deny: [] }))
    assert.isTrue(Algebra.contains(parent, { allow: [allow("/w/src")], deny: [] }))
    assert.isTrue(Algebra.contains(parent, { allow: [allow("/w")], deny: [allow("/w/secrets", "read")] }))
  })

  it("a flat rule does not cover what its entries hold", () => {
    assert.isFalse(Algebra.covers(allow("/w", "write", false), allow("/w/sub", "read", false)))
    assert.isTrue(Algebra.covers(allow("/w"), allow("/w/sub", "read", false)))
    assert.isFalse(Algebra.covers(allow("/w", "read"), allow("/w/sub")))
  })

  it("writing that was given away is gone, reading stays", () => {
    const rest = Algebra.subtract({ allow: [allow("/w")], deny: [] }, { allow: [allow("/w/sub")], deny: [] }, "write")
    assert.strictEqual(Scope.permission(rest, "/w/sub/file"), "read")
    assert.strictEqual(Scope.permission(rest, "/w/other"), "write")
  })
})
