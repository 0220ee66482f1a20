/** The mounts that a scope comes to, beside what the scope itself says about every path of a small tree. */
import { assert, describe, it } from "@effect/vitest"
import { type Disk, effective, type Kind, plan } from "../../../layers/runtime/SandboxPlan.ts"
import type { ScopeRule, ScopeRules } from "../../../src/protocol/ScopeRule.ts"
import * as Lexical from "../../../src/scope/Lexical.ts"
import * as Scope from "../../../src/scope/Scope.ts"
import { read, write } from "../../scope/support.ts"

/** Paths that are there; a slash at the end is a directory, an `@` a link. */
const diskOf = (entries: ReadonlyArray<string>): Disk => {
  const kinds = new Map<string, Kind>([["/", "directory"]])
  for (const entry of entries) {
    const kind = entry.endsWith("/") ? "directory" : entry.endsWith("@") ? "link" : "file"
    kinds.set(kind === "file" ? entry : entry.slice(0, -1), kind)
  }
  return {
    kind: (path) => kinds.get(path) ?? "missing",
    children: (path) =>
      Array.from(kinds.keys()).flatMap((one) => (Lexical.parent(one) === path ? [Lexical.name(one)] : []))
  }
}

const tree = ["/w/", "/w/a/", "/w/a/x", "/w/a/b/", "/w/a/b/y", "/w/c/", "/w/c/z", "/w/f", "/w/l@", "/o/", "/o/s"]

const shown = (rules: ScopeRules, entries = tree) =>
  plan(rules, diskOf(entries)).mounts.map(
    ({ access, kind, path }) => `${access} ${path}${kind === "frame" ? " (frame)" : ""}`
  )

describe("a plan of mounts", () => {
  it("is the scope itself where mounts can say it", () => {
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [] }), ["write /w"])
    assert.deepStrictEqual(shown({ allow: [read("/w"), write("/w/c")], deny: [] }), ["read /w", "write /w/c"])
    assert.deepStrictEqual(shown({ allow: [write("/w"), read("/w/c")], deny: [] }), ["write /w"])
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/f"), write("/w/c")] }), [
      "write /w",
      "read /w/c",
      "hidden /w/f"
    ])
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/o")] }), ["write /w"])
  })

  it("makes mount points of the directories above a denied path, so that they cannot be renamed", () => {
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/a/b/y")] }), [
      "write /w",
      "write /w/a",
      "write /w/a/b",
      "hidden /w/a/b/y"
    ])
  })

  it("keeps away what is denied and not there yet", () => {
    const { mounts, narrower } = plan({ allow: [write("/w")], deny: [read("/w/a/new/deep")] }, diskOf(tree))
    assert.deepStrictEqual(
      mounts.map(({ access, path }) => `${access} ${path}`),
      ["write /w", "read /w/a", "write /w/a/b", "write /w/a/x"]
    )
    assert.match(narrower.join(), /^\/w\/a: .*\/w\/a\/new/)
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/l/x")] }), [
      "read /w",
      "write /w/a",
      "write /w/c",
      "write /w/f"
    ])
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/f/x")] }), ["write /w", "write /w/f"])
    assert.deepStrictEqual(shown({ allow: [read("/w")], deny: [read("/w/new")] }), ["read /w"])
  })

  it("shows of a flat rule the files that are there", () => {
    assert.deepStrictEqual(shown({ allow: [write("/w", false)], deny: [] }), ["read /w (frame)", "write /w/f"])
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/a", false)] }), ["write /w", "hidden /w/a"])
    assert.deepStrictEqual(shown({ allow: [read("/w/f", false)], deny: [] }), ["read /w/f"])
  })

  it("of too many mounts is one of few", () => {
    const many = Array.from({ length: 2000 }, (_, index) => `/w/${index}`)
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/new")] }, ["/w/", ...many]), ["read /w"])
  })

  it("never grants more than the scope, for 10,000 scopes", () => {
    const names = ["a", "b", "c"]
    const all = ["/w"]
    for (const one of names) {
      all.push(`/w/${one}`)
      for (const two of names) {
        all.push(`/w/${one}/${two}`)
        for (const three of names) all.push(`/w/${one}/${two}/${three}`)
      }
    }
    let seed = 0x5eed
    const random = (below: number) => {
      seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
      return ((seed ^ (seed >>> 13)) >>> 0) % below
    }
    const rule = (): ScopeRule => ({
      target: all[random(all.length)] as string,
      permission: random(2) === 0 ? "read" : "write",
      recursive: random(4) !== 0
    })
    const rank = { none: 0, read: 1, write: 2 }
    let exact = 0
    for (let round = 0; round < 10_000; round++) {
      const entries = ["/w/"]
      for (const path of all.slice(1)) {
        if (!entries.includes(`${Lexical.parent(path)}/`)) continue
        const isLeaf = Lexical.components(path).length === 4
        const lot = random(10)
        if (lot < 2) continue
        entries.push(lot === 2 ? `${path}@` : isLeaf || lot < 5 ? path : `${path}/`)
      }
      const disk = diskOf(entries)
      const rules = {
        allow: Array.from({ length: 1 + random(3) }, rule),
        deny: Array.from({ length: random(3) }, rule)
      }
      const made = plan(rules, disk)
      const mounts = new Set(made.mounts.map(({ path }) => path))
      const story = () => JSON.stringify({ round, rules, entries, made })
      const must = (holds: boolean, what: string) => (holds ? undefined : assert.fail(`${what} in ${story()}`))
      for (const path of all) {
        const granted = Scope.permission(rules, path)
        // What is not there cannot be read, and a link is read where it leads to.
        const isNothing = disk.kind(path) === "missing" || disk.kind(path) === "link" || !isPlainAbove(disk, path)
        if (isNothing && effective(made, path) === "read") continue
        must(rank[effective(made, path)] <= rank[granted], path)
      }
      for (const { target } of rules.deny) {
        for (let at = Lexical.parent(target); at !== "/" && at !== ""; at = Lexical.parent(at)) {
          const isReplaceable =
            disk.kind(at) !== "missing" &&
            !mounts.has(at) &&
            effective(made, Lexical.parent(at)) === "write" &&
            // Behind a link, the rule that was resolved guards the place.
            disk.kind(at) !== "link"
          const isBehindOther = !isPlainAbove(disk, at)
          must(!isReplaceable || isBehindOther, `${at} can be replaced`)
        }
      }
      if (made.narrower.length === 0) {
        exact++
        for (const path of all) {
          if (disk.kind(path) === "missing" || !isPlainAbove(disk, path)) continue
          if (made.mounts.some((mount) => Lexical.isWithin(path, mount.path))) {
            must(effective(made, path) === Scope.permission(rules, path), `${path} is narrower`)
          }
        }
      }
    }
    assert.isAbove(exact, 500)
  })
})

const isPlainAbove = (disk: Disk, path: string): boolean => {
  for (let at = path; at !== "/"; at = Lexical.parent(at)) {
    if (at !== path && disk.kind(at) !== "directory") return false
  }
  return true
}
