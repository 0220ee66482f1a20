import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { stuck } from "../support/benchTools.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, until } from "../support/podBench.ts"

const overloaded = new LlmError({ reason: "Status", status: 529, provider: "probe", message: "overloaded" })

/** A back-off is drawn from zero upwards, and one of nothing would be over before anybody could stop it. */
const seeded = Random.withSeed(7)

const phases = ["before the first event", "mid-stream", "in a tool", "in a retry sleep"] as const

/** Brings a new run into one of its waits. */
const enter = Effect.fnUntraced(function* (phase: (typeof phases)[number]) {
  const { begun, tool } = yield* stuck()
  const bench = yield* open(MemoryStore.make(), { tools: [tool] })
  const attachment = yield* bench.handle.attach
  const { run_id } = yield* bench.handle.run("go")
  const call = yield* bench.model.next
  if (phase === "mid-stream") {
    yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "par" })
    yield* until(attachment.take, isEvent("text_delta"))
  }
  if (phase === "in a tool") {
    yield* call.callTools({ id: "c1", name: "Stuck", args: {} })
    yield* Deferred.await(begun)
  }
  if (phase === "in a retry sleep") {
    yield* call.fail(overloaded)
    yield* until(attachment.take, isEvent("llm_retry"))
  }
  return { ...bench, attachment, run_id }
})

describe("cancel", () => {
  it.effect.each(phases)("%s: the run ends, and nothing of it remains", (phase) =>
    Effect.gen(function* () {
      const { attachment, handle, memory, model, ref } = yield* enter(phase)
      yield* handle.cancel
      const seen = yield* until(attachment.take, isStatus("idle"))
      const produced = phase === "mid-stream" || phase === "in a tool"
      expect(seen.filter(isEvent("run_end"))).toMatchObject([
        {
          data: { result: produced ? "cancelled" : "rolled_back" }
        }
      ])
      expect(model.open()).toBe(0)
      const file = names(fileOf(memory, ref))
      expect(file.filter((name) => name === "run_errored" || name === "pod.mark rollback")).toHaveLength(1)
      // Nothing that waited wakes up later.
      yield* TestClock.adjust("1 hour")
      expect(yield* handle.status).toBe("idle")
      yield* handle.run("again")
      const next = yield* model.next
      const texts = JSON.stringify(next.request.messages)
      expect(texts).not.toContain('"par"')
      if (!produced) expect(texts).not.toContain('"go"')
      yield* next.answer("ok")
      yield* until(attachment.take, isStatus("idle"))
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("a rolled-back run leaves the log byte for byte as it was", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      const first = yield* handle.attach
      yield* handle.run("one")
      yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
      yield* until(first.take, isStatus("idle"))
      const before = yield* handle.readEntries(0, 100)
      yield* handle.run("two")
      yield* model.next
      yield* handle.cancel
      const seen = yield* until(first.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" }, durable: true })
      expect(yield* handle.readEntries(0, 100)).toEqual(before)
    }).pipe(Effect.scoped, seeded)
  )

  it.effect(
    "a result that exists when the run is cancelled is kept; the call that was running is answered as unknown",
    () =>
      Effect.gen(function* () {
        const quick = Tool.make({
          name: "Quick",
          description: "ends at once",
          parameters: Schema.Struct({}),
          idempotent: false,
          run: () => Effect.succeed({ summary: "done" })
        })
        const { begun, tool } = yield* stuck()
        const { handle, model, take } = yield* fresh({ tools: [quick, tool] })
        yield* handle.run("go")
        yield* Effect.flatMap(model.next, (call) =>
          call.callTools({ id: "c1", name: "Quick", args: {} }, { id: "c2", name: "Stuck", args: {} })
        )
        yield* Deferred.await(begun)
        yield* until(take, isEvent("tool_result"))
        yield* handle.cancel
        const seen = yield* until(take, isStatus("idle"))
        expect(seen.filter(isEvent("tool_result"))).toMatchObject([{ data: { id: "c2", is_error: true } }])
        yield* handle.run("next")
        const { request } = yield* model.next
        expect(request.messages.find((message) => message.role === "tool")).toMatchObject({
          results: [
            { id: "c1", text: "done" },
            { id: "c2", isError: true }
          ]
        })
      }).pipe(Effect.scoped, seeded)
  )

  it.effect("with another run's id is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* handle.run("go")
      yield* model.next
      const answer = yield* Deferred.make<unknown>()
      yield* handle.submit({ method: "cancel", params: { run_id: "other" } }, (given) => {
        Deferred.doneUnsafe(answer, Effect.succeed(given))
      })
      expect(yield* Deferred.await(answer)).toMatchObject({ ok: false, error: { code: "not_running" } })
      expect(yield* handle.status).toBe("running")
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("wins over a pause that was asked for just before", () =>
    Effect.gen(function* () {
      const { attachment, handle } = yield* enter("mid-stream")
      yield* handle.submit({ method: "pause" })
      yield* handle.submit({ method: "cancel" })
      const seen = yield* until(attachment.take, isStatus("idle"))
      const results = seen.flatMap((event) => (event.event === "run_end" ? [event.data.result] : []))
      // Either the cancel came in time, or the run had paused and was abandoned.
      expect([["cancelled"], ["paused", "abandoned"]]).toContainEqual(results)
    }).pipe(Effect.scoped, seeded)
  )
})

describe("pause and resume", () => {
  it.effect("mid-stream: the next leg sends the same request again", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      const { run_id } = yield* handle.run("go")
      const first = yield* model.next
      yield* first.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
      yield* until(take, isEvent("text_delta"))
      yield* handle.pause
      const paused = yield* until(take, isStatus("paused"))
      expect(paused.find(isEvent("run_end"))).toMatchObject({ data: { result: "paused", leg: 1, run_id } })
      expect(model.open()).toBe(0)
      expect(yield* handle.resume).toEqual({ run_id, leg: 2 })
      const second = yield* model.next
      expect(second.request).toEqual(first.request)
      yield* second.answer("whole")
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_start"))).toMatchObject({ data: { run_id, leg: 2, kind: "resume" } })
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { run_id, leg: 2, result: "finished" } })
    }).pipe(Effect.scoped, seeded)
  )

  it.effect.each([true, false])(
    "in a tool (idempotent: %s): what may have had an effect is not done twice",
    (idempotent) =>
      Effect.gen(function* () {
        const { begun, tool } = yield* stuck(idempotent)
        const { handle, model, take } = yield* fresh({ tools: [tool] })
        yield* handle.run("go")
        yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
        yield* Deferred.await(begun)
        yield* handle.pause
        yield* until(take, isStatus("paused"))
        yield* handle.resume
        if (idempotent) {
          const again = yield* until(take, isEvent("tool_started"))
          expect(again.some(isEvent("llm_call_start"))).toBe(false)
        } else {
          const { request } = yield* model.next
          expect(request.messages.at(-1)).toMatchObject({ role: "tool", results: [{ id: "c1", isError: true }] })
        }
      }).pipe(Effect.scoped, seeded)
  )

  it.effect("a call with bad arguments is never run, also not by a resume", () =>
    Effect.gen(function* () {
      const ran: Array<unknown> = []
      const picky = Tool.make({
        name: "Picky",
        description: "wants nothing",
        parameters: Schema.Struct({}),
        idempotent: true,
        run: (args) =>
          Effect.sync(() => {
            ran.push(args)
            return { summary: "ran" }
          })
      })
      const { begun, tool } = yield* stuck()
      const { handle, model, take } = yield* fresh({ tools: [picky, tool] })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) =>
        call.callTools({ id: "c1", name: "Picky", args: '{"cut of' }, { id: "c2", name: "Stuck", args: {} })
      )
      yield* Deferred.await(begun)
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      yield* handle.resume
      const { request } = yield* model.next
      expect(request.messages.at(-1)).toMatchObject({
        results: [
          { id: "c1", isError: true },
          { id: "c2", isError: true }
        ]
      })
      expect(ran).toEqual([])
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("max_turns holds for the run over its legs", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const { handle, model, take } = yield* fresh({ tools: [tool], maxTurns: 2 })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      yield* handle.resume
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c2", name: "None", args: {} }))
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { leg: 2, result: "limit_reached", limit: "max_turns" }
      })
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("before any output a pause undoes the run", () =>
    Effect.gen(function* () {
      const { attachment, handle } = yield* enter("before the first event")
      yield* handle.pause
      const seen = yield* until(attachment.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("a new run supersedes the paused one, closes its calls and says that it was interrupted", () =>
    Effect.gen(function* () {
      const { attachment, handle, model, run_id } = yield* enter("in a tool")
      yield* handle.pause
      yield* until(attachment.take, isStatus("paused"))
      yield* handle.run("something else")
      const { request } = yield* model.next
      expect(request.messages.map((message) => message.role)).toEqual(["user", "assistant", "tool", "system", "user"])
      const seen = yield* until(attachment.take, isEvent("turn_start"))
      expect(seen.find(isEvent("run_start"))).toMatchObject({ data: { supersedes: run_id } })
      const order = seen.map((event) => event.event)
      expect(order.indexOf("tool_result")).toBeLessThan(order.indexOf("system_item"))
      expect(order.indexOf("system_item")).toBeLessThan(order.indexOf("user_message"))
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("cancel while paused abandons the run", () =>
    Effect.gen(function* () {
      const { attachment, handle, run_id } = yield* enter("in a tool")
      yield* handle.pause
      yield* until(attachment.take, isStatus("paused"))
      yield* handle.cancel
      const seen = yield* until(attachment.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "abandoned", run_id }, durable: true })
      expect(seen.find(isEvent("tool_result"))).toMatchObject({ data: { id: "c1" } })
    }).pipe(Effect.scoped, seeded)
  )

  it.effect("shutdown in the middle of a run ends it, then the pod", () =>
    Effect.gen(function* () {
      const { attachment, handle, model } = yield* enter("mid-stream")
      yield* handle.shutdown
      const seen = yield* until(attachment.take, isEvent("shutdown"))
      const words = seen.map((event) => (event.event === "status" ? event.data.status : event.event))
      expect(words).toEqual(["stopping", "run_end", "idle", "shutdown"])
      expect(model.open()).toBe(0)
      const late = yield* Effect.flip(handle.run("too late"))
      expect(late.code).toBe("not_running")
    }).pipe(Effect.scoped, seeded)
  )
})
