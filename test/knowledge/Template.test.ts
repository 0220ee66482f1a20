import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { parseTemplate, renderTemplate } from "../../src/knowledge/Template.ts"

const names = ["cwd", "language"] as const
const render = (text: string, values = { cwd: "/w", language: "German" }) => {
  const parsed = parseTemplate(text, "prompt.md", names)
  return parsed._tag === "Success" ? renderTemplate(parsed.success, values) : parsed.failure.message
}

describe("prompt templates", () => {
  it("fill in what they name", () => {
    assert.strictEqual(render("in {{cwd}}, answer in {{ language }}.{{cwd}}"), "in /w, answer in German./w")
    assert.strictEqual(render(""), "")
    assert.strictEqual(render("{ single } }} $x"), "{ single } }} $x")
    assert.strictEqual(render("literal \\{{cwd}}"), "literal {{cwd}}")
  })

  it("values are put in as they are", () => {
    assert.strictEqual(render("a {{cwd}} b", { cwd: "{{language}} $& \\{{", language: "" }), "a {{language}} $& \\{{ b")
  })

  it("a name that nobody fills is an error with its line", () => {
    assert.strictEqual(
      render("one\ntwo {{langauge}}"),
      "prompt.md, line 2: there is no variable `langauge` (did you mean `language`?)"
    )
    assert.strictEqual(render("{{zzzzzz}}"), "prompt.md, line 1: there is no variable `zzzzzz` (known: cwd, language)")
  })

  it("half a variable is an error", () => {
    for (const text of ["{{", "{{cwd}", "{{ cwd", "{{cwd language}}", "{{a.b}}", "{{}}", "{{{cwd}}}"]) {
      assert.match(render(text), /line 1: `\{\{` does not open a variable \(write \{\{name\}\}/, text)
    }
  })

  it.prop("text without marks comes back unchanged", [Schema.String], ([text]) => {
    const plain = text.replaceAll("{{", "")
    if (!plain.includes("{{")) assert.strictEqual(render(plain), plain)
  })
})
