import { assert, describe, it } from "@effect/vitest"
import { answeredText, answerOf, questionText } from "../../src/cli/ApprovalText.ts"
import { Renderer } from "../../src/cli/Render.ts"
import { visibleLine } from "../../src/cli/Text.ts"
import type { Approval } from "../../src/protocol/Approval.ts"

const approval = (args: Readonly<Record<string, unknown>>, target = String(args["command"])): Approval => ({
  approval_id: "a1",
  tool: "Bash",
  arguments: JSON.stringify(args),
  target,
  expires_at: 0
})

describe("a question", () => {
  it("hides nothing of a command that a terminal would not show", () => {
    const command =
      "ls \u001b]0;\nrm -rf ~\n\u0007\u001b[8m;id\u001b[0m \u202edwp\u202c a\u200bb\rc\u2028d\u00ade\u{e0041}"
    const text = questionText(approval({ command }))
    assert.strictEqual(
      text,
      [
        "? Bash needs approval:",
        "    ls <U+001B>]0;",
        "    rm -rf ~",
        "    <U+0007><U+001B>[8m;id<U+001B>[0m <U+202E>dwp<U+202C> a<U+200B>b<U+000D>c<U+2028>d<U+00AD>e<U+E0041>"
      ].join("\n")
    )
  })

  it("shows what else the call has, and says what was cut", () => {
    const rest = questionText(approval({ file_path: "/w/a", content: "one\ntwo\u001b[2J", command: "x" }, "/w/a"))
    assert.include(rest, "    /w/a\n    content: one\n    two<U+001B>[2J\n    command: x")
    const long = questionText(approval({ command: `${"a".repeat(4_000)}; rm x` }))
    assert.notInclude(long, "rm x")
    assert.match(long, /\n {4}\[cut: /)
    const many = questionText(approval({ command: `ls${"\n".repeat(40)}rm x` }))
    assert.notInclude(many, "rm x")
    assert.match(many, /\n {4}\[cut: /)
    assert.notInclude(questionText(approval({ command: "a".repeat(4_000) })), "[cut")
  })

  it("in one line shows that there are more", () => {
    assert.strictEqual(visibleLine("\n ls\n\n  rm -rf ~ \u001b]0;x\u0007", 200), "ls ⏎ rm -rf ~ <U+001B>]0;x<U+0007>")
    assert.strictEqual(visibleLine("a".repeat(10), 5), "aaaa…")
    const renderer = new Renderer({
      color: { answer: false, info: false },
      safeAnswer: true,
      sameScreen: false,
      live: false,
      thinking: false,
      everything: false,
      asks: false,
      columns: 80,
      cwd: undefined
    })
    const [line] = renderer.render({
      event: "approval_requested",
      data: approval({ command: "ls\nrm -rf ~\u001b[8m" }),
      seq: 1,
      durable: true
    })
    assert.strictEqual(line?.text, "? Bash ls ⏎ rm -rf ~<U+001B>[8m waits for approval a1\n")
  })
})

describe("an answer", () => {
  it("is a key or a word, and nothing else", () => {
    assert.deepStrictEqual(["y", " YES ", "n", "no", "a", "always", "ye", "", "yy", "ja"].map(answerOf), [
      "allow",
      "allow",
      "deny",
      "deny",
      "allow_session",
      "allow_session",
      undefined,
      undefined,
      undefined,
      undefined
    ])
  })

  it("says who gave it, in one short line", () => {
    assert.strictEqual(answeredText("allow_session", "me\n\u001b[2Jyou"), "allowed until the session ends by me you")
    assert.isBelow(answeredText("deny", "x".repeat(1_000)).length, 100)
  })
})
