import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Answer, PodHandle } from "../../src/pod/PodHandle.ts"
import type { Method } from "../../src/protocol/Method.ts"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"
import { fresh, isEvent, isStatus, open, rest, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"

const ask = Effect.fnUntraced(function* (handle: PodHandle, method: Method) {
  const answer = yield* Deferred.make<Answer>()
  yield* handle.submit(method, (given) => {
    Deferred.doneUnsafe(answer, Effect.succeed(given))
  })
  return yield* Deferred.await(answer)
})

const userTexts = (request: LlmRequest) =>
  request.messages.flatMap((message) => (message.role === "user" || message.role === "system" ? [message.text] : []))

/** A run that failed, and one behind it that waits for a person. */
const heldQueue = Effect.gen(function* () {
  const bench = yield* fresh()
  yield* bench.handle.run("one")
  const first = yield* bench.model.next
  yield* bench.handle.run("queued", { delivery: "queue" })
  yield* first.fail(badRequest)
  return { ...bench, seen: yield* until(bench.take, isStatus("idle")) }
})

describe("queued and steering runs", () => {
  it.effect("a second run is refused while one goes on, unless it may wait", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.run("one")
      const first = yield* model.next
      const error = yield* Effect.flip(handle.run("two"))
      expect(error.code).toBe("already_running")
      const queued = yield* handle.run("three", { delivery: "queue" })
      expect(queued.item_id).toBeDefined()
      yield* first.answer("done")
      const second = yield* model.next
      expect(userTexts(second.request)).toEqual(["one", "three"])
      const seen = yield* until(take, (event) => event.event === "run_start" && event.data.run_id === queued.run_id)
      const order = seen.map((event) => (event.event === "status" ? event.data.status : event.event))
      expect(order.slice(order.indexOf("run_end")).slice(0, 7)).toEqual([
        "run_end",
        "idle",
        "inbox_changed",
        "user_message",
        "running",
        "invoke_start",
        "run_start"
      ])
      yield* second.answer("done too")
    }).pipe(Effect.scoped)
  )

  it.effect("a steering input is part of the next request of the run; the reply names that run", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      const { run_id } = yield* handle.run("one")
      const first = yield* model.next
      const steer = yield* handle.run("rather this", { delivery: "steer" })
      expect(steer.run_id).toBe(run_id)
      yield* first.callTools({ id: "c1", name: "None", args: {} })
      const second = yield* model.next
      expect(userTexts(second.request)).toEqual(["one", "rather this"])
      yield* second.answer("ok")
    }).pipe(Effect.scoped)
  )

  it.effect("a steering input that comes too late becomes the head of the queue, with a run of its own", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      const { run_id } = yield* handle.run("one")
      const first = yield* model.next
      yield* handle.run("queued", { delivery: "queue" })
      yield* handle.run("too late", { delivery: "steer" })
      yield* first.answer("done")
      const second = yield* model.next
      expect(userTexts(second.request)).toEqual(["one", "too late"])
      const started = yield* until(take, (event) => event.event === "run_start" && event.data.run_id !== run_id)
      expect(started.filter(isEvent("run_end"))).toHaveLength(1)
      yield* second.answer("ok")
      expect(userTexts((yield* model.next).request).at(-1)).toBe("queued")
    }).pipe(Effect.scoped)
  )

  it.effect("after a failure the queue waits for a person, says so, and flows with the next run", () =>
    Effect.gen(function* () {
      const { handle, model, seen } = yield* heldQueue
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { result: "failed", error: { code: "provider_error", phase: "request", message: "bad request" } }
      })
      expect(seen.some(isEvent("error"))).toBe(false)
      yield* TestClock.adjust("1 minute")
      expect(yield* handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      expect(yield* handle.inboxSize).toBe(1)
      yield* handle.run("again")
      yield* Effect.flatMap(model.next, (call) => call.answer("fine"))
      expect(userTexts((yield* model.next).request).at(-1)).toBe("queued")
    }).pipe(Effect.scoped)
  )

  it.effect("resume lets a held queue flow", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* heldQueue
      expect(yield* ask(handle, { method: "resume", id: "r" })).toMatchObject({ ok: true, result: { leg: 1 } })
      expect(userTexts((yield* model.next).request).at(-1)).toBe("queued")
    }).pipe(Effect.scoped)
  )

  it.effect("what resume let flow flows on, also over a pause and a restart", () =>
    Effect.gen(function* () {
      const { handle, memory, model, take } = yield* fresh()
      yield* handle.run("one")
      const call = yield* model.next
      yield* handle.notify("note")
      yield* handle.run("queued", { delivery: "queue" })
      yield* call.fail(badRequest)
      yield* until(take, isStatus("idle"))
      yield* handle.resume
      const turn = yield* model.next
      expect(turn.request.messages.at(-1)).toMatchObject({ role: "system", text: expect.stringContaining("note") })
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      expect(yield* handle.waitingOn).toBeNull()
      yield* handle.shutdown
      const again = yield* open(memory)
      expect(yield* again.handle.waitingOn).toBeNull()
    }).pipe(Effect.scoped)
  )

  it.effect("a run that failed when nothing waited holds nothing back that comes later, also after a restart", () =>
    Effect.gen(function* () {
      const { handle, memory, model, take } = yield* fresh()
      yield* handle.run("one")
      yield* Effect.flatMap(model.next, (call) => call.fail(badRequest))
      yield* until(take, isStatus("idle"))
      yield* handle.notify("for later", { wake: false })
      expect(yield* handle.waitingOn).toBeNull()
      yield* handle.shutdown
      const again = yield* open(memory)
      expect(yield* again.handle.waitingOn).toBeNull()
      expect((yield* Effect.flip(again.handle.resume)).code).toBe("not_paused")
      const client = yield* again.handle.attach
      yield* again.handle.notify("wake up")
      const call = yield* again.model.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "half" })
      yield* again.handle.run("queued", { delivery: "queue" })
      yield* again.handle.pause
      yield* until(client.take, isStatus("paused"))
      yield* again.handle.shutdown
      expect(yield* (yield* open(memory)).handle.waitingOn).toBeNull()
    }).pipe(Effect.scoped)
  )

  it.effect("the list of the inbox is what waits", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* handle.run("one")
      yield* model.next
      yield* handle.run("two", { delivery: "queue" })
      yield* handle.notify("three")
      expect(yield* ask(handle, { method: "list_inbox", id: "l" })).toMatchObject({
        ok: true,
        result: {
          items: [
            { kind: "run", mode: "queue", preview: "two" },
            { kind: "notify", mode: "wake", preview: "three" }
          ]
        }
      })
    }).pipe(Effect.scoped)
  )
})

describe("notifications", () => {
  it.effect("one that comes while the pod is idle starts a turn by itself", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.notify("build finished")
      const call = yield* model.next
      expect(userTexts(call.request)[0]).toMatch(/^\[Notification\]\nbuild finished\n\n.*not a blocking request/s)
      yield* call.answer("noted")
      const seen = yield* until(take, isStatus("idle"))
      expect(
        seen
          .map((event) => event.event)
          .filter((name) => name !== "inbox_changed")
          .slice(0, 7)
      ).toEqual([
        "segment_rotated",
        "status",
        "invoke_start",
        "run_start",
        "turn_start",
        "system_item",
        "llm_call_start"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("those that come during a run are in its next request, in order, once", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* handle.run("one")
      const first = yield* model.next
      yield* handle.notify("a")
      yield* handle.notify("b")
      yield* first.callTools({ id: "c1", name: "None", args: {} })
      const second = yield* model.next
      expect(userTexts(second.request).map((text) => text.split("\n")[1] ?? text)).toEqual(["one", "a", "b"])
      yield* second.callTools({ id: "c2", name: "None", args: {} })
      const third = yield* model.next
      expect(userTexts(third.request)).toEqual(userTexts(second.request))
      yield* third.answer("ok")
    }).pipe(Effect.scoped)
  )

  it.effect("one that comes too late for the run's last request starts a turn of its own", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* handle.run("one")
      const first = yield* model.next
      yield* handle.notify("late")
      yield* first.answer("done")
      const second = yield* model.next
      expect(userTexts(second.request).at(-1)).toContain("late")
      yield* second.answer("seen")
    }).pipe(Effect.scoped)
  )

  it.effect("a quiet one waits for whatever comes next", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* handle.notify("quietly", { wake: false })
      expect(yield* handle.status).toBe("idle")
      yield* handle.run("one")
      expect(userTexts((yield* model.next).request)[1]).toContain("quietly")
    }).pipe(Effect.scoped)
  )

  it.effect("one that a rolled-back run had taken is delivered again", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.notify("keep me", { wake: false })
      yield* handle.run("one")
      yield* model.next
      yield* handle.cancel
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
      expect(yield* handle.inboxSize).toBe(1)
      yield* handle.run("two")
      const { request } = yield* model.next
      expect(userTexts(request).filter((text) => text.includes("keep me"))).toHaveLength(1)
      expect(userTexts(request)).not.toContain("one")
    }).pipe(Effect.scoped)
  )

  it.effect("one that is removed before its turn has taken it is about nothing: the model is not asked", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      const { item_id } = yield* handle.notify("never mind")
      yield* handle.removeInbox(item_id)
      const seen = yield* until(take, isStatus("idle"))
      yield* rest
      expect(seen.filter(isEvent("run_end"))).toMatchObject([{ data: { result: "finished", usage: { llm_calls: 0 } } }])
      expect(seen.filter(isEvent("turn_end"))).toHaveLength(seen.filter(isEvent("turn_start")).length)
      expect(seen.some(isEvent("llm_call_start"))).toBe(false)
      expect(model.open()).toBe(0)
      yield* handle.notify("this")
      const call = yield* model.next
      expect(userTexts(call.request)).toEqual([expect.stringContaining("this")])
    }).pipe(Effect.scoped)
  )

  it.effect("a child's report is a notification too", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.submit({ method: "pod_event", params: { kind: "errored", pod_name: "kid", message: "429" } })
      const call = yield* model.next
      expect(userTexts(call.request)[0]).toContain("pod `kid` errored: 429")
      const seen = yield* until(take, isEvent("llm_call_start"))
      expect(seen.find(isEvent("invoke_start"))).toMatchObject({ data: { kind: "pod_event" } })
      yield* call.answer("ok")
    }).pipe(Effect.scoped)
  )
})

describe("keys", () => {
  it.effect("the same key and payload is executed once and answered the same; another payload is a conflict", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      const first = yield* handle.run("one", { key: "k" })
      const again = yield* handle.run("one", { key: "k" })
      expect(again).toEqual(first)
      const conflict = yield* Effect.flip(handle.run("other", { key: "k" }))
      expect(conflict.code).toBe("conflict")
      yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.filter(isEvent("user_message"))).toHaveLength(1)
      expect(yield* handle.run("one", { key: "k" })).toEqual(first)
      const note = yield* handle.notify("n", { key: "n1", wake: false })
      expect(yield* handle.notify("n", { key: "n1", wake: false })).toEqual(note)
      expect(yield* handle.inboxSize).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("waiting for the end of a run that is over gives that end", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.run("one", { key: "k" })
      yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
      const seen = yield* until(take, isStatus("idle"))
      const end = seen.find(isEvent("run_end"))
      expect(yield* handle.runToEnd("one", { key: "k" })).toEqual(end?.event === "run_end" ? end.data : undefined)
      yield* handle.run("two", { key: "k2" })
      yield* model.next
      yield* handle.cancel
      yield* until(take, isStatus("idle"))
      expect(yield* handle.runToEnd("two", { key: "k2" })).toMatchObject({ result: "rolled_back" })
    }).pipe(Effect.scoped)
  )

  it.effect("a queue stays held after a run that a pause has undone", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      yield* handle.run("one")
      yield* model.next
      yield* handle.run("queued", { delivery: "queue" })
      yield* handle.pause
      yield* until(take, isStatus("idle"))
      yield* TestClock.adjust("1 minute")
      expect(yield* handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      expect(model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("a rolled-back run keeps its receipt", () =>
    Effect.gen(function* () {
      const { handle, model, take } = yield* fresh()
      const first = yield* handle.run("one", { key: "k" })
      yield* model.next
      yield* handle.cancel
      yield* until(take, isStatus("idle"))
      expect((yield* handle.run("one", { key: "k" })).run_id).toBe(first.run_id)
      expect(yield* handle.status).toBe("idle")
    }).pipe(Effect.scoped)
  )
})
