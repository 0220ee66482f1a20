/** A pod with a second model to turn to. */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { defaultLimits, type Limits } from "../../src/llm/Limits.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { continueNote } from "../../src/llm/Transcript.ts"
import { counting } from "../support/benchTools.ts"
import { fileOf, isEvent, isStatus, open, rest, until } from "../support/podBench.ts"
import * as ProbeModel from "../support/ProbeModel.ts"

const failure = (status: number) =>
  new LlmError({ reason: "Status", status, provider: "probe", message: `probe HTTP ${status}` })

const twoModels = Effect.fnUntraced(function* (memory = MemoryStore.make(), limits?: Limits) {
  const own = yield* ProbeModel.make
  const other = yield* ProbeModel.make
  const client = {
    ...own.client,
    fallbacks: [
      {
        ...other.client,
        info: { provider: "other", model: "other-1", contextWindow: 1000 },
        ...(limits === undefined ? {} : { limits })
      }
    ]
  }
  const act = counting("Act")
  const bench = yield* open(memory, { tools: [act.tool], services: { client } })
  const { take } = yield* bench.handle.attach
  /** All attempts of one call to the pod's own model. */
  const down = Effect.gen(function* () {
    for (let n = 0; n < 4; n++) {
      const call = yield* own.next
      yield* call.fail(failure(503))
      yield* rest
      yield* TestClock.adjust("11 seconds")
    }
  })
  return { ...bench, own, other, take, down }
})

const thought = (signature: string): ReadonlyArray<LlmEvent> => [
  { type: "thinking_start", index: 0 },
  { type: "delta", index: 0, text: "hm" },
  { type: "block_stop", index: 0, signature },
  { type: "tool_call_start", index: 1, id: `c-${signature}`, name: "Act" },
  { type: "delta", index: 1, text: "{}" },
  { type: "block_stop", index: 1 },
  { type: "usage", usage: { inputTokens: 3, outputTokens: 4 } },
  { type: "stop", reason: "tool_use" }
]
const whole = (call: ProbeModel.ProbeCall, events: ReadonlyArray<LlmEvent>) =>
  call.push(...events).pipe(Effect.andThen(rest), Effect.andThen(TestClock.adjust("1 second")))

describe("a model that cannot be had", () => {
  it.effect("gives way to the next after all its attempts, by name; the next call asks it again", () =>
    Effect.gen(function* () {
      const bench = yield* twoModels()
      yield* bench.handle.run("go")
      yield* bench.down
      yield* Effect.flatMap(bench.other.next, (call) => call.callTools({ id: "c", name: "Act", args: {} }))
      yield* Effect.flatMap(bench.own.next, (call) => call.answer("done"))
      const seen = yield* until(bench.take, isStatus("idle"))
      expect(seen.filter(isEvent("llm_retry")).length).toBe(3)
      expect(seen.find(isEvent("alert"))).toMatchObject({
        data: {
          message: expect.stringMatching(/^probe HTTP 503 \(gave up: 4 attempts.*; going on with other\/other-1$/)
        }
      })
      expect(seen.filter(isEvent("llm_call_start")).map((event) => "data" in event && event.data)).toEqual([
        { llm_call: 0 },
        { llm_call: 0, model: "other/other-1" },
        { llm_call: 1 }
      ])
      const used = fileOf(bench.memory, bench.ref).filter(({ kind }) => kind === "llm_usage")
      expect(used.map((entry) => "model" in entry && entry.model)).toEqual(["other/other-1", false])
    }).pipe(Effect.scoped)
  )

  it.effect("and the next is waited for by its own limits", () =>
    Effect.gen(function* () {
      const limits = { ...defaultLimits, header_timeout: Duration.minutes(5), max_attempts: 1 }
      const bench = yield* twoModels(MemoryStore.make(), limits)
      yield* bench.handle.run("go")
      yield* bench.down
      yield* bench.other.next
      yield* rest
      yield* TestClock.adjust("4 minutes")
      expect(bench.other.open()).toBe(1)
      yield* TestClock.adjust("1 minute")
      const seen = yield* until(bench.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: {
          result: "failed",
          error: { message: expect.stringMatching(/^other \(other-1\): no answer for 300 s$/) }
        }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("does not, where another model would not help", () =>
    Effect.gen(function* () {
      const bench = yield* twoModels()
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.own.next, (call) => call.fail(failure(401)))
      const seen = yield* until(bench.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "failed" } })
      expect(bench.other.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("and the next cannot be had either: the run fails with the last one's words", () =>
    Effect.gen(function* () {
      const bench = yield* twoModels()
      yield* bench.handle.run("go")
      yield* bench.down
      yield* Effect.flatMap(bench.other.next, (call) => call.fail(failure(400)))
      const seen = yield* until(bench.take, isStatus("idle"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: { result: "failed", error: { phase: "request", message: "probe HTTP 400" } }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("in the middle of an answer: the next goes on with its text", () =>
    Effect.gen(function* () {
      const bench = yield* twoModels()
      yield* bench.handle.run("go")
      const call = yield* bench.own.next
      yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "Hel" })
      yield* rest
      yield* call.fail(new LlmError({ reason: "Cut", provider: "probe", message: "probe Cut" }))
      yield* rest
      yield* TestClock.adjust("11 seconds")
      yield* bench.down
      const { answer, request } = yield* bench.other.next
      expect(request.messages.slice(-2)).toEqual([
        { role: "assistant", blocks: [{ kind: "text", text: "Hel" }] },
        { role: "system", text: continueNote }
      ])
      yield* answer("lo")
      yield* until(bench.take, isStatus("idle"))
      expect(fileOf(bench.memory, bench.ref)).toContainEqual(
        expect.objectContaining({
          item: { kind: "message", role: "assistant", content: [{ kind: "text", text: "Hello" }] }
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("what only its maker takes back", () => {
  it.effect("is sent to nobody else, also after a restart", () =>
    Effect.gen(function* () {
      const bench = yield* twoModels()
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.own.next, (call) => whole(call, thought("OWN")))
      yield* bench.down
      const second = yield* bench.other.next
      expect(JSON.stringify(second.request.messages)).not.toContain('"signature"')
      yield* whole(second, thought("OTHER"))
      const third = yield* bench.own.next
      expect(JSON.stringify(third.request.messages)).toMatch(/"signature":"OWN"/)
      expect(JSON.stringify(third.request.messages)).not.toMatch(/"signature":"OTHER"/)
      yield* bench.handle.pause
      yield* until(bench.take, isStatus("paused"))
      const again = yield* twoModels(bench.memory)
      yield* again.handle.resume
      const fourth = yield* again.own.next
      expect(fourth.request.messages).toEqual(third.request.messages)
    }).pipe(Effect.scoped)
  )
})
