import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Answer } from "../../src/pod/PodHandle.ts"
import type { Method } from "../../src/protocol/Method.ts"
import { stuck } from "../support/benchTools.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"

const run = (text: string): Method => ({ method: "run", params: { input: [{ kind: "text", content: text }] } })

const ends = (file: ReadonlyArray<string>) =>
  file.filter((name) => name === "run_errored" || name === "run_completed" || name === "pod.mark rollback")

describe("a store that stands still for longer than its time-out, then goes on", () => {
  it.effect("at acceptance: the sender has one answer, and no run is left without an end", () =>
    Effect.gen(function* () {
      const slow = faultyDisk()
      const { handle, memory, model, ref, take } = yield* fresh({ wrap: slow.wrap })
      yield* handle.run("first")
      yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
      yield* until(take, isStatus("idle"))
      slow.set("still")
      const answers: Array<Answer> = []
      yield* handle.submit(run("second"), (answer) => {
        answers.push(answer)
      })
      yield* rest
      yield* TestClock.adjust("31 seconds")
      yield* slow.go
      yield* rest
      // Refused or accepted, but not both.
      expect(answers.map((answer) => answer.ok)).toHaveLength(1)
      const file = names(fileOf(memory, ref))
      const isAccepted = answers[0]?.ok === true
      expect(file.filter((name) => name === "pod.run start")).toHaveLength(isAccepted ? 2 : ends(file).length)
      expect(yield* handle.status).toBe(isAccepted ? "running" : "idle")
    }).pipe(Effect.scoped)
  )

  it.effect("with the writer's queue full: who waits for a place is answered in time, too", () =>
    Effect.gen(function* () {
      const slow = faultyDisk()
      const { handle, journal, model, take } = yield* fresh({ wrap: slow.wrap })
      yield* handle.run("first")
      yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
      yield* until(take, isStatus("idle"))
      slow.set("still")
      yield* Effect.forkScoped(handle.notify("stands still", { wake: false }))
      yield* rest
      const flood = Effect.forEach(Array.from({ length: 5_000 }), () =>
        journal.emit({ event: "text_delta", data: { text: "x" } })
      )
      yield* Effect.forkScoped(flood)
      yield* TestClock.adjust("31 seconds")
      yield* rest
      const second = yield* Effect.forkChild(Effect.flip(handle.notify("no place", { wake: false })))
      yield* rest
      for (let i = 0; i < 10; i++) {
        yield* TestClock.adjust("1 minute")
        yield* rest
      }
      const isAnswered = second.pollUnsafe() !== undefined
      yield* slow.go
      expect(isAnswered, "after ten minutes nobody has answered").toBe(true)
    }).pipe(Effect.scoped)
  )

  it.effect("at the end of a leg: one run_end, one terminal record", () =>
    Effect.gen(function* () {
      const slow = faultyDisk()
      const { handle, memory, model, ref, take } = yield* fresh({ wrap: slow.wrap })
      yield* handle.run("first")
      const call = yield* model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "x" })
      yield* until(take, isEvent("text_delta"))
      slow.set("still")
      yield* handle.cancel
      yield* rest
      // The barrier and the terminal record each wait for the store.
      yield* TestClock.adjust("31 seconds")
      yield* rest
      yield* TestClock.adjust("31 seconds")
      yield* rest
      yield* slow.go
      yield* rest
      yield* handle.run("again")
      yield* Effect.flatMap(model.next, (next) => next.answer("ok"))
      const seen = yield* until(take, (event) => event.event === "run_end" && event.data.result === "finished")
      expect(seen.filter(isEvent("run_end"))).toHaveLength(2)
      expect(ends(names(fileOf(memory, ref)))).toHaveLength(2)
    }).pipe(Effect.scoped)
  )
})

describe("a store that is full when a leg ends", () => {
  it.effect("by a pause: the run is over for everybody, and the status can be left", () =>
    Effect.gen(function* () {
      const full = faultyDisk()
      const { handle, memory, model, ref, take } = yield* fresh({ wrap: full.wrap })
      yield* handle.run("first")
      const call = yield* model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "x" })
      yield* until(take, isEvent("text_delta"))
      full.set("full")
      yield* handle.pause
      const seen = yield* until(take, (event) => event.event === "status")
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { result: "failed", error: { code: "storage_error" } }
      })
      full.set("fine")
      // What was said must be what is: a run that failed is not paused.
      expect(seen.find(isEvent("status"))).toMatchObject({ data: { status: "idle" } })
      yield* handle.notify("settles the debt", { wake: false })
      const record = fileOf(memory, ref).find((entry) => entry.kind === "run_errored")
      expect(record).toMatchObject({ outcome: { result: "failed" } })
      expect(yield* handle.status).toBe("idle")
      expect((yield* Effect.flip(handle.resume)).code).toBe("not_paused")
    }).pipe(Effect.scoped)
  )

  it.effect("by a pause before any output: the pod does not come back as paused", () =>
    Effect.gen(function* () {
      const full = faultyDisk()
      const memory = MemoryStore.make()
      const { handle, model } = yield* open(memory, { wrap: full.wrap })
      const { take } = yield* handle.attach
      yield* handle.run("first")
      yield* model.next
      full.set("full")
      yield* handle.pause
      yield* until(take, isStatus("idle"))
      full.set("fine")
      yield* handle.notify("settles the debt", { wake: false })
      yield* handle.shutdown
      expect(yield* (yield* open(memory)).handle.status).toBe("idle")
    }).pipe(Effect.scoped)
  )

  it.effect("with something queued: what the pod waits for is said", () =>
    Effect.gen(function* () {
      const full = faultyDisk()
      const { handle, model, take } = yield* fresh({ wrap: full.wrap })
      yield* handle.run("first")
      const call = yield* model.next
      yield* handle.run("queued", { delivery: "queue" })
      full.set("full")
      yield* call.answer("ok")
      yield* until(take, isStatus("idle"))
      yield* rest
      expect(yield* handle.waitingOn).toMatchObject({ kind: "inbox_held" })
    }).pipe(Effect.scoped)
  )

  it.effect("with open calls: clients are told their results all the same", () =>
    Effect.gen(function* () {
      const full = faultyDisk()
      const { begun, tool } = yield* stuck()
      const { handle, memory, model, ref, take } = yield* fresh({ wrap: full.wrap, tools: [tool] })
      yield* handle.run("first")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      full.set("full")
      yield* handle.cancel
      const seen = [...(yield* until(take, isStatus("idle")))]
      full.set("fine")
      yield* handle.run("again")
      yield* Effect.flatMap(model.next, (next) => next.answer("ok"))
      seen.push(...(yield* until(take, isStatus("idle"))))
      expect(fileOf(memory, ref).filter((entry) => entry.kind === "tool_result")).toHaveLength(1)
      expect(seen.filter(isEvent("tool_result"))).toHaveLength(1)
    }).pipe(Effect.scoped)
  )
})

describe("a store with a defect", () => {
  it.effect("refuses what came in that moment; the pod hears and answers what comes later", () =>
    Effect.gen(function* () {
      const broken = faultyDisk()
      const { handle, model } = yield* open(MemoryStore.make(), { wrap: broken.wrap })
      broken.set("broken")
      const first = yield* Effect.forkChild(Effect.flip(handle.run("one")))
      yield* rest
      expect(first.pollUnsafe(), "the sender waits for ever").toBeDefined()
      broken.set("fine")
      const second = yield* Effect.forkChild(handle.run("two"))
      yield* rest
      expect(second.pollUnsafe(), "the pod is deaf").toBeDefined()
      expect((yield* model.next).request.messages.at(-1)).toMatchObject({ role: "user", text: "two" })
    }).pipe(Effect.scoped)
  )
})
