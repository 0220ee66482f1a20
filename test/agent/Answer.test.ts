/** Answers that do not come in one piece, seen by a client, in the journal and by the model. */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { defaultLimits } from "../../src/llm/Limits.ts"
import { continueNote, limitNote } from "../../src/llm/Transcript.ts"
import { closed, cut, failure, shown, stop, text, texts, usage, whole } from "../support/answerParts.ts"
import { counting } from "../support/benchTools.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"
import type { ProbeCall } from "../support/ProbeModel.ts"

describe("an answer that breaks off", () => {
  it.effect("goes on in a new request, and is one message in the journal", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const { handle, model, take } = bench
      yield* handle.run("go")
      const first = yield* model.next
      yield* first.push(usage(1), ...text("Hel"))
      yield* cut(first)
      const second = yield* model.next
      expect(second.request.messages.slice(-2)).toEqual([
        { role: "assistant", blocks: [{ kind: "text", text: "Hel" }] },
        { role: "system", text: continueNote }
      ])
      expect(names(fileOf(bench.memory, bench.ref)), "before the answer is whole").not.toContain("assistant_item")
      yield* whole(second, usage(2), ...text("lo"), closed(), stop("end_turn"))
      const seen = yield* until(take, isStatus("idle"))
      expect(shown(seen)).toBe("Hello")
      expect(seen.filter(isEvent("text_done")).map((event) => "data" in event && event.data)).toEqual([
        { text: "Hello" }
      ])
      const order = new Set([
        "turn_start",
        "llm_call_start",
        "llm_call_end",
        "llm_continuation",
        "assistant_item",
        "turn_end"
      ])
      expect(seen.map(({ event }) => event).filter((event) => order.has(event))).toEqual([
        "turn_start",
        "llm_call_start",
        "llm_call_end",
        "llm_continuation",
        "llm_call_start",
        "llm_call_end",
        "turn_end",
        "assistant_item"
      ])
      expect(seen.find(isEvent("llm_continuation"))).toMatchObject({
        data: { llm_call: 0, attempt: 1, max_attempts: 3, reason: expect.stringContaining("probe Cut") }
      })
      expect(texts(bench)).toEqual([{ kind: "text", text: "Hello" }])
      const used = fileOf(bench.memory, bench.ref).filter(({ kind }) => kind === "llm_usage")
      expect(used).toMatchObject([{ output_tokens: 1 }, { output_tokens: 2 }])
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { result: "finished", usage: { llm_calls: 2, output_tokens: 3 } }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("runs none of its calls, and the model does not see them", () =>
    Effect.gen(function* () {
      const act = counting("Act")
      const { handle, model, take } = yield* fresh({ tools: [act.tool] })
      yield* handle.run("go")
      const first = yield* model.next
      yield* first.push(
        ...text("I act."),
        closed(),
        { type: "tool_call_start", index: 1, id: "whole", name: "Act" },
        { type: "delta", index: 1, text: "{}" },
        closed(1),
        { type: "tool_call_start", index: 2, id: "half", name: "Act" },
        { type: "delta", index: 2, text: '{"a' }
      )
      yield* cut(first)
      const second = yield* model.next
      expect(JSON.stringify(second.request.messages)).not.toMatch(/whole|half/)
      expect(act.runs()).toBe(0)
      yield* second.callTools({ id: "again", name: "Act", args: {} })
      const third = yield* model.next
      expect(act.runs()).toBe(1)
      yield* third.answer("done")
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.filter(isEvent("tool_started"))).toMatchObject([{ data: { id: "again" } }])
      // Whoever comes now is not shown calls that are no part of the answer.
      expect(third.request.messages.filter(({ role }) => role === "assistant")).toEqual([
        {
          role: "assistant",
          blocks: [
            { kind: "text", text: "I act." },
            { kind: "tool_call", id: "again", name: "Act", arguments: "{}" }
          ]
        }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("shows a latecomer the text so far and no void call", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* fresh()
      yield* handle.run("go")
      const first = yield* model.next
      yield* first.push(...text("Hel"), { type: "tool_call_start", index: 1, id: "half", name: "Act" })
      yield* cut(first)
      yield* (yield* model.next).push(...text("lo"))
      yield* rest
      const { inFlight } = yield* handle.attach
      expect(inFlight?.blocks).toEqual([{ kind: "text", text: "Hello" }])
    }).pipe(Effect.scoped)
  )

  it.effect("four times in a row fails the run, in the phase stream, and says what is lost", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const { handle, model, take } = bench
      yield* handle.run("go")
      for (const piece of ["a", "b", "c", "d"]) {
        const call = yield* model.next
        yield* call.push(...text(piece))
        yield* cut(call, piece === "b" ? "Timeout" : "Cut")
      }
      const seen = yield* until(take, isStatus("idle"))
      expect(shown(seen)).toBe("abcd")
      expect(seen.filter(isEvent("llm_continuation")).length).toBe(3)
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: {
          result: "failed",
          error: {
            code: "provider_error",
            phase: "stream",
            message: expect.stringMatching(/broke off 4 times in a row; the part .* shown is not in the log$/)
          }
        }
      })
      expect(texts(bench)).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("has three more pieces in the next generation: a whole answer resets the count", () =>
    Effect.gen(function* () {
      const act = counting("Act")
      const { handle, model, take } = yield* fresh({ tools: [act.tool] })
      yield* handle.run("go")
      for (const last of ["tools", "text"]) {
        for (const piece of ["a", "b", "c"]) {
          const call = yield* model.next
          yield* call.push(...text(piece))
          yield* cut(call)
        }
        const call = yield* model.next
        yield* last === "tools" ? call.callTools({ id: "c", name: "Act", args: {} }) : call.answer("d")
      }
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
    }).pipe(Effect.scoped)
  )

  it.effect("and is cancelled in the wait, leaves nothing in the journal", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const { handle, journal, model, take } = bench
      yield* handle.run("go")
      const first = yield* model.next
      yield* first.push(...text("Hel"))
      yield* first.fail(failure("Cut"))
      yield* until(take, isEvent("llm_continuation"))
      expect(journal.live.waitingOn).toMatchObject({ kind: "retry", until_ms: expect.any(Number) })
      yield* handle.cancel
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "cancelled" } })
      expect(texts(bench)).toEqual([])
      expect(model.open()).toBe(0)
      // Of all waits that may be drawn, one in 501 is none; this one is.
    }).pipe(Effect.scoped, Random.withSeed("waits"))
  )

  it.effect("and is paused between two pieces, is asked for anew from its start", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const { handle, model, take } = bench
      yield* handle.run("go")
      const first = yield* model.next
      yield* first.push(...text("Hel"))
      yield* cut(first)
      yield* model.next
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      // The same after a restart: the journal holds nothing of it.
      const again = yield* open(bench.memory)
      yield* again.handle.resume
      expect((yield* again.model.next).request.messages).toEqual(first.request.messages)
    }).pipe(Effect.scoped)
  )
})

describe("an answer that takes longer than total_timeout", () => {
  it.effect("with all its pieces fails the run, says which limit it was, and closes the connection", () =>
    Effect.gen(function* () {
      const limits = { ...defaultLimits, total_timeout: Duration.minutes(2) }
      const bench = yield* fresh({ services: { limits } })
      const { handle, model, take } = bench
      yield* handle.run("go")
      const first = yield* model.next
      yield* first.push(...text("Hel"))
      yield* cut(first)
      const second = yield* model.next
      yield* second.push(...text("l"))
      yield* rest
      yield* TestClock.adjust("60 seconds")
      yield* second.push({ type: "delta", index: 0, text: "o" })
      yield* rest
      expect(model.open()).toBe(1)
      yield* TestClock.adjust("60 seconds")
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: {
          result: "failed",
          error: {
            code: "provider_error",
            phase: "stream",
            message:
              "probe (probe-1): no whole answer for 120 s; the part of the answer that was shown is not in the log",
            hint: expect.stringContaining("model.limits.total_timeout")
          }
        }
      })
      expect(model.open()).toBe(0)
      expect(texts(bench)).toEqual([])
    }).pipe(Effect.scoped)
  )
})

describe("an answer that reaches its token limit", () => {
  it.effect("goes on, and a call in it is made again", () =>
    Effect.gen(function* () {
      const act = counting("Act")
      const bench = yield* fresh({ tools: [act.tool] })
      const { handle, model } = bench
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) =>
        whole(
          call,
          { type: "tool_call_start", index: 0, id: "c", name: "Act" },
          { type: "delta", index: 0, text: '{"a' },
          closed(),
          stop("max_tokens")
        )
      )
      const second = yield* model.next
      expect(second.request.messages.at(-1)).toEqual({ role: "system", text: limitNote })
      expect(act.runs()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("three times more ends the run with what there is", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const { handle, model, take } = bench
      yield* handle.run("go")
      for (const piece of ["a", "b", "c", "d"]) {
        yield* Effect.flatMap(model.next, (call) => whole(call, ...text(piece), closed(), stop("max_tokens")))
      }
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.filter(isEvent("llm_continuation")).length).toBe(3)
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "limit_reached", limit: "max_tokens" } })
      expect(texts(bench)).toEqual([{ kind: "text", text: "abcd" }])
    }).pipe(Effect.scoped)
  )
})

describe("an answer in pieces and what it may cost", () => {
  /** 0.1 dollars for the prompt of a piece, and 0.02 for each token of it. */
  const prices = { input: 10_000, output: 20_000 }
  const perRun = "budget.run.turns"

  it.effect("each piece has its own cost, and their sum is the run's and the session's", () =>
    Effect.gen(function* () {
      const bench = yield* fresh({ prices })
      const { handle, model, take } = bench
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => whole(call, usage(1), ...text("a"), closed(), stop("max_tokens")))
      yield* Effect.flatMap(model.next, (call) => whole(call, usage(2), ...text("b"), closed(), stop("end_turn")))
      const seen = yield* until(take, isStatus("idle"))
      const costs = [{ cost_usd: 0.12 }, { cost_usd: 0.14 }]
      expect(seen.flatMap((event) => (event.event === "usage" ? [event.data] : []))).toMatchObject(costs)
      expect(fileOf(bench.memory, bench.ref).filter(({ kind }) => kind === "llm_usage")).toMatchObject(costs)
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { usage: { llm_calls: 2, cost_usd: 0.26 } } })
      const { usage: session } = yield* Effect.scoped(handle.attach)
      expect(session).toMatchObject({ llm_calls: 2, cost_usd: 0.26 })
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["its token limit", (call: ProbeCall) => whole(call, usage(1), ...text("ab"), closed(), stop("max_tokens"))],
    ["a cut", (call: ProbeCall) => Effect.andThen(call.push(usage(1), ...text("ab")), cut(call))]
  ] as const)("after %s, a budget that is used up asks for no rest: the run ends with what there is", ([, ends]) =>
    Effect.gen(function* () {
      const bench = yield* fresh({ budget: { run: { turns: 1 } } })
      const { handle, model, take } = bench
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, ends)
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { result: "limit_reached", limit: perRun, hint: expect.any(String), usage: { llm_calls: 1 } }
      })
      expect(seen.some(isEvent("llm_continuation"))).toBe(false)
      expect(model.open()).toBe(0)
      expect(texts(bench)).toEqual([{ kind: "text", text: "ab" }])
      expect(fileOf(bench.memory, bench.ref).filter(({ kind }) => kind === "llm_usage").length).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("too long, and room was made: not asked once more once the budget is used up", () =>
    Effect.gen(function* () {
      const makeRoom = Effect.succeed(true)
      const { handle, model, take } = yield* fresh({ budget: { run: { turns: 1 } }, services: { makeRoom } })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.fail(failure("Overflow")))
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "limit_reached", limit: perRun } })
      expect(model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )
})
