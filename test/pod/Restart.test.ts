import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, until } from "../support/podBench.ts"

/** A pod that stops answering and writing in the middle of things, as a killed process does: it is just left alone. */
describe("a pod that is started again on its store", () => {
  it.effect("goes on with its session: the model sees what was said before", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("one")
      yield* Effect.flatMap(first.model.next, (call) => call.answer("first answer"))
      yield* until(take, isStatus("idle"))
      yield* first.handle.shutdown
      const second = yield* open(memory)
      expect(second.ref).toEqual(first.ref)
      yield* second.handle.run("two")
      const { request } = yield* second.model.next
      expect(request.system).toBe("be good")
      expect(JSON.stringify(request.messages)).toContain("first answer")
      expect(request.messages.at(-1)).toEqual({ role: "user", text: "two" })
    }).pipe(Effect.scoped)
  )

  it.effect(
    "killed in a tool: the run is closed as interrupted, the call answered as unknown and never run again",
    () =>
      Effect.gen(function* () {
        const memory = MemoryStore.make()
        const { begun, tool } = yield* stuck()
        const first = yield* open(memory, { tools: [tool] })
        const { run_id } = yield* first.handle.run("go")
        yield* Effect.flatMap(first.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
        yield* Deferred.await(begun)

        const again = counting("Stuck", true)
        const second = yield* open(memory, { tools: [again.tool] })
        expect(yield* second.handle.status).toBe("idle")
        expect(names(fileOf(memory, first.ref)).slice(-3)).toEqual(["tool_result", "turn_end", "run_errored"])
        expect(fileOf(memory, first.ref).at(-1)).toMatchObject({ run_id, leg: 1, outcome: { result: "interrupted" } })
        yield* second.handle.notify("wake up")
        const { request } = yield* second.model.next
        expect(request.messages.find((message) => message.role === "tool")).toMatchObject({
          results: [{ id: "c1", isError: true }]
        })
        expect(again.runs()).toBe(0)
      }).pipe(Effect.scoped)
  )

  it.effect("killed while the model answered: what was accepted is there once, nothing half said is", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("go", { key: "k" })
      const call = yield* first.model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
      yield* until(take, isEvent("text_delta"))
      const second = yield* open(memory)
      const again = yield* second.handle.run("go", { key: "k" })
      expect(again.accepted_seq).toBe(0)
      expect(yield* second.handle.status).toBe("idle")
      yield* second.handle.run("next")
      const { request } = yield* second.model.next
      expect(request.messages.map((message) => message.role)).toEqual(["user", "system", "user"])
      expect(JSON.stringify(request)).not.toContain("half")
      // A crash is not the user's doing, and the model is not told that it was.
      expect(request.messages[1]).toMatchObject({ role: "system", text: expect.stringContaining("process ended") })
    }).pipe(Effect.scoped)
  )

  it.effect("a notification that was accepted and not yet given to the model is delivered, once", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      yield* first.handle.notify("later", { wake: false })
      const second = yield* open(memory)
      expect(yield* second.handle.inboxSize).toBe(1)
      yield* second.handle.run("now")
      const { request } = yield* second.model.next
      expect(JSON.stringify(request.messages).split("later")).toHaveLength(2)
      expect(yield* second.handle.inboxSize).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("a queued run whose turn had come starts by itself; one that was held stays held", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      yield* first.handle.run("one")
      yield* first.model.next
      const { run_id } = yield* first.handle.run("queued", { delivery: "queue" })
      // Killed in the middle of the first run: its end is a crash, so the queue waits for a person.
      const second = yield* open(memory)
      expect(yield* second.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      const { take } = yield* second.handle.attach
      yield* second.handle.run("go on")
      yield* Effect.flatMap(second.model.next, (call) => call.answer("ok"))
      const seen = yield* until(take, (event) => event.event === "run_start" && event.data.run_id === run_id)
      expect(seen.filter(isEvent("run_end"))).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("a paused run is still paused, and resumes with the same request", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      const { run_id } = yield* first.handle.run("go")
      const call = yield* first.model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "x" })
      yield* until(take, isEvent("text_delta"))
      yield* first.handle.pause
      yield* until(take, isStatus("paused"))
      yield* first.handle.shutdown
      const second = yield* open(memory)
      expect(yield* second.handle.status).toBe("paused")
      expect(yield* second.handle.resume).toEqual({ run_id, leg: 2 })
      expect((yield* second.model.next).request).toEqual(call.request)
    }).pipe(Effect.scoped)
  )

  it.effect("a torn tail is cut, kept aside and reported", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("one")
      yield* Effect.flatMap(first.model.next, (call) => call.answer("ok"))
      yield* until(take, isStatus("idle"))
      yield* first.handle.shutdown
      memory.write(first.ref, new TextEncoder().encode('{"kind":"user_in'))
      const second = yield* open(memory)
      expect(names(fileOf(memory, first.ref)).at(-1)).toBe("pod.repair cut_tail")
      expect(memory.cutTails().size).toBe(1)
      const { entries } = yield* second.handle.readEntries(0, 100)
      expect(entries.some((line) => line.includes("pod.repair"))).toBe(false)
    }).pipe(Effect.scoped)
  )
})

describe("a store that fails", () => {
  it.effect("at acceptance: the sender is refused, nothing happens, and the pod goes on when the disk does", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const { handle, model } = yield* open(MemoryStore.make(), { wrap: disk.wrap })
      disk.set("full")
      const error = yield* Effect.flip(handle.run("one"))
      expect(error).toMatchObject({ code: "storage_error", message: "no space left" })
      expect(yield* handle.status).toBe("idle")
      disk.set("fine")
      yield* handle.run("two")
      expect((yield* model.next).request.messages).toEqual([{ role: "user", text: "two" }])
    }).pipe(Effect.scoped)
  )

  it.effect.each(["while the model answers", "before a tool starts"] as const)(
    "%s: the tool does not run, and the run fails as storage_error",
    (when) =>
      Effect.gen(function* () {
        const disk = faultyDisk()
        const act = counting("Act")
        // The permission is asked when the answer is written and the start of its call is not.
        const permit = () =>
          Effect.sync(() => {
            disk.set("full")
            return { _tag: "Allow" } as const
          })
        const services = when === "before a tool starts" ? { permit } : {}
        const { handle, memory, model, ref, take } = yield* fresh({ wrap: disk.wrap, tools: [act.tool], services })
        yield* handle.run("go")
        const call = yield* model.next
        if (when === "while the model answers") disk.set("full")
        yield* call.callTools({ id: "c1", name: "Act", args: {} })
        const seen = yield* until(take, isStatus("idle"))
        const ends = seen.filter(isEvent("run_end"))
        expect(ends).toMatchObject([{ data: { result: "failed", error: { code: "storage_error", phase: "store" } } }])
        expect(ends[0]?.durable).toBeUndefined()
        expect(act.runs()).toBe(0)
        disk.set("fine")
        yield* handle.run("again")
        yield* Effect.flatMap(model.next, (next) => next.answer("ok"))
        const later = yield* until(take, isStatus("idle"))
        expect(later.filter(isEvent("run_end"))).toHaveLength(1)
        // The record that was owed is written first, and nothing is told twice.
        const file = names(fileOf(memory, ref))
        expect(file.filter((name) => name === "run_errored" || name === "run_completed")).toEqual([
          "run_errored",
          "run_completed"
        ])
      }).pipe(Effect.scoped)
  )
})
