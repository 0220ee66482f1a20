import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { compare, unified } from "../../src/tools/Diff.ts"

const Lines = Schema.Array(Schema.Literals(["a\n", "b\n", "c\n", "\n", "é\r\n"])).check(Schema.isMaxLength(14))
const Text = Schema.Struct({ lines: Lines, end: Schema.Literals(["", "tail"]) })
const textOf = ({ end, lines }: typeof Text.Type): string => lines.join("") + end

/** The oracle: how long a common subsequence can be, by the table of textbooks. */
const common = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  let above = Array.from({ length: b.length + 1 }, () => 0)
  for (const line of a) {
    const row = [0]
    for (const [index, other] of b.entries()) {
      const best = Math.max(above[index + 1] ?? 0, row[index] ?? 0)
      row.push(line === other ? (above[index] ?? 0) + 1 : best)
    }
    above = row
  }
  return above[b.length] ?? 0
}

/** Applies a unified diff as `patch` would, by the numbers in its headers. */
const patched = (before: string, diff: string): string => {
  const old = before.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const out: Array<string> = []
  let at = 0
  const rows = diff.split("\n").slice(0, -1)
  for (const [index, row] of rows.entries()) {
    const header = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@$/.exec(row)
    if (header !== null) {
      const start = Number(header[1]) - (header[2] === "0" ? 0 : 1)
      while (at < start) out.push(old[at++] as string)
      continue
    }
    if (row.startsWith("\\")) continue
    const end = rows[index + 1]?.startsWith("\\") === true ? "" : "\n"
    if (row.startsWith("+")) out.push(row.slice(1) + end)
    else if (row.startsWith("-")) at++
    else out.push(old[at++] as string)
  }
  return [...out, ...old.slice(at)].join("")
}

describe("a diff", () => {
  it("of texts that hardly differ takes only what lies around the change apart, and counts the rest", () => {
    const lines = "\n".repeat(1_000_000)
    const shown = "@@ -999998,6 +999998,7 @@\n \n \n \n+x\n \n \n \n"
    assert.strictEqual(unified(`${lines}${lines}`, `${lines}x\n${lines}`, 1000), shown)
  })

  it("of what is changed from one end to the other says only how much that is", () => {
    const [one, two] = ["a\n".repeat(500_000), "b\n".repeat(700_000)]
    assert.match(unified(one, two, 1000), /^\[The change is too large to show: 1400000 characters in place of 1000000/)
  })

  it.prop(
    "has both texts in it, and is as short as can be",
    { before: Text, after: Text },
    ({ after, before }) => {
      const [one, two] = [textOf(before), textOf(after)]
      const lines = compare(one, two)
      const side = (without: string) =>
        lines
          .filter((line) => line.side !== without)
          .map((line) => line.text)
          .join("")
      assert.strictEqual(side("+"), one)
      assert.strictEqual(side("-"), two)
      const split = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? []
      assert.strictEqual(lines.filter((line) => line.side === " ").length, common(split(one), split(two)))
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "turns the old text into the new one where it is applied",
    { before: Text, after: Text },
    ({ after, before }) => {
      // Line ends are not shown, so texts with LF alone are what a reader can apply.
      const [one, two] = [textOf(before).replaceAll("\r", ""), textOf(after).replaceAll("\r", "")]
      assert.strictEqual(patched(one, unified(one, two, 100_000)), two)
    },
    { arbitrary: { runs: 1000 } }
  )

  it("of texts with nothing in common is one block, found at once", () => {
    const many = (name: string) => Array.from({ length: 50_000 }, (_, index) => `${name} ${index}\n`).join("")
    const diff = unified(many("a"), many("b"), 1000)
    assert.isAtMost(diff.length, 1100)
    assert.match(diff, /^@@ -1,50000 \+1,50000 @@\n-a 0\n/)
    assert.match(diff, /\[\.\.\. \d+ more changed lines left out\]\n$/)
  })

  it("says where a text has no newline at its end, and cuts long lines between characters", () => {
    assert.strictEqual(unified("a\n", "a", 1000), "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n")
    const diff = unified("", `${"é".repeat(5000)}\n`, 100_000)
    assert.include(diff, "bytes of this line left out")
    assert.notInclude(diff, "\ufffd")
    assert.strictEqual(unified("same\n", "same\n", 1000), "")
  })
})
