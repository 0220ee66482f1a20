import { assert, describe, it } from "@effect/vitest"
import { conflicts } from "../../../layers/runtime/LeaseOverlap.ts"
import type { ScopeRules } from "../../../src/protocol/ScopeRule.ts"
import { reads, scopeOf, writes } from "./LeaseContract.ts"

describe("LeaseOverlap", () => {
  const pairs: ReadonlyArray<readonly [string, ScopeRules, ScopeRules, boolean]> = [
    ["the same directory", scopeOf([writes("/w")]), scopeOf([writes("/w")]), true],
    ["one inside the other", scopeOf([writes("/w/sub")]), scopeOf([writes("/w")]), true],
    ["neighbours", scopeOf([writes("/w/a")]), scopeOf([writes("/w/ab")]), false],
    ["everything", scopeOf([writes("/")]), scopeOf([writes("/w")]), true],
    ["a reader of it", scopeOf([reads("/w")]), scopeOf([writes("/w")]), false],
    ["a flat rule above", scopeOf([writes("/w", false)]), scopeOf([writes("/w/sub")]), true],
    ["a flat rule far above", scopeOf([writes("/w", false)]), scopeOf([writes("/w/sub/deep")]), false],
    ["flat rules on parent and child", scopeOf([writes("/w", false)]), scopeOf([writes("/w/sub", false)]), true],
    ["flat rules on neighbours", scopeOf([writes("/w/a", false)]), scopeOf([writes("/w/b", false)]), false],
    ["a part denied to the outer", scopeOf([writes("/w")], [writes("/w/sub")]), scopeOf([writes("/w/sub")]), false],
    ["a part denied to read", scopeOf([writes("/w")], [reads("/w/sub")]), scopeOf([writes("/w/sub")]), false],
    ["more than the part denied", scopeOf([writes("/w")], [writes("/w/sub")]), scopeOf([writes("/w/sub/x")]), false],
    ["a smaller part denied", scopeOf([writes("/w")], [writes("/w/sub/x")]), scopeOf([writes("/w/sub")]), true],
    ["a part denied flat", scopeOf([writes("/w")], [writes("/w/sub", false)]), scopeOf([writes("/w/sub")]), true],
    [
      "a flat rule on a denied entry",
      scopeOf([writes("/w", false)]),
      scopeOf([writes("/w/sub")], [writes("/w/sub", false)]),
      false
    ],
    [
      "a flat part denied flat",
      scopeOf([writes("/w")], [writes("/w/sub", false)]),
      scopeOf([writes("/w/sub", false)]),
      false
    ]
  ]
  for (const [title, one, two, overlap] of pairs) {
    it(`${title}: ${overlap ? "refused" : "allowed"}, whoever comes first`, () => {
      assert.strictEqual(conflicts(one, two).length > 0, overlap)
      assert.strictEqual(conflicts(two, one).length > 0, overlap)
    })
  }

  it("names both sides of each conflict", () => {
    assert.deepStrictEqual(
      conflicts(scopeOf([writes("/a/x"), writes("/b")]), scopeOf([writes("/a"), writes("/b/y"), writes("/c")])),
      [
        { mine: "/a/x", theirs: "/a" },
        { mine: "/b", theirs: "/b/y" }
      ]
    )
  })
})
