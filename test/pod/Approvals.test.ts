import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Approving } from "../../src/pod/Approving.ts"
import type { Approval } from "../../src/protocol/Approval.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { SegmentRef } from "../../src/session/SessionStore.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { type BenchOptions, fileOf, isEvent, isStatus, open, rest, until } from "../support/podBench.ts"

/** Everything that is named Asked has to be asked for; what is remembered is its `what`. */
const permit = (ask: Approving["ask"]) => (call: { callId: string; tool: string; args: object }) =>
  call.tool === "Asked"
    ? Effect.succeed({
        _tag: "Ask" as const,
        question: ask({
          callId: call.callId,
          tool: call.tool,
          arguments: JSON.stringify(call.args),
          target: "t",
          subject: String(Reflect.get(call.args, "what")),
          timeout: Duration.minutes(10)
        })
      })
    : Effect.succeed({ _tag: "Allow" } as const)

const asked = (id: string, what = "x") => ({ id, name: "Asked", args: { what } })

const openAsking = Effect.fnUntraced(function* (options: BenchOptions = {}, memory = MemoryStore.make()) {
  const { runs, tool } = counting("Asked")
  const bench = yield* open(memory, { permit, ...options, tools: [tool, ...(options.tools ?? [])] })
  const { take } = yield* bench.handle.attach
  const callTools = (...calls: ReadonlyArray<{ id: string; name: string; args: object }>) =>
    Effect.flatMap(bench.model.next, (call) => call.callTools(...calls))
  /** What the model is told of a call. */
  const told = Effect.map(bench.model.next, (call) => ({
    call,
    results: call.request.messages.flatMap((message) => (message.role === "tool" ? message.results : []))
  }))
  const requested = Effect.map(
    until(take, isEvent("approval_requested")),
    (seen) => (seen.findLast(isEvent("approval_requested")) as Extract<Envelope, { event: "approval_requested" }>).data
  )
  return { ...bench, take, callTools, told, requested, runs }
})

const approvalRecords = (memory: MemoryStore.MemoryStore, ref: SegmentRef) =>
  fileOf(memory, ref).flatMap((entry) =>
    entry.kind === "extension" && entry.domain === "pod.approval"
      ? [entry.payload as { op: string; approval_id: string; decision?: string; by?: string }]
      : []
  )

const refusal = (effect: Effect.Effect<unknown, { readonly code: string; readonly message: string }>) =>
  Effect.map(Effect.flip(effect as Effect.Effect<never, { code: string; message: string }>), (error) => error)

describe("a call that has to be asked for", () => {
  it.effect("waits, is shown to who attaches, and runs with the first answer; the second is told of the first", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1"))
      const approval: Approval = yield* pod.requested
      assert.deepInclude(approval, { tool: "Asked", arguments: '{"what":"x"}', target: "t", call_id: "c1" })
      assert.strictEqual(approval.expires_at, 600_000)
      const late = yield* pod.handle.attach
      assert.deepStrictEqual(late.pendingApprovals, [approval])
      assert.deepInclude(late.waitingOn, { kind: "approval", until_ms: 600_000 })
      assert.deepInclude(late.inFlight?.blocks[0], { id: "c1", state: "asking" })
      assert.strictEqual(pod.runs(), 0)

      const answer = yield* pod.handle.approve(approval.approval_id, "allow", { by: "ann" })
      assert.deepStrictEqual(answer, { approval_id: approval.approval_id, decision: "allow", by: "ann" })
      const second = yield* refusal(pod.handle.approve(approval.approval_id, "deny", { by: "bob" }))
      assert.strictEqual(second.code, "conflict")
      assert.match(second.message, /allow by ann/)
      assert.strictEqual((yield* refusal(pod.handle.approve("nothing", "allow"))).code, "not_found")

      const { results } = yield* pod.told
      assert.deepInclude(results[0], { id: "c1", isError: false })
      assert.strictEqual(pod.runs(), 1)
      assert.deepStrictEqual((yield* pod.handle.attach).pendingApprovals, [])
      const seen = (yield* late.take).map(({ event }) => event)
      assert.deepStrictEqual(seen.slice(0, 3), ["approval_resolved", "tool_started", "tool_result"])
      assert.deepStrictEqual(
        approvalRecords(pod.memory, pod.ref).map(({ by, decision, op }) => [op, decision, by]),
        [
          ["requested", undefined, undefined],
          ["resolved", "allow", "ann"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("is denied at once when nobody is there, and the model is told why", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      // Somebody was there, and left.
      yield* Effect.scoped(pod.handle.attendApprovals)
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1"))
      const { results } = yield* pod.told
      assert.isTrue(results[0]?.isError)
      assert.match(JSON.stringify(results), /nobody is connected/)
      assert.deepStrictEqual(approvalRecords(pod.memory, pod.ref), [])
    }).pipe(Effect.scoped)
  )

  it.effect("waits for as long as it says, also when everybody leaves, and is denied then", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      const there = yield* Scope.make()
      yield* Scope.provide(pod.handle.attendApprovals, there)
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1"))
      const { approval_id } = yield* pod.requested
      yield* Scope.close(there, Exit.void)
      yield* rest
      yield* TestClock.adjust("599999 millis")
      yield* rest
      assert.lengthOf(yield* pod.handle.approvals, 1)
      yield* TestClock.adjust("1 millis")
      const { results } = yield* pod.told
      assert.match(JSON.stringify(results), /nobody answered in time/)
      assert.strictEqual(pod.runs(), 0)
      const late = yield* refusal(pod.handle.approve(approval_id, "allow"))
      assert.match(late.message, /deny by expiry/)
    }).pipe(Effect.scoped)
  )

  it.effect("holds up no other call of the same answer, and several are asked for at once", () =>
    Effect.gen(function* () {
      const { runs, tool } = counting("Free")
      const pod = yield* openAsking({ tools: [tool] })
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1", "a"), { id: "c2", name: "Free", args: {} }, asked("c3", "b"))
      const seen = yield* until(pod.take, isEvent("tool_result"))
      assert.strictEqual(runs(), 1)
      const ids = seen.flatMap((event) => (event.event === "approval_requested" ? [event.data] : []))
      assert.deepStrictEqual(
        ids.map(({ call_id }) => call_id),
        ["c1", "c3"]
      )
      yield* pod.handle.approve(ids[1]?.approval_id ?? "", "allow")
      yield* pod.handle.approve(ids[0]?.approval_id ?? "", "deny", { reason: "not today" })
      const { results } = yield* pod.told
      assert.deepStrictEqual(
        results.map(({ id, isError }) => [id, isError]),
        [
          ["c1", true],
          ["c2", false],
          ["c3", false]
        ]
      )
      assert.match(JSON.stringify(results[0]), /not today/)
    }).pipe(Effect.scoped)
  )

  it.effect("holds up no call behind it, however many are asked for", () =>
    Effect.gen(function* () {
      const { runs, tool } = counting("Free")
      const pod = yield* openAsking({ tools: [tool] })
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      const many = Array.from({ length: 40 }, (_, i) => asked(`c${i}`, `w${i}`))
      yield* pod.callTools(...many, { id: "free", name: "Free", args: {} })
      yield* until(pod.take, isEvent("tool_result"))
      assert.strictEqual(runs(), 1)
      yield* pod.handle.approve((yield* pod.handle.approvals)[39]?.approval_id ?? "", "allow")
      yield* until(pod.take, isEvent("tool_result"))
      assert.strictEqual(pod.runs(), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("a cancel ends the wait: the approval is denied, the call answered, nothing run", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1"))
      const { approval_id } = yield* pod.requested
      yield* pod.handle.cancel
      const seen = (yield* until(pod.take, isStatus("idle"))).map(
        (event) => [event.event, "data" in event ? event.data : undefined] as const
      )
      assert.deepStrictEqual(
        seen.map(([name]) => name),
        ["approval_resolved", "tool_result", "run_end", "status"]
      )
      assert.deepStrictEqual(seen[0]?.[1], { approval_id, decision: "deny", by: "cancel" })
      assert.match(JSON.stringify(seen[1]?.[1]), /Interrupted/)
      assert.strictEqual((yield* refusal(pod.handle.approve(approval_id, "allow"))).code, "conflict")
      assert.strictEqual(pod.runs(), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("a pause closes the approval, and the resumed leg asks again", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1"))
      const first = yield* pod.requested
      yield* pod.handle.pause
      yield* until(pod.take, isStatus("paused"))
      assert.deepStrictEqual(yield* pod.handle.approvals, [])
      yield* pod.handle.resume
      const second = yield* pod.requested
      assert.notStrictEqual(second.approval_id, first.approval_id)
      assert.deepInclude((yield* pod.handle.attach).inFlight?.blocks[0], { id: "c1", name: "Asked", state: "asking" })
      yield* pod.handle.approve(second.approval_id, "allow")
      const { results } = yield* pod.told
      assert.isFalse(results[0]?.isError)
    }).pipe(Effect.scoped)
  )

  it.effect("a shutdown ends the wait", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1"))
      yield* pod.requested
      yield* pod.handle.shutdown
      const records = approvalRecords(pod.memory, pod.ref)
      assert.deepInclude(records.at(-1), { op: "resolved", decision: "deny", by: "cancel" })
    }).pipe(Effect.scoped)
  )

  it.effect("waits its turn behind a call that changes the same path", () =>
    Effect.gen(function* () {
      const { begun, tool: long } = yield* stuck()
      const pod = yield* openAsking({ tools: [long] })
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools({ id: "c1", name: "Stuck", args: {} }, asked("c2"))
      yield* Deferred.await(begun)
      const { approval_id } = yield* pod.requested
      yield* pod.handle.approve(approval_id, "allow")
      yield* until(pod.take, (event) => event.event === "tool_result" && event.data.id === "c2")
      assert.strictEqual(pod.runs(), 1)
    }).pipe(Effect.scoped)
  )
})

/** A pod that is killed while it asks. */
const killedWhileAsking = Effect.gen(function* () {
  const memory = MemoryStore.make()
  const first = yield* openAsking({}, memory)
  yield* first.handle.attendApprovals
  yield* first.handle.run("go")
  yield* first.callTools(asked("c1"))
  const approval = yield* first.requested
  return { memory, ref: first.ref, approval }
})

describe("a restart in the middle of a question", () => {
  it.effect("ends the run, and the approval as denied", () =>
    Effect.gen(function* () {
      const { approval, memory, ref } = yield* killedWhileAsking
      const pod = yield* openAsking({}, memory)
      assert.strictEqual(yield* pod.handle.status, "idle")
      assert.deepInclude(approvalRecords(memory, ref).at(-1), {
        op: "resolved",
        approval_id: approval.approval_id,
        decision: "deny",
        by: "restart"
      })
      assert.match((yield* refusal(pod.handle.approve(approval.approval_id, "allow"))).message, /deny by restart/)
    }).pipe(Effect.scoped)
  )

  it.effect('"resume" asks again under the same name, also before anybody is back, with all its time', () =>
    Effect.gen(function* () {
      const { approval, memory, ref } = yield* killedWhileAsking
      yield* TestClock.adjust("5 minutes")
      const pod = yield* openAsking({ onInterrupted: "resume" }, memory)
      yield* rest
      const [again] = yield* pod.handle.approvals
      assert.strictEqual(again?.approval_id, approval.approval_id)
      assert.strictEqual(again?.expires_at, 300_000 + 600_000)
      yield* pod.handle.approve(approval.approval_id, "allow")
      const { results } = yield* pod.told
      assert.isFalse(results[0]?.isError)
      assert.deepStrictEqual(
        approvalRecords(memory, ref).map(({ op }) => op),
        ["requested", "requested", "resolved"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect('"paused" denies it, and asks anew when somebody goes on', () =>
    Effect.gen(function* () {
      const { approval, memory, ref } = yield* killedWhileAsking
      const pod = yield* openAsking({ onInterrupted: "paused" }, memory)
      assert.deepInclude(approvalRecords(memory, ref).at(-1), { decision: "deny", by: "restart" })
      yield* pod.handle.attendApprovals
      yield* pod.handle.resume
      assert.notStrictEqual((yield* pod.requested).approval_id, approval.approval_id)
    }).pipe(Effect.scoped)
  )
})

describe("an answer for the session", () => {
  const allowedOnce = Effect.gen(function* () {
    const pod = yield* openAsking()
    const there = yield* Effect.forkChild(Effect.scoped(Effect.andThen(pod.handle.attendApprovals, Effect.never)), {
      startImmediately: true
    })
    yield* pod.handle.run("one")
    yield* pod.callTools(asked("c1"))
    const { approval_id } = yield* pod.requested
    yield* pod.handle.approve(approval_id, "allow_session")
    const { call } = yield* pod.told
    yield* call.answer("done")
    yield* until(pod.take, isStatus("idle"))
    // From here on nobody could answer: what is not remembered is denied.
    yield* Fiber.interrupt(there)
    return pod
  })

  /** How many of these calls run, in a new turn. */
  const runsOf = Effect.fnUntraced(function* (
    pod: Pick<Effect.Success<ReturnType<typeof openAsking>>, "callTools" | "handle" | "runs" | "told">,
    ...what: ReadonlyArray<string>
  ) {
    const before = pod.runs()
    yield* pod.handle.run("again")
    yield* pod.callTools(...what.map((name, i) => asked(`again ${i}`, name)))
    const { call } = yield* pod.told
    yield* call.answer("done")
    yield* rest
    return pod.runs() - before
  })

  it.effect("allows the same again and nothing else, also after a restart and a rewind", () =>
    Effect.gen(function* () {
      const pod = yield* allowedOnce
      assert.strictEqual(yield* runsOf(pod, "x", "y"), 1)
      const { head_entries, targets } = yield* pod.handle.rewindTargets
      yield* pod.handle.rewindTo((targets.at(-1) as (typeof targets)[number]).id, head_entries)
      assert.strictEqual(yield* runsOf(pod, "x"), 1)
      yield* pod.handle.shutdown
      const restarted = yield* openAsking({}, pod.memory)
      assert.strictEqual(yield* runsOf(restarted, "x", "y"), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is also one for the same call that waits already", () =>
    Effect.gen(function* () {
      const pod = yield* openAsking()
      yield* pod.handle.attendApprovals
      yield* pod.handle.run("go")
      yield* pod.callTools(asked("c1", "a"), asked("c2", "b"), asked("c3", "a"))
      yield* rest
      const [first] = yield* pod.handle.approvals
      yield* pod.handle.approve(first?.approval_id ?? "", "allow_session", { by: "ann" })
      yield* rest
      assert.deepStrictEqual(
        (yield* pod.handle.approvals).map(({ call_id }) => call_id),
        ["c2"]
      )
      assert.strictEqual(pod.runs(), 2)
      assert.deepInclude(approvalRecords(pod.memory, pod.ref).at(-1), { decision: "allow", by: "ann" })
    }).pipe(Effect.scoped)
  )

  it.effect("goes along when the session moves to another segment", () =>
    Effect.gen(function* () {
      const pod = yield* allowedOnce
      pod.memory.write(pod.ref, new TextEncoder().encode('{"kind":"user_input","ts":1,"segments":[]}\n'))
      assert.strictEqual(yield* runsOf(pod, "x", "y"), 1)
      assert.notStrictEqual(pod.journal.segmentId(), pod.ref.segmentId)
      yield* pod.handle.shutdown
      assert.strictEqual(yield* runsOf(yield* openAsking({}, pod.memory), "x"), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is not a fork's: that is another session", () =>
    Effect.gen(function* () {
      const pod = yield* allowedOnce
      yield* pod.handle.fork("other")
      const fork = yield* openAsking({ name: "other" }, pod.memory)
      assert.strictEqual(yield* runsOf(fork, "x"), 0)
    }).pipe(Effect.scoped)
  )
})
