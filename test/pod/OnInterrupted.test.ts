import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Hook } from "../../src/hooks/Hook.ts"
import type { SegmentRef } from "../../src/session/SessionStore.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { fileOf, isEvent, isStatus, open, rest, until } from "../support/podBench.ts"
import { say, texts } from "../support/talk.ts"

/** A pod that is killed while a tool runs; what was not started yet is open too. */
const killedInTool = Effect.gen(function* () {
  const memory = MemoryStore.make()
  const { begun, tool } = yield* stuck()
  const first = yield* open(memory, { tools: [tool] })
  const { run_id } = yield* first.handle.run("go")
  yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
  yield* Deferred.await(begun)
  return { memory, run_id, ref: first.ref }
})

const lastStart = (memory: MemoryStore.MemoryStore, ref: SegmentRef) =>
  fileOf(memory, ref)
    .flatMap((entry) => (entry.kind === "extension" && entry.domain === "pod.run" ? [entry.payload] : []))
    .at(-1)

describe("a run that a crash has cut", () => {
  it.effect('"paused": waits, and goes on when it is told to, with the tool\'s outcome unknown', () =>
    Effect.gen(function* () {
      const { memory, ref, run_id } = yield* killedInTool
      const { runs, tool } = counting("Stuck")
      const pod = yield* open(memory, { tools: [tool], onInterrupted: "paused" })
      expect(yield* pod.handle.status).toBe("paused")
      expect(fileOf(memory, ref).at(-1)).toMatchObject({ outcome: { result: "paused", by_crash: true } })
      yield* rest
      expect(pod.model.open()).toBe(0)
      expect(yield* pod.handle.resume).toEqual({ run_id, leg: 2 })
      const { request } = yield* pod.model.next
      expect(request.messages.at(-1)).toMatchObject({ role: "tool", results: [{ id: "c1", isError: true }] })
      expect(runs()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect('"resume": goes on by itself, and after three starts waits for a person', () =>
    Effect.gen(function* () {
      const { memory, ref, run_id } = yield* killedInTool
      for (const attempt of [1, 2, 3]) {
        const pod = yield* open(memory, { onInterrupted: "resume" })
        yield* pod.model.next
        expect(lastStart(memory, ref)).toMatchObject({ run_id, leg: attempt + 1, attempt })
      }
      const last = yield* open(memory, { onInterrupted: "resume" })
      yield* rest
      expect([yield* last.handle.status, last.model.open()]).toEqual(["paused", 0])
      // A person's word starts the count anew.
      yield* last.handle.resume
      yield* last.model.next
      const next = yield* open(memory, { onInterrupted: "resume" })
      yield* next.model.next
      expect(lastStart(memory, ref)).toMatchObject({ leg: 6, attempt: 1 })
    }).pipe(Effect.scoped)
  )

  it.effect('"resume" leaves a run alone that a person has paused, and one pause is one record', () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("go")
      const call = yield* first.model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
      yield* until(take, isEvent("text_delta"))
      yield* first.handle.pause
      yield* until(take, isStatus("paused"))
      const pod = yield* open(memory, { onInterrupted: "resume" })
      yield* rest
      expect([yield* pod.handle.status, pod.model.open()]).toEqual(["paused", 0])
    }).pipe(Effect.scoped)
  )

  /** A pod that is killed between the answer, which is in the journal, and the end of the run. */
  const killedBehindAnswer = Effect.gen(function* () {
    const memory = MemoryStore.make()
    const reached = yield* Deferred.make<void>()
    const slow: Hook = {
      name: "slow",
      onTurnEnd: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
    }
    const first = yield* open(memory, { hooks: [slow] })
    const { run_id } = yield* first.handle.run("go")
    yield* Effect.flatMap(first.model.next, (call) => call.answer("done"))
    yield* Deferred.await(reached)
    return { first, memory, run_id }
  })

  it.effect('"resume": a run whose answer is there ends, and nobody is asked for it again', () =>
    Effect.gen(function* () {
      const { first, memory, run_id } = yield* killedBehindAnswer
      const pod = yield* open(memory, { onInterrupted: "resume" })
      const { take } = yield* pod.handle.attach
      if ((yield* pod.handle.status) !== "idle") yield* until(take, isStatus("idle"))
      expect(pod.model.open()).toBe(0)
      expect(fileOf(memory, first.ref).at(-1)).toMatchObject({ run_id, leg: 2, outcome: { result: "finished" } })
      expect(texts((yield* say(pod, "next")).messages)).toEqual(["go", "assistant", "next"])
    }).pipe(Effect.scoped)
  )

  it.effect('"resume": what came behind the answer is for the model', () =>
    Effect.gen(function* () {
      const { first, memory } = yield* killedBehindAnswer
      yield* first.handle.run("more", { delivery: "steer" })
      const pod = yield* open(memory, { onInterrupted: "resume" })
      const { request } = yield* pod.model.next
      expect(texts(request.messages)).toEqual(["go", "assistant", "more"])
    }).pipe(Effect.scoped)
  )

  it.effect("paused and resumed after a restart asks the model the same bytes as without the pause", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("go")
      const call = yield* first.model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
      yield* until(take, isEvent("text_delta"))
      yield* first.handle.pause
      yield* until(take, isStatus("paused"))
      const second = yield* open(memory)
      yield* second.handle.resume
      const again = yield* second.model.next
      expect(JSON.stringify(again.request)).toBe(JSON.stringify(call.request))
    }).pipe(Effect.scoped)
  )

  it.effect('"resume": the start is not the person that a held queue waits for', () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("one")
      const call = yield* first.model.next
      yield* first.handle.run("queued", { delivery: "queue" })
      yield* call.fail(badRequest)
      yield* until(take, isStatus("idle"))
      yield* first.handle.notify("wake up")
      yield* first.model.next
      const pod = yield* open(memory, { onInterrupted: "resume" })
      const client = yield* pod.handle.attach
      yield* Effect.flatMap(pod.model.next, (again) => again.answer("fine"))
      yield* until(client.take, isStatus("idle"))
      yield* rest
      expect([pod.model.open(), yield* pod.handle.inboxSize]).toEqual([0, 1])
      expect(yield* pod.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      yield* pod.handle.shutdown
      const later = yield* open(memory)
      yield* rest
      expect([later.model.open(), yield* later.handle.inboxSize]).toEqual([0, 1])
    }).pipe(Effect.scoped)
  )
})
