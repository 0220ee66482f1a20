import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import * as Lexical from "../../src/scope/Lexical.ts"
import * as Scope from "../../src/scope/Scope.ts"

const rule = (target: string, permission: "read" | "write" = "write", recursive = true): ScopeRule => ({
  target,
  permission,
  recursive
})

/** A small tree with every shape that matters: nesting, siblings, and a name that begins like another one. */
const tree = ["/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/bc", "/a/x", "/ab", "/ab/b", "/z"] as const

const Rule = Schema.Struct({
  target: Schema.Literals(tree),
  permission: Schema.Literals(["read", "write"]),
  recursive: Schema.Boolean
})
const Rules = Schema.Struct({ allow: Schema.Array(Rule), deny: Schema.Array(Rule) })

/** The oracle: what a rule matches, found by climbing from the path instead of comparing text. */
const ancestors = (path: string): ReadonlyArray<string> => {
  const chain = [path]
  for (let current = path; current !== "/"; chain.push(current)) {
    current = current.slice(0, Math.max(1, current.lastIndexOf("/")))
  }
  return chain
}
const matched = (one: ScopeRule): ReadonlyArray<string> =>
  tree.filter((path) => {
    const distance = ancestors(path).indexOf(one.target)
    return one.recursive ? distance >= 0 : distance === 0 || distance === 1
  })
const level = { none: 0, read: 1, write: 2 } as const
const oracle = (rules: ScopeRules, path: string): number => {
  const allowed = Math.max(
    0,
    ...rules.allow.filter((one) => matched(one).includes(path)).map((one) => level[one.permission])
  )
  const cap = Math.min(
    2,
    ...rules.deny.filter((one) => matched(one).includes(path)).map((one) => level[one.permission] - 1)
  )
  return Math.min(allowed, cap)
}

describe("permission", () => {
  it("is the strongest allow that matches", () => {
    const rules = { allow: [rule("/a", "read"), rule("/a/b")], deny: [] }
    assert.strictEqual(Scope.permission(rules, "/a/x"), "read")
    assert.strictEqual(Scope.permission(rules, "/a/b/c"), "write")
    assert.strictEqual(Scope.permission(rules, "/z"), "none")
  })

  it("compares components, not characters", () => {
    const rules = { allow: [rule("/a/b")], deny: [] }
    assert.strictEqual(Scope.permission(rules, "/a/bc"), "none")
    assert.strictEqual(Scope.permission(rules, "/a/b"), "write")
  })

  it("caps strictly below a deny, which no allow re-opens", () => {
    const rules = { allow: [rule("/a"), rule("/a/b/c")], deny: [rule("/a/b", "write")] }
    assert.strictEqual(Scope.permission(rules, "/a/b/c"), "read")
    assert.strictEqual(Scope.permission({ ...rules, deny: [rule("/a/b", "read")] }, "/a/b/c"), "none")
    assert.strictEqual(Scope.permission({ allow: [rule("/a", "read")], deny: [rule("/a", "write")] }, "/a"), "read")
  })

  it("covers the target and its direct children only when it is flat", () => {
    const rules = { allow: [rule("/a", "read", false)], deny: [] }
    assert.deepStrictEqual(
      tree.filter((path) => Scope.canRead(rules, path)),
      ["/a", "/a/b", "/a/bc", "/a/x"]
    )
    assert.deepStrictEqual(
      tree.filter((path) => Scope.canWrite(rules, path)),
      []
    )
  })

  it.prop(
    "agrees with brute force and ignores the order of rules",
    { rules: Rules },
    ({ rules }) => {
      for (const path of tree) {
        assert.strictEqual(level[Scope.permission(rules, path)], oracle(rules, path))
        const turned = { allow: rules.allow.toReversed(), deny: rules.deny.toReversed() }
        assert.strictEqual(Scope.permission(turned, path), Scope.permission(rules, path))
      }
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("summary", () => {
  it("lists what may be read and written, in order, without denies and without a newline at the end", () => {
    const rules = {
      allow: [rule("/w"), rule("/docs", "read"), rule("/etc", "read", false)],
      deny: [rule("/w/secret", "read")]
    }
    assert.strictEqual(
      Scope.summary(rules),
      "Readable:\n  - /w\n  - /docs\n  - /etc [non-recursive]\nWritable:\n  - /w"
    )
  })
})

describe("lexical paths", () => {
  it("normalize, split and join as POSIX does", () => {
    assert.strictEqual(Lexical.normalize("//a/./b//c/../d/"), "/a/b/d")
    assert.strictEqual(Lexical.normalize("/../.."), "/")
    assert.strictEqual(Lexical.parent("/a"), "/")
    assert.strictEqual(Lexical.parent("/"), "")
    assert.strictEqual(Lexical.join("/", "a", "b"), "/a/b")
    assert.strictEqual(Lexical.relative("/a/b/c", "/a"), "b/c")
    assert.strictEqual(Lexical.relative("/a", "/"), "a")
    assert.isTrue(Lexical.isWithin("/a", "/"))
    assert.isFalse(Lexical.isWithin("/ab", "/a"))
  })
})
