/**
 * Many clients answer at the same time, a cancel or a pause races them, time runs out, and the process is killed in the
 * middle. From seeds: whatever comes first, each approval has one answer in the journal, who was told "yours" was it,
 * and the tool ran only if that answer allowed it.
 */
import { expect, it } from "vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Approving } from "../../src/pod/Approving.ts"
import type { ApprovalDecision } from "../../src/protocol/Approval.ts"
import type { SegmentRef } from "../../src/session/SessionStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import * as MortalStore from "../support/mortalStore.ts"
import { type BenchOptions, fileOf, open } from "../support/podBench.ts"
import { simulate } from "../support/World.ts"

const decisions: ReadonlyArray<ApprovalDecision> = ["allow", "deny", "allow_session"]
const nap = (most: number) => Effect.flatMap(Random.nextIntBetween(0, most), (millis) => Effect.sleep(millis))
const oneOf = <A>(values: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, values.length - 1), (i) => values[i] as A)

interface Record {
  readonly op: string
  readonly approval_id: string
  readonly call_id?: string
  readonly decision?: ApprovalDecision
  readonly by?: string
}

const recordsOf = (memory: MemoryStore.MemoryStore, ref: SegmentRef) =>
  fileOf(memory, ref).flatMap((entry) =>
    entry.kind === "extension" && entry.domain === "pod.approval" ? [entry.payload as unknown as Record] : []
  )

/** How often each decision came to be, over all seeds: a race that one side always wins is none. */
const tally = new Map<string, number>()

const scenario = Effect.scoped(
  Effect.gen(function* () {
    const memory = MemoryStore.make()
    const mortal = MortalStore.make(memory)
    const ran: Array<string> = []
    const tool = Tool.make({
      name: "Asked",
      description: "has an effect",
      parameters: Schema.Struct({ what: Schema.String }),
      idempotent: false,
      run: ({ what }) =>
        Effect.sync(() => {
          ran.push(what)
          return { summary: "done" }
        })
    })
    const permit = (ask: Approving["ask"]) => (call: { callId: string; tool: string; args: object }) =>
      Effect.succeed({
        _tag: "Ask" as const,
        question: ask({
          callId: call.callId,
          tool: call.tool,
          arguments: JSON.stringify(call.args),
          target: "t",
          subject: call.callId,
          timeout: Duration.millis(30)
        })
      })
    const options: BenchOptions = { tools: [tool], permit, stores: mortal.memory.layer }
    const pod = yield* open(memory, options)
    yield* pod.handle.attendApprovals
    yield* pod.handle.run("go")
    const call = yield* pod.model.next
    yield* call.callTools(
      { id: "c1", name: "Asked", args: { what: "c1" } },
      { id: "c2", name: "Asked", args: { what: "c2" } }
    )
    const told: Array<{ readonly id: string; readonly by: string; readonly decision: ApprovalDecision }> = []
    const client = Effect.fnUntraced(function* (by: string) {
      yield* nap(80)
      for (const { approval_id } of yield* pod.handle.approvals) {
        const decision = yield* oneOf(decisions)
        const exit = yield* Effect.exit(pod.handle.approve(approval_id, decision, { by }))
        if (Exit.isSuccess(exit)) told.push({ id: approval_id, by, decision: exit.value.decision })
        yield* nap(5)
      }
    })
    const meddle = Effect.gen(function* () {
      yield* nap(80)
      const how = yield* oneOf(["nothing", "cancel", "pause", "kill", "shutdown"] as const)
      if (how === "cancel") yield* Effect.ignore(pod.handle.cancel)
      if (how === "pause") yield* Effect.ignore(pod.handle.pause)
      if (how === "shutdown") yield* pod.handle.shutdown
      if (how === "kill") mortal.kill(yield* Random.next)
      return how
    })
    const [how] = yield* Effect.all(
      [meddle, ...["ann", "bob", "cleo", "dan"].map((by) => Effect.timeoutOption(client(by), "2 seconds"))],
      { concurrency: "unbounded" }
    )
    yield* Effect.sleep("3 seconds")
    // Nothing waits for ever: without anybody's help the pod is idle, paused, stopped or dead by now.
    if (how !== "kill") expect(yield* pod.handle.approvals).toEqual([])
    yield* pod.handle.shutdown
    const again = yield* open(memory, { tools: [tool], permit })
    const records = recordsOf(memory, pod.ref)
    const ids = new Set(records.map(({ approval_id }) => approval_id))
    for (const id of ids) {
      const answers = records.filter(({ approval_id, op }) => approval_id === id && op === "resolved")
      expect(answers.length, `answers of ${id}`).toBe(1)
      const [answer] = answers
      const mine = told.filter((each) => each.id === id)
      expect(mine.length).toBeLessThanOrEqual(1)
      if (mine[0] !== undefined) expect(answer).toMatchObject({ by: mine[0].by, decision: mine[0].decision })
      const asked = records.find(({ approval_id, op }) => approval_id === id && op === "requested")
      const times = ran.filter((callId) => callId === asked?.call_id).length
      expect(times).toBeLessThanOrEqual(answer?.decision === "deny" ? 0 : 1)
      const key = `${answer?.decision} by ${/^(ann|bob|cleo|dan)$/.test(answer?.by ?? "") ? "a client" : answer?.by}`
      tally.set(key, (tally.get(key) ?? 0) + 1)
    }
    expect(again.journal.state.approvals.open.size).toBe(0)
    if (again.journal.state.run === undefined) expect(again.journal.state.openCalls.size).toBe(0)
    yield* again.handle.shutdown
    return records.length
  })
)

it("one answer for each approval, in any order of events", { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { exit } = await simulate(seed, scenario)
    if (Exit.isFailure(exit)) throw new Error(`seed ${seed}: ${String(exit.cause)}`)
  }
  for (const way of [
    "allow by a client",
    "deny by a client",
    "deny by expiry",
    "deny by cancel",
    "deny by pause",
    "deny by restart"
  ]) {
    expect(tally.get(way) ?? 0, way).toBeGreaterThan(5)
  }
})
