import { assert, describe, it } from "@effect/vitest"
import * as Ending from "../../src/llm/Ending.ts"
import { LlmError, type LlmErrorReason } from "../../src/llm/LlmError.ts"
import type { StopReason } from "../../src/llm/LlmEvent.ts"

const error = (reason: LlmErrorReason, phase: "request" | "stream") =>
  new LlmError({ reason, phase, provider: "x", message: reason })

const commit = { next: "commit" } as const
const limit = { next: "continue", usedUp: "limit" } as const
const cut = { next: "continue", usedUp: "fail", waits: true } as const
const fail = { next: "fail" } as const

describe("what follows from each ending", () => {
  it("of an answer that has its end mark", () => {
    const table: Record<StopReason, readonly [string, Ending.Rule]> = {
      end_turn: ["Complete", commit],
      tool_use: ["Complete", commit],
      refusal: ["Refused", commit],
      max_tokens: ["MaxTokens", limit],
      pause: ["Paused", limit],
      context_overflow: ["Overflow", fail]
    }
    for (const [reason, [tag, rule]] of Object.entries(table)) {
      const ending = Ending.ofStop(reason as StopReason)
      assert.strictEqual(ending._tag, tag)
      assert.deepStrictEqual(Ending.rules[ending._tag], rule, reason)
    }
  })

  it("of an attempt that failed, before the answer began and after", () => {
    const table: Record<LlmErrorReason, readonly [request: string, stream: string]> = {
      Config: ["Failed", "ErrorEvent"],
      Connect: ["Failed", "Cut"],
      Status: ["Failed", "ErrorEvent"],
      Timeout: ["Failed", "Cut"],
      Cut: ["Failed", "Cut"],
      Protocol: ["Failed", "Cut"],
      Refused: ["Failed", "ErrorEvent"],
      Overflow: ["Overflow", "Overflow"],
      Empty: ["Empty", "Empty"]
    }
    for (const [reason, [request, stream]] of Object.entries(table)) {
      assert.strictEqual(Ending.ofError(error(reason as LlmErrorReason, "request"))._tag, request, reason)
      assert.strictEqual(Ending.ofError(error(reason as LlmErrorReason, "stream"))._tag, stream, reason)
    }
    assert.deepStrictEqual(Ending.rules.Cut, cut)
    for (const tag of ["Overflow", "ErrorEvent", "Empty", "Failed"] as const) {
      assert.deepStrictEqual(Ending.rules[tag], fail, tag)
    }
  })

  it("is said for every ending there is", () => {
    assert.strictEqual(Object.keys(Ending.rules).length, 9)
  })
})
