/** Every way in which an answer may end but by its token limit or in the middle. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { closed, failure, stop, text, texts, whole } from "../support/answerParts.ts"
import { fileOf, fresh, isEvent, isStatus, names, rest, until } from "../support/podBench.ts"
import type { ProbeCall } from "../support/ProbeModel.ts"

describe("every other ending", () => {
  /** One answer that ends like this; then a whole one, should the pod ask. */
  const endsWith = Effect.fnUntraced(function* (
    last: (call: ProbeCall) => Effect.Effect<void>,
    ...before: ReadonlyArray<LlmEvent>
  ) {
    const bench = yield* fresh()
    yield* bench.handle.run("go")
    const call = yield* bench.model.next
    yield* call.push(...before)
    yield* rest
    yield* last(call)
    yield* rest
    yield* TestClock.adjust("1 second")
    return { bench, end: Effect.map(until(bench.take, isStatus("idle")), (seen) => seen) }
  })

  it.effect("paused by the vendor: goes on at once", () =>
    Effect.gen(function* () {
      const { bench, end } = yield* endsWith((call) => call.push(closed(), stop("pause")), ...text("So"))
      yield* Effect.flatMap(bench.model.next, (call) => whole(call, ...text(" far."), closed(), stop("end_turn")))
      expect((yield* end).find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(texts(bench)).toEqual([{ kind: "text", text: "So far." }])
    }).pipe(Effect.scoped)
  )

  it.effect("refused: finished, with the refusal as content and an alert", () =>
    Effect.gen(function* () {
      const { bench, end } = yield* endsWith((call) => call.push(closed(), stop("refusal")), ...text("No."))
      const seen = yield* end
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(seen.find(isEvent("alert"))).toMatchObject({ data: { message: expect.stringContaining("refused") } })
      expect(texts(bench)).toEqual([{ kind: "text", text: "No." }])
    }).pipe(Effect.scoped)
  )

  it.effect("refused in the middle of calls: none of them is run, and the vendor's word is told", () =>
    Effect.gen(function* () {
      const { bench, end } = yield* endsWith(
        (call) => call.push({ type: "stop", reason: "refusal", detail: "harm" }),
        ...text("I count."),
        closed(),
        { type: "tool_call_start", index: 1, id: "c1", name: "Count" },
        { type: "delta", index: 1, text: "{}" },
        closed(1),
        { type: "tool_call_start", index: 2, id: "c2", name: "Count" }
      )
      const seen = yield* end
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(seen.find(isEvent("alert"))).toMatchObject({ data: { message: expect.stringContaining("(harm)") } })
      expect(names(fileOf(bench.memory, bench.ref)).filter((name) => /tool/.test(name))).toEqual([])
      expect(fileOf(bench.memory, bench.ref).filter(({ kind }) => kind === "assistant_item")).toMatchObject([
        { item: { kind: "message", content: [{ kind: "text", text: "I count." }] } }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("an error event, though it says later: failed, in the phase stream", () =>
    Effect.gen(function* () {
      const { bench, end } = yield* endsWith((call) => call.fail(failure("Refused", 529)), ...text("Hel"))
      expect((yield* end).find(isEvent("run_end"))).toMatchObject({
        data: { result: "failed", error: { code: "provider_error", phase: "stream" } }
      })
      expect(texts(bench)).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("too long, and nothing makes room: provider_overflow", () =>
    Effect.gen(function* () {
      const { end } = yield* endsWith((call) => call.fail(failure("Overflow")))
      expect((yield* end).find(isEvent("run_end"))).toMatchObject({
        data: { result: "failed", error: { code: "provider_overflow", phase: "request" } }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("too long, and room was made: asked once more, and not a third time", () =>
    Effect.gen(function* () {
      let asked = 0
      const makeRoom = Effect.sync(() => {
        asked += 1
        return true
      })
      const { handle, model, take } = yield* fresh({ services: { makeRoom } })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.fail(failure("Overflow")))
      yield* Effect.flatMap(model.next, (call) => call.fail(failure("Overflow")))
      const seen = yield* until(take, isStatus("idle"))
      expect(asked).toBe(1)
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { error: { code: "provider_overflow" } } })
    }).pipe(Effect.scoped)
  )

  it.effect("empty: asked once more, then failed", () =>
    Effect.gen(function* () {
      const { bench, end } = yield* endsWith((call) => call.push(stop("end_turn")))
      yield* rest
      yield* TestClock.adjust("11 seconds")
      yield* Effect.flatMap(bench.model.next, (call) => whole(call, stop("end_turn")))
      expect((yield* end).find(isEvent("run_end"))).toMatchObject({
        data: { result: "failed", error: { code: "provider_error", message: expect.stringContaining("empty") } }
      })
    }).pipe(Effect.scoped)
  )
})
