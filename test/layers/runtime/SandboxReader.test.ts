/** What a fenced search is shown, beside what the scope itself says about every file of a small tree. */
import { assert, describe, it } from "@effect/vitest"
import { type ReaderDisk, views } from "../../../layers/runtime/SandboxReader.ts"
import type { Kind } from "../../../layers/runtime/SandboxPlan.ts"
import type { ScopeRule, ScopeRules } from "../../../src/protocol/ScopeRule.ts"
import * as Lexical from "../../../src/scope/Lexical.ts"
import * as Scope from "../../../src/scope/Scope.ts"
import { read, write } from "../../scope/support.ts"

const diskOf = (kinds: ReadonlyMap<string, Kind>): ReaderDisk => ({
  kind: (path) => kinds.get(path) ?? "missing",
  directories: (path) =>
    Array.from(kinds).flatMap(([one, kind]) =>
      kind === "directory" && Lexical.parent(one) === path ? [Lexical.name(one)] : []
    )
})

/** A slash at the end is a directory. */
const tree = (...paths: ReadonlyArray<string>): ReadonlyMap<string, Kind> =>
  new Map<string, Kind>([
    ["/", "directory"],
    ...paths.map((path): [string, Kind] => (path.endsWith("/") ? [path.slice(0, -1), "directory"] : [path, "file"]))
  ])

const shown = (rules: ScopeRules, kinds = tree("/w/", "/w/a/", "/w/a/x", "/w/a/b/", "/w/c/", "/w/f")) =>
  views(rules, diskOf(kinds)).views.map(({ isShown, path }) => `${isShown ? "+" : "-"} ${path}`)

const seededRandom = (seed: number) => (below: number) => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  return ((seed ^ (seed >>> 13)) >>> 0) % below
}

describe("what a fenced search is shown", () => {
  it("is what may be read, and never to be written", () => {
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [] }), ["+ /w"])
    assert.deepStrictEqual(shown({ allow: [read("/w"), write("/w/c")], deny: [write("/w/a")] }), ["+ /w"])
    assert.deepStrictEqual(shown({ allow: [write("/w")], deny: [read("/w/f"), read("/w/a/b")] }), [
      "+ /w",
      "- /w/f",
      "- /w/a/b"
    ])
  })

  it("of a flat rule holds for the files of its directory, and not for the directories in it", () => {
    assert.deepStrictEqual(shown({ allow: [read("/w", false)], deny: [] }), ["+ /w", "- /w/a", "- /w/c"])
    assert.deepStrictEqual(shown({ allow: [read("/w", false), read("/w/a")], deny: [] }), ["+ /w", "- /w/c"])
    assert.deepStrictEqual(shown({ allow: [read("/w")], deny: [read("/w", false)] }), ["+ /w/a", "+ /w/c"])
    assert.deepStrictEqual(shown({ allow: [read("/w")], deny: [read("/w/a", false)] }), ["+ /w", "- /w/a", "+ /w/a/b"])
  })

  it("leaves out a directory with a flat rule and too many directories, and says so", () => {
    const many = tree("/w/", "/w/f", ...Array.from({ length: 257 }, (_, index) => `/w/${index}/`))
    for (const rules of [
      { allow: [read("/w", false), read("/w/7")], deny: [] },
      { allow: [read("/w", false), read("/w", false), read("/w/7")], deny: [] }
    ]) {
      const found = views(rules, diskOf(many))
      assert.deepStrictEqual(found.unseen, ["/w"])
      assert.deepStrictEqual(
        found.views.map(({ isShown, path }) => `${isShown} ${path}`),
        ["true /w/7"]
      )
    }
  })

  it("never holds processes: what the kernel shows of them is mounted anew", () => {
    assert.deepStrictEqual(shown({ allow: [read("/proc")], deny: [] }, tree("/proc/", "/proc/1/")), [])
  })

  it("is exactly what the scope lets be read, for 10,000 scopes", () => {
    const all = ["/w"]
    for (const one of ["a", "b", "c"]) {
      all.push(`/w/${one}`)
      for (const two of ["a", "b", "c"]) {
        all.push(`/w/${one}/${two}`)
        for (const three of ["a", "b", "c"]) all.push(`/w/${one}/${two}/${three}`)
      }
    }
    const random = seededRandom(0x5eed)
    const rule = (): ScopeRule => ({
      target: all[random(all.length)] as string,
      permission: random(2) === 0 ? "read" : "write",
      recursive: random(3) !== 0
    })
    let hidden = 0
    let files = 0
    for (let round = 0; round < 10_000; round++) {
      const kinds = new Map<string, Kind>([
        ["/", "directory"],
        ["/w", "directory"]
      ])
      for (const path of all.slice(1)) {
        if (kinds.get(Lexical.parent(path)) !== "directory" || random(10) < 2) continue
        const isLeaf = Lexical.components(path).length === 4
        kinds.set(path, isLeaf || random(10) < 3 ? "file" : "directory")
      }
      const rules = {
        allow: Array.from({ length: 1 + random(3) }, rule),
        deny: Array.from({ length: random(3) }, rule)
      }
      const found = new Map(views(rules, diskOf(kinds)).views.map((view) => [view.path, view.isShown]))
      const isSeen = (path: string): boolean => {
        for (let at = path; at !== ""; at = Lexical.parent(at)) {
          const view = found.get(at)
          if (view !== undefined) return view
        }
        return false
      }
      const asked = Array.from(kinds).flatMap(([path, kind]) =>
        // A file that comes into being later, besides those that are there.
        kind === "directory" ? [`${path === "/" ? "" : path}/new`] : [path]
      )
      for (const path of asked) {
        files++
        if (!isSeen(path)) hidden++
        if (isSeen(path) !== Scope.canRead(rules, path)) {
          assert.fail(`${path} in ${JSON.stringify({ round, rules, kinds: [...kinds], found: [...found] })}`)
        }
      }
    }
    assert.isAbove(hidden, files / 10)
    assert.isBelow(hidden, (files * 9) / 10)
  })
})
