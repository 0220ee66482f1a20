import { assert, describe, it } from "@effect/vitest"
import {
  approvalDenied,
  interruptedBeforeResult,
  interruptedByUser,
  interruptNote,
  nobodyToAsk,
  notificationBody,
  outcomeUnknown,
  permissionDenied,
  podEventBody
} from "../../src/knowledge/Wrappers.ts"

describe("texts of the pod", () => {
  it("a notification: its mark, the message word for word, then one paragraph", () => {
    const message = "disk is full\n\nsecond paragraph"
    const body = notificationBody(message)
    assert.isTrue(body.startsWith(`[Notification]\n${message}\n\n`))
    const paragraph = body.slice(`[Notification]\n${message}\n\n`.length)
    assert.include(paragraph, "not a blocking request")
    assert.notInclude(paragraph, "\n")
    assert.notMatch(body, /\s$/)
  })

  it("a child's report is a notification of one line", () => {
    const lines = (body: string) => body.split("\n").slice(0, 3)
    assert.deepStrictEqual(lines(podEventBody({ kind: "turn_ended", pod_name: "c" })), [
      "[Notification]",
      "pod `c` finished a turn",
      ""
    ])
    assert.strictEqual(
      lines(podEventBody({ kind: "errored", pod_name: "c", message: "boom" }))[1],
      "pod `c` errored: boom"
    )
  })

  it("results of calls that did not end say what is known", () => {
    assert.strictEqual(interruptedByUser, "[Interrupted by user]")
    for (const text of [interruptedBeforeResult, outcomeUnknown]) assert.match(text, /outcome.*unknown/i)
    assert.match(interruptNote("user"), /^\[.*interrupted by the user.*\]$/)
    assert.match(interruptNote("crash"), /^\[.*the pod's process ended.*\]$/)
  })

  it("a call that was not allowed names its tool, and says who has not allowed it", () => {
    const texts = [
      permissionDenied("Bash", { action: "deny", target: "rm" }),
      permissionDenied("Bash", { action: "deny", target: "a; rm", part: `rm ${"x".repeat(1000)}` }),
      nobodyToAsk("Bash"),
      approvalDenied("Bash", { approval_id: "a", decision: "deny", by: "ann" }),
      approvalDenied("Bash", { approval_id: "a", decision: "deny", by: "ann", reason: "not\ntoday" }),
      approvalDenied("Bash", { approval_id: "a", decision: "deny", by: "expiry" })
    ]
    for (const text of texts) assert.match(text, /^Bash was not run: [^\n]{1,400}$/)
    assert.strictEqual(new Set(texts).size, texts.length)
    assert.include(texts[4], "(not today)")
  })
})
