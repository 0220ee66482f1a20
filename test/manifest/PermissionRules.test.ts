import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { decideCall, decidePermission, permissionTarget } from "../../src/manifest/PermissionRules.ts"
import type { PermissionRule, PermissionsTable } from "../../src/manifest/tables/Permissions.ts"
import { covers, matchesWildcard, meets } from "../../src/manifest/Wildcard.ts"

const table = (
  default_action: PermissionsTable["default_action"],
  ...rule: ReadonlyArray<PermissionRule>
): PermissionsTable => ({ default_action, rule, ask_timeout: Duration.minutes(10) })

describe("permission rules", () => {
  it("without a table everything is allowed", () => {
    assert.strictEqual(decidePermission(undefined, "Bash", { command: "rm -rf /" }).action, "allow")
  })

  it("the first rule that matches decides, in the order of the file", () => {
    const permissions = table(
      "deny",
      { tool: "Bash", pattern: "git push*", action: "ask" },
      { tool: "bash", pattern: "git *", action: "allow" },
      { tool: "Bash", pattern: "git status", action: "deny" }
    )
    const bash = (command: string) => decidePermission(permissions, "Bash", { command })
    assert.deepStrictEqual(bash("git status"), { action: "allow", target: "git status", rule: 1 })
    assert.deepStrictEqual(bash("git push --force"), { action: "ask", target: "git push --force", rule: 0 })
    assert.deepStrictEqual(bash("ls"), { action: "deny", target: "ls" })
    assert.strictEqual(decidePermission(permissions, "Read", { file_path: "git status" }).action, "deny")
  })

  it("tool names are compared without case, patterns with", () => {
    const permissions = table("allow", { tool: "WRITE", pattern: "/Etc/*", action: "deny" })
    assert.strictEqual(decidePermission(permissions, "Write", { file_path: "/Etc/x" }).action, "deny")
    assert.strictEqual(decidePermission(permissions, "Write", { file_path: "/etc/x" }).action, "allow")
    // Only ASCII letters have two cases here: the Kelvin sign is not a k.
    assert.strictEqual(
      decidePermission(table("allow", { tool: "\u212A", pattern: "*", action: "deny" }), "k", {}).action,
      "allow"
    )
  })

  it("the target is the first text among the usual arguments, else all of them", () => {
    assert.strictEqual(permissionTarget({ pattern: "*.ts", path: "/w" }), "/w")
    assert.strictEqual(permissionTarget({ url: "u", query: "q" }), "q")
    assert.strictEqual(permissionTarget({ command: 5, file_path: "/f" }), "/f")
    assert.strictEqual(permissionTarget({ b: 1, a: [true, null] }), '{"b":1,"a":[true,null]}')
    assert.strictEqual(permissionTarget({}), "{}")
  })

  it("wildcards: the whole text, any run, exactly one code point", () => {
    const yes = [
      ["*", ""],
      ["*", "a/b\nc"],
      ["a*c", "abbbc"],
      ["a*c", "acbc"],
      ["?", "😀"],
      ["a**b", "ab"],
      ["", ""]
    ]
    const no = [
      ["?", ""],
      ["?", "ab"],
      ["a", "ab"],
      ["b", "ab"],
      ["a*c", "abcd"],
      ["", "a"],
      ["??", "😀"],
      ["A", "a"]
    ]
    for (const [pattern, text] of yes) assert.isTrue(matchesWildcard(pattern!, text!), `${pattern} ~ ${text}`)
    for (const [pattern, text] of no) assert.isFalse(matchesWildcard(pattern!, text!), `${pattern} ~ ${text}`)
  })

  const letters = (alphabet: ReadonlyArray<string>) =>
    Arbitrary.map(Arbitrary.array(Arbitrary.schema(Schema.Literals(alphabet)), { maxLength: 8 }), (parts) =>
      parts.join("")
    )

  it.prop(
    "wildcards mean what the regular expression of the same shape means",
    [letters(["a", "b", "😀", "*", "?", "."]), letters(["a", "b", "😀", "*", ".", "\n"])],
    ([pattern, text]) => {
      const body = [...pattern].map((char) =>
        char === "*" ? "[^]*" : char === "?" ? "[^]" : char === "." ? "\\." : char
      )
      assert.strictEqual(matchesWildcard(pattern, text), new RegExp(`^${body.join("")}$`, "u").test(text))
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop(
    "a text with holes is covered by what matches every filling, and met by what matches some",
    [letters(["a", "b", "*", "?"]), letters(["a", "b", "_"])],
    ([pattern, holed]) => {
      const template = holed.split("_").flatMap((piece, i) => (i === 0 ? [piece] : [null, piece]))
      const fillings = ["", "a", "b", "ab", "ba", "aab", "bbbb"]
      const filled = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
        texts.some((text) => text.includes("_"))
          ? filled(texts.flatMap((text) => (text.includes("_") ? fillings.map((by) => text.replace("_", by)) : [text])))
          : texts
      if (holed.split("_").length > 4) return
      const matches = filled([holed]).map((text) => matchesWildcard(pattern, text))
      if (covers(pattern, template)) assert.isTrue(matches.every((matched) => matched))
      if (matches.some((matched) => matched)) assert.isTrue(meets(pattern, template))
      if (covers(pattern, template)) assert.isTrue(meets(pattern, template))
    },
    { arbitrary: { runs: 1000 } }
  )

  it("what is not certain gets the strictest answer that it may deserve", () => {
    const decide = (permissions: PermissionsTable, ...written: ReadonlyArray<string | null>) =>
      decideCall(permissions, {
        target: "t",
        subjects: [{ tool: "Bash", text: "t", written: [written], also: [] }]
      }).action
    const allow = { tool: "Bash", pattern: "git *", action: "allow" } as const
    const deny = { tool: "Bash", pattern: "rm *", action: "deny" } as const
    const ask = { tool: "Bash", pattern: "git push*", action: "ask" } as const
    assert.strictEqual(decide(table("allow", deny), null, " x"), "deny")
    assert.strictEqual(decide(table("allow", deny), "git ", null), "allow")
    assert.strictEqual(decide(table("deny", allow), "git ", null), "allow")
    assert.strictEqual(decide(table("deny", allow), null), "deny")
    assert.strictEqual(decide(table("deny", ask, allow), "git ", null), "ask")
    assert.strictEqual(decide(table("deny", { ...allow, pattern: "*" }, deny), null), "allow")
    assert.strictEqual(decide(table("ask", deny, allow), "git ", null), "allow")
  })

  it("a pattern made to be slow is not", () => {
    // Trying every split would take about 10^30 steps.
    assert.isFalse(matchesWildcard(`${"a*".repeat(60)}b`, "a".repeat(2000)))
  })
})
