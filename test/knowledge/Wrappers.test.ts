import { assert, describe, it } from "@effect/vitest"
import {
  interruptedBeforeResult,
  interruptedByUser,
  interruptNote,
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

  it("a call that was not allowed names its tool, and tells a denial from a question nobody can answer", () => {
    const denied = permissionDenied("Bash", { action: "deny", target: "rm" })
    const asked = permissionDenied("Bash", { action: "ask", target: "rm" })
    assert.match(denied, /^Bash was not run/)
    assert.match(asked, /^Bash was not run.*approval/)
    assert.notStrictEqual(denied, asked)
  })
})
