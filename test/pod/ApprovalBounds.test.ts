/** Approvals of calls of any size, and answers of clients that call themselves anything. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Approving } from "../../src/pod/Approving.ts"
import { maxName, maxReason, maxShown } from "../../src/protocol/Approval.ts"
import { counting } from "../support/benchTools.ts"
import { fileOf, open, rest } from "../support/podBench.ts"

const permit = (ask: Approving["ask"]) => (call: { callId: string; tool: string; args: object }) =>
  Effect.succeed({
    _tag: "Ask" as const,
    question: ask({
      callId: call.callId,
      tool: call.tool,
      arguments: JSON.stringify(call.args),
      target: String(Reflect.get(call.args, "what")),
      subject: undefined,
      timeout: Duration.minutes(10)
    })
  })

const asking = Effect.fnUntraced(function* (what: string) {
  const { runs, tool } = counting("Asked")
  const bench = yield* open(MemoryStore.make(), { permit, tools: [tool] })
  yield* bench.handle.attendApprovals
  yield* bench.handle.run("go")
  yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c1", name: "Asked", args: { what } }))
  yield* rest
  const [approval] = yield* bench.handle.approvals
  if (approval === undefined) throw new Error("nothing was asked")
  const told = Effect.map(bench.model.next, (call) => JSON.stringify(call.request.messages))
  return { ...bench, approval, runs, told }
})

describe("an approval of a long call", () => {
  it.effect("carries the beginning and the length, in the journal as well, and an answer is for this call alone", () =>
    Effect.gen(function* () {
      const what = `${"a".repeat(maxShown - 1)}${"😀".repeat(100_000)}`
      const { approval, handle, journal, memory, ref, runs, told } = yield* asking(what)
      assert.strictEqual(approval.target, "a".repeat(maxShown - 1))
      assert.strictEqual(approval.target_length, what.length)
      assert.strictEqual(approval.arguments.length, maxShown)
      assert.strictEqual(approval.arguments_length, what.length + `{"what":""}`.length)
      const records = fileOf(memory, ref).filter((entry) => JSON.stringify(entry).includes("pod.approval"))
      assert.lengthOf(records, 1)
      assert.isBelow(JSON.stringify(records[0]).length, 3 * maxShown)
      yield* handle.approve(approval.approval_id, "allow_session")
      yield* told
      assert.strictEqual(runs(), 1)
      assert.deepStrictEqual(journal.state.approvals.allowed, [])
    }).pipe(Effect.scoped)
  )

  it.effect("says no length where it carries all", () =>
    Effect.gen(function* () {
      const { approval } = yield* asking("a".repeat(maxShown))
      assert.strictEqual(approval.target.length, maxShown)
      assert.notProperty(approval, "target_length")
    }).pipe(Effect.scoped)
  )
})

describe("who answers", () => {
  it.effect("is never taken for the end of the time, whatever it calls itself", () =>
    Effect.gen(function* () {
      for (const by of ["expiry", " Expiry", "restart"]) {
        const { approval, handle, told } = yield* asking("x")
        const answer = yield* handle.approve(approval.approval_id, "deny", { by, reason: "not today" })
        assert.strictEqual(answer.by, `a client called ${by}`)
        const text = yield* told
        assert.include(text, "not today")
        assert.notInclude(text, "in time")
      }
      const { told } = yield* asking("x")
      yield* TestClock.adjust("10 minutes")
      assert.include(yield* told, "nobody answered in time")
    }).pipe(Effect.scoped)
  )

  it.effect("is kept short, and so is the reason", () =>
    Effect.gen(function* () {
      const { approval, handle, memory, ref } = yield* asking("x")
      const long = "n".repeat(1_000_000)
      const { by, reason } = yield* handle.approve(approval.approval_id, "deny", { by: long, reason: long })
      assert.strictEqual(by, `${"n".repeat(maxName - 1)}…`)
      assert.isUndefined(reason)
      const resolved = JSON.stringify(fileOf(memory, ref).filter((entry) => JSON.stringify(entry).includes("resolved")))
      assert.include(resolved, `"${"n".repeat(maxReason - 1)}…"`)
    }).pipe(Effect.scoped)
  )
})
