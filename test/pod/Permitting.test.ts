/** Several tables at once: what the pod was given now, and what it was given before. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PermissionAction, PermissionsTable } from "../../src/manifest/tables/Permissions.ts"
import { plainSubject } from "../../src/manifest/PermissionRules.ts"
import type { Question } from "../../src/pod/Approving.ts"
import * as Permitting from "../../src/pod/Permitting.ts"
import { Approvals } from "../../src/session/Approvals.ts"

const table = (default_action: PermissionAction, minutes = 10): PermissionsTable => ({
  default_action,
  rule: [],
  ask_timeout: Duration.minutes(minutes)
})

const judge = Effect.fnUntraced(function* (...tables: ReadonlyArray<PermissionsTable>) {
  const asked: Array<Question> = []
  const permit = Permitting.make(
    tables,
    (tool, { path }) =>
      Effect.succeed({ target: String(path), remembered: "real", subjects: [plainSubject(tool, String(path))] }),
    (question) =>
      Effect.sync(() => {
        asked.push(question)
        return { _tag: "Allow" as const }
      })
  )
  const verdict = yield* permit({ callId: "c1", tool: "Mine", args: { path: "link" } })
  if (verdict._tag === "Ask") yield* verdict.question
  return { verdict: verdict._tag, asked }
})

describe("the tables of a pod", () => {
  it.effect("hold together: the strictest of them decides", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<PermissionAction>]> = [
        ["Allow", []],
        ["Allow", ["allow", "allow"]],
        ["Ask", ["allow", "ask"]],
        ["Ask", ["ask", "allow"]],
        ["Deny", ["ask", "deny"]],
        ["Deny", ["deny", "allow"]],
        ["Deny", ["allow", "deny"]]
      ]
      for (const [expected, actions] of cases) {
        const { asked, verdict } = yield* judge(...actions.map((action) => table(action)))
        assert.strictEqual(verdict, expected, actions.join())
        assert.lengthOf(asked, expected === "Ask" ? 1 : 0)
      }
    })
  )

  it.effect("ask once, for the shortest of their times, about what the answer is remembered for", () =>
    Effect.gen(function* () {
      const { asked } = yield* judge(table("ask", 9), table("ask", 3), table("allow", 1), table("ask", 7))
      assert.lengthOf(asked, 1)
      assert.deepInclude(asked[0], { callId: "c1", tool: "Mine", target: "link", subject: "real" })
      assert.strictEqual(asked[0]?.arguments, '{"path":"link"}')
      assert.strictEqual(Duration.toMinutes(asked[0]?.timeout ?? 0), 3)
    })
  )
})

describe("the approvals of a session", () => {
  const request = (id: string, tool: string) => ({
    op: "requested" as const,
    approval_id: id,
    call_id: id,
    tool,
    arguments: "{}",
    target: "t",
    subject: "t",
    expires_at: 0
  })

  it("remember an answer for the tool that was asked for, and none that was for one call", () => {
    const approvals = new Approvals()
    approvals.apply(request("1", "Read"))
    approvals.apply({ op: "resolved", approval_id: "1", decision: "allow", by: "ann" })
    assert.isFalse(approvals.allows({ tool: "Read", subject: "t" }))
    approvals.apply(request("2", "Read"))
    approvals.apply({ op: "resolved", approval_id: "2", decision: "allow_session", by: "ann" })
    assert.isTrue(approvals.allows({ tool: "Read", subject: "t" }))
    assert.isFalse(approvals.allows({ tool: "Write", subject: "t" }))
  })

  it("forget the oldest answers, and never what is allowed", () => {
    const approvals = new Approvals()
    for (let i = 0; i < 2_000; i++) {
      approvals.apply(request(String(i), `T${i}`))
      approvals.apply({ op: "resolved", approval_id: String(i), decision: "allow_session", by: "ann" })
    }
    assert.isUndefined(approvals.answer("0"))
    assert.isUndefined(approvals.answer(String(2_000 - 1_025)))
    assert.isDefined(approvals.answer(String(2_000 - 1_024)))
    assert.isTrue(approvals.allows({ tool: "T0", subject: "t" }))
    assert.strictEqual(approvals.open.size, 0)
  })
})
