/** What an answer is good for, what the journal has of it, and what a pod says that it waits for. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Approving } from "../../src/pod/Approving.ts"
import { counting } from "../support/benchTools.ts"
import { isEvent, isStatus, open, rest, until } from "../support/podBench.ts"
import { recorder } from "../support/recordingStore.ts"

/** Its calls wait for `minutes`, and what is remembered of each is `what`. */
const permit = (ask: Approving["ask"]) => (call: { callId: string; tool: string; args: object }) =>
  Effect.succeed({
    _tag: "Ask" as const,
    question: ask({
      callId: call.callId,
      tool: call.tool,
      arguments: "{}",
      target: "t",
      subject: String(Reflect.get(call.args, "what")),
      timeout: Duration.minutes(Number(Reflect.get(call.args, "minutes") ?? 10))
    })
  })

const asking = Effect.gen(function* () {
  const { runs, tool } = counting("Asked")
  const { syncsOf, wrap } = recorder()
  const bench = yield* open(MemoryStore.make(), { permit, tools: [tool], wrap })
  yield* bench.handle.attendApprovals
  const { take } = yield* bench.handle.attach
  const ask = Effect.fnUntraced(function* (...calls: ReadonlyArray<{ id: string; what: string; minutes?: number }>) {
    yield* bench.handle.run("go")
    const call = yield* bench.model.next
    yield* call.callTools(...calls.map(({ id, ...args }) => ({ id, name: "Asked", args })))
    yield* rest
    return yield* bench.handle.approvals
  })
  const finish = Effect.gen(function* () {
    yield* Effect.flatMap(bench.model.next, (call) => call.answer("done"))
    yield* until(take, isStatus("idle"))
  })
  return { ...bench, ask, finish, runs, syncsOf, take }
})

describe("an answer", () => {
  it.effect("of one call is for that call alone, also where another waits for the same", () =>
    Effect.gen(function* () {
      const pod = yield* asking
      const [first] = yield* pod.ask({ id: "c1", what: "x" }, { id: "c2", what: "x" })
      yield* pod.handle.approve(first?.approval_id ?? "", "allow")
      yield* rest
      const left = yield* pod.handle.approvals
      assert.deepStrictEqual(
        left.map(({ call_id }) => call_id),
        ["c2"]
      )
      yield* pod.handle.approve(left[0]?.approval_id ?? "", "deny")
      yield* pod.finish
      assert.strictEqual(pod.runs(), 1)
      assert.lengthOf(yield* pod.ask({ id: "c3", what: "x" }), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is wanted for two calls under one id, each by itself", () =>
    Effect.gen(function* () {
      const pod = yield* asking
      const both = yield* pod.ask({ id: "c1", what: "x" }, { id: "c1", what: "y" })
      assert.strictEqual(new Set(both.map(({ approval_id }) => approval_id)).size, both.length)
      for (const { approval_id } of both) yield* pod.handle.approve(approval_id, "deny")
      yield* pod.finish
      assert.strictEqual(pod.runs(), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("and its question survive a power cut", () =>
    Effect.gen(function* () {
      const pod = yield* asking
      const [first] = yield* pod.ask({ id: "c1", what: "x" })
      yield* pod.handle.approve(first?.approval_id ?? "", "allow")
      yield* pod.finish
      assert.deepStrictEqual(pod.syncsOf("pod.approval requested"), [true])
      assert.deepStrictEqual(pod.syncsOf("pod.approval resolved"), [true])
    }).pipe(Effect.scoped)
  )

  it.effect("is waited for until the first of them is over, and then for the tool", () =>
    Effect.gen(function* () {
      const pod = yield* asking
      const [long] = yield* pod.ask({ id: "c1", what: "x", minutes: 9 }, { id: "c2", what: "y", minutes: 3 })
      assert.deepInclude((yield* pod.handle.attach).waitingOn, { kind: "approval", until_ms: 180_000 })
      yield* TestClock.adjust("3 minutes")
      yield* rest
      assert.deepInclude((yield* pod.handle.attach).waitingOn, { kind: "approval", until_ms: 540_000 })
      const late = yield* pod.handle.attach
      yield* pod.handle.approve(long?.approval_id ?? "", "allow")
      yield* until(late.take, isEvent("tool_result"))
      yield* pod.finish
    }).pipe(Effect.scoped)
  )
})
