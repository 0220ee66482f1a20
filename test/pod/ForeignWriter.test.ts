import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { plain } from "../support/sessionState.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"

const foreign = new TextEncoder().encode(
  '{"kind":"user_input","ts":1,"segments":[{"kind":"text","content":"foreign"}]}\n'
)

describe("a journal that somebody else has written to", () => {
  it.effect("is left as it is: the pod goes on in a new segment, behind its own lines", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const before = bench.memory.lines(bench.ref)
      const { take } = yield* bench.handle.attach
      bench.memory.write(bench.ref, foreign)
      const request = yield* say(bench, "two")
      expect(JSON.stringify(request)).not.toContain("foreign")
      // Not a byte of the other writer was touched, and none of ours came behind it.
      expect(bench.memory.lines(bench.ref)).toEqual([...before, new TextDecoder().decode(foreign).trimEnd()])
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.map(({ event }) => event).slice(0, 2)).toEqual(["segment_rotated", "user_message"])
      const segmentId = (yield* bench.handle.segmentId) ?? ""
      expect(segmentId).not.toBe(bench.ref.segmentId)
      const lines = fileOf(bench.memory, { ...bench.ref, segmentId })
      expect(names(lines).slice(0, 5)).toEqual(["segment_start", "pod.scope", "pod.format", "pod.base", "pod.carry"])
      expect(lines[1]).toMatchObject({ payload: { allow: [{ target: "/w" }] } })
      const again = yield* open(bench.memory)
      expect(again.journal.segmentId()).toBe(segmentId)
      expect((yield* plain(again.journal.state)).history).toEqual((yield* plain(bench.journal.state)).history)
    }).pipe(Effect.scoped)
  )

  it.effect("in the middle of a run: the run goes on, and what it has done and what waits goes with it", () =>
    Effect.gen(function* () {
      const { runs, tool } = counting("Act")
      const bench = yield* fresh({ tools: [tool] })
      const { run_id } = yield* bench.handle.run("go", { key: "k" })
      const call = yield* bench.model.next
      yield* bench.handle.run("after", { delivery: "queue" })
      bench.memory.write(bench.ref, foreign)
      yield* call.callTools({ id: "c1", name: "Act", args: {} })
      const second = yield* bench.model.next
      expect(second.request.messages.at(-1)).toMatchObject({ role: "tool", results: [{ text: "done" }] })
      expect(runs()).toBe(1)
      yield* second.answer("finished")
      yield* Effect.flatMap(bench.model.next, (next) => next.answer("and after"))
      const seen = yield* until(bench.take, (event) => event.event === "run_end" && event.data.run_id !== run_id)
      expect(seen.filter(({ event }) => event === "run_end")).toHaveLength(2)
      const restart = yield* open(bench.memory)
      expect((yield* restart.handle.run("go", { key: "k" })).run_id).toBe(run_id)
      expect(restart.journal.state.history.length).toBe(bench.journal.state.history.length)
    }).pipe(Effect.scoped)
  )

  it.effect("right after a run was accepted: a cancel ends it, though its lines are in the segment before", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const { run_id } = yield* bench.handle.run("two")
      yield* bench.model.next
      bench.memory.write(bench.ref, foreign)
      const { take } = yield* bench.handle.attach
      yield* bench.handle.cancel
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.filter(({ event }) => event === "run_end")).toHaveLength(1)
      const again = yield* open(bench.memory)
      expect(again.journal.state.run).toBeUndefined()
      const request = yield* say(again, "three")
      expect(request.messages.at(-1)).toMatchObject({ text: "three" })
      expect(run_id).not.toBe("")
    }).pipe(Effect.scoped)
  )

  it.effect("a client that attaches then sees the log with its history filled in, like one that was there", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      bench.memory.write(bench.ref, foreign)
      yield* say(bench, "two")
      const attachment = yield* bench.handle.attach
      const pieces = yield* Stream.runCollect(attachment.entries(0))
      const [first] = JSON.parse(`[${pieces.join("")}]`) as Array<LogEntry>
      expect(first).toMatchObject({ kind: "segment_start", history: [{ role: "user" }, { role: "assistant" }] })
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["two"])
      expect((yield* bench.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
    }).pipe(Effect.scoped)
  )

  it.effect("does not stand in the way of a rewind, nor of its undoing", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      for (const text of ["one", "two", "three"]) yield* say(bench, text)
      bench.memory.write(bench.ref, foreign)
      const whole = (yield* plain(bench.journal.state)).history
      expect(yield* back(bench.handle, "three")).toMatchObject({ tool_side_effect_warning: false })
      expect((yield* bench.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
      yield* bench.handle.undoRewind
      expect((yield* plain(bench.journal.state)).history).toEqual(whole)
      const again = yield* open(bench.memory)
      expect((yield* plain(again.journal.state)).history).toEqual(whole)
    }).pipe(Effect.scoped)
  )

  it.effect("between a rewind and its undoing loses nothing of what was hidden", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      for (const text of ["one", "two"]) yield* say(bench, text)
      const whole = (yield* plain(bench.journal.state)).history
      yield* back(bench.handle, "two")
      bench.memory.write(bench.ref, foreign)
      yield* bench.handle.undoRewind
      expect((yield* plain(bench.journal.state)).history).toEqual(whole)
      expect(JSON.stringify(yield* entriesOf(bench.handle))).not.toContain("foreign")
      const again = yield* open(bench.memory)
      expect((yield* plain(again.journal.state)).history).toEqual(whole)
      expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
    }).pipe(Effect.scoped)
  )

  it.effect("after a start that found a mark at the end: the new segment shows all that is said in it", () =>
    Effect.gen(function* () {
      const first = yield* fresh()
      yield* say(first, "one")
      yield* back(first.handle, "one")
      const bench = yield* open(first.memory)
      bench.memory.write(bench.ref, foreign)
      for (const text of ["two", "three"]) yield* say(bench, text)
      const live = (yield* entriesOf(bench.handle)).map(({ kind }) => kind)
      expect(live.filter((kind) => kind === "invoke")).toHaveLength(2)
      const again = yield* open(bench.memory)
      expect((yield* entriesOf(again.handle)).map(({ kind }) => kind)).toEqual(live)
    }).pipe(Effect.scoped)
  )
})

describe("what a pod says again in its new segment", () => {
  it.effect("that its inbox is held: after a restart the queued run waits for a person still", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* bench.handle.run("fails")
      const call = yield* bench.model.next
      yield* bench.handle.run("queued", { delivery: "queue" })
      yield* call.fail(badRequest)
      yield* until(bench.take, isStatus("idle"))
      bench.memory.write(bench.ref, foreign)
      yield* bench.handle.notify("note", { wake: false })
      expect(bench.journal.segmentId()).not.toBe(bench.ref.segmentId)
      const again = yield* open(bench.memory)
      yield* rest
      expect(yield* again.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      expect(again.model.open()).toBe(0)
      expect((yield* again.handle.inbox).map(({ preview }) => preview)).toEqual(["queued", "note"])
    }).pipe(Effect.scoped)
  )

  it.effect("how many turns its run has had: the limit is that of the whole run", () =>
    Effect.gen(function* () {
      const { tool } = counting("Act")
      const bench = yield* fresh({ tools: [tool], maxTurns: 2 })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c1", name: "Act", args: {} }))
      const second = yield* bench.model.next
      bench.memory.write(bench.ref, foreign)
      yield* second.callTools({ id: "c2", name: "Act", args: {} })
      const seen = yield* until(bench.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "limit_reached", limit: "max_turns" } })
    }).pipe(Effect.scoped)
  )

  it.effect("how often starts have taken its run up: after three the run waits for a person", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const first = yield* open(MemoryStore.make(), { tools: [tool] })
      const { memory } = first
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      for (const attempt of [1, 2, 3]) {
        const pod = yield* open(memory, { onInterrupted: "resume" })
        yield* pod.model.next
        expect(pod.journal.state.run).toMatchObject({ attempts: attempt })
        memory.write({ ...pod.ref, segmentId: pod.journal.segmentId() ?? "" }, foreign)
        yield* pod.handle.notify("note", { wake: false })
        expect(pod.journal.segmentId()).not.toBe(pod.ref.segmentId)
      }
      const last = yield* open(memory, { onInterrupted: "resume" })
      yield* rest
      expect([yield* last.handle.status, last.model.open()]).toEqual(["paused", 0])
    }).pipe(Effect.scoped)
  )
})
