/** Approvals on a store that is slow, refuses an answer, or moves the session to another segment. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Approving } from "../../src/pod/Approving.ts"
import type { SegmentFile } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { type BenchOptions, fileOf, open, rest, until } from "../support/podBench.ts"

const permit = (ask: Approving["ask"]) => (call: { callId: string; tool: string }) =>
  Effect.succeed({
    _tag: "Ask" as const,
    question: ask({
      callId: call.callId,
      tool: call.tool,
      arguments: "{}",
      target: "t",
      subject: call.callId,
      timeout: Duration.minutes(10)
    })
  })

/** Once it is held, the next append waits to be told whether it happens. */
const gated = () => {
  let isHeld = false
  const asked = Deferred.makeUnsafe<void>()
  const gate = Deferred.makeUnsafe<void, StorageError>()
  return {
    hold: () => {
      isHeld = true
    },
    asked: Deferred.await(asked),
    go: Deferred.succeed(gate, undefined),
    refuse: Deferred.fail(
      gate,
      new StorageError({ reason: "Io", operation: "append", path: "full", message: "no space left", code: "ENOSPC" })
    ),
    wrap: (file: SegmentFile): SegmentFile => ({
      ...file,
      append: (bytes, options) => {
        if (!isHeld) return file.append(bytes, options)
        isHeld = false
        return Deferred.succeed(asked, undefined).pipe(
          Effect.andThen(Deferred.await(gate)),
          Effect.andThen(file.append(bytes, options))
        )
      }
    })
  }
}

const asking = Effect.fnUntraced(function* (ids: ReadonlyArray<string>, options: BenchOptions = {}, name = "Asked") {
  const { runs, tool } = counting("Asked")
  const pod = yield* open(MemoryStore.make(), { permit, tools: [tool], ...options })
  yield* pod.handle.attendApprovals
  const { take } = yield* pod.handle.attach
  yield* pod.handle.run("go")
  yield* Effect.flatMap(pod.model.next, (call) => call.callTools(...ids.map((id) => ({ id, name, args: {} }))))
  const last = ids.at(-1)
  yield* until(take, (event) => event.event === "approval_requested" && event.data.call_id === last)
  // What follows it in the journal is in it as well.
  yield* rest
  const approvals = (yield* pod.handle.approvals).map(({ approval_id }) => approval_id)
  const answers = () =>
    fileOf(pod.memory, pod.ref).flatMap((entry) => {
      if (entry.kind !== "extension" || entry.domain !== "pod.approval") return []
      const { by, decision, op } = entry.payload as { op: string; decision?: string; by?: string }
      return op === "resolved" ? [`${decision} by ${by}`] : []
    })
  return { ...pod, answers, approvals, first: approvals[0] ?? "", runs }
})

describe("an answer that the store does not take", () => {
  it.effect("was none: the next one decides", () =>
    Effect.gen(function* () {
      const disk = gated()
      const pod = yield* asking(["c1"], { wrap: disk.wrap })
      disk.hold()
      yield* disk.refuse
      const refused = yield* Effect.flip(pod.handle.approve(pod.first, "deny", { by: "ann" }))
      assert.deepInclude(refused, { code: "storage_error" })
      assert.strictEqual((yield* pod.handle.approve(pod.first, "allow", { by: "bob" })).by, "bob")
      yield* pod.model.next
      assert.strictEqual(pod.runs(), 1)
      assert.deepStrictEqual(pod.answers(), ["allow by bob"])
    }).pipe(Effect.scoped)
  )

  it.effect("does not outlive the time: the approval is denied, and the journal has it", () =>
    Effect.gen(function* () {
      const disk = gated()
      const pod = yield* asking(["c1"], { wrap: disk.wrap })
      yield* TestClock.adjust("599999 millis")
      disk.hold()
      const answer = yield* Effect.forkChild(Effect.flip(pod.handle.approve(pod.first, "allow")))
      yield* disk.asked
      yield* TestClock.adjust("1 millis")
      yield* rest
      yield* disk.refuse
      assert.deepInclude(yield* Fiber.join(answer), { code: "storage_error" })
      yield* pod.model.next
      assert.strictEqual(pod.runs(), 0)
      assert.deepStrictEqual(pod.answers(), ["deny by expiry"])
      assert.deepStrictEqual(yield* pod.handle.approvals, [])
    }).pipe(Effect.scoped)
  )
})

describe("an answer that is on its way to the store", () => {
  it.effect("holds when the time ends meanwhile", () =>
    Effect.gen(function* () {
      const disk = gated()
      const pod = yield* asking(["c1"], { wrap: disk.wrap })
      yield* TestClock.adjust("599999 millis")
      disk.hold()
      const answer = yield* Effect.forkChild(pod.handle.approve(pod.first, "allow", { by: "ann" }))
      yield* disk.asked
      yield* TestClock.adjust("1 millis")
      yield* rest
      yield* disk.go
      assert.strictEqual((yield* Fiber.join(answer)).by, "ann")
      yield* pod.model.next
      assert.strictEqual(pod.runs(), 1)
      assert.deepStrictEqual(pod.answers(), ["allow by ann"])
    }).pipe(Effect.scoped)
  )
})

describe("a call that was allowed", () => {
  it.effect("is what the pod waits for, and no approval any more", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const pod = yield* asking(["c1"], { tools: [tool] }, "Stuck")
      assert.deepInclude((yield* pod.handle.attach).waitingOn, { kind: "approval" })
      yield* pod.handle.approve(pod.first, "allow")
      yield* Deferred.await(begun)
      assert.deepInclude((yield* pod.handle.attach).waitingOn, { kind: "tool" })
    }).pipe(Effect.scoped)
  )
})

describe("an approval that waits", () => {
  it.effect("goes along when the session moves to another segment", () =>
    Effect.gen(function* () {
      const pod = yield* asking(["c1", "c2"])
      pod.memory.write(pod.ref, new TextEncoder().encode('{"kind":"user_input","ts":1,"segments":[]}\n'))
      const [first = "", second = ""] = pod.approvals
      yield* pod.handle.approve(first, "allow")
      yield* rest
      assert.notStrictEqual(pod.journal.segmentId(), pod.ref.segmentId)
      assert.deepStrictEqual(
        (yield* pod.handle.approvals).map(({ approval_id }) => approval_id),
        [second]
      )
      assert.strictEqual((yield* Effect.flip(pod.handle.approve(first, "deny"))).code, "conflict")
      yield* pod.handle.approve(second, "allow")
      yield* pod.model.next
      assert.strictEqual(pod.runs(), 2)
    }).pipe(Effect.scoped)
  )
})
