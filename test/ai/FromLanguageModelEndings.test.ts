/** How answers of a LanguageModel end that are not whole, and what is left of them. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as AiError from "effect/ai/AiError"
import * as TestClock from "effect/testing/TestClock"
import * as AiScript from "../support/AiScript.ts"
import { isEvent, until } from "../support/podBench.ts"
import { items, open } from "./guest.ts"

const notThis = new AiError.ContentPolicyError({ description: "not this" })

describe("an answer of a LanguageModel", () => {
  it.effect("a request that does not fit is an overflow", () =>
    Effect.gen(function* () {
      const reason = new AiError.InvalidRequestError({ description: "prompt is too long: 210000 tokens > 200000" })
      const pod = yield* open(yield* AiScript.make([[AiScript.fails(reason)]]))
      expect(yield* pod.runToEnd("hello")).toMatchObject({ result: "failed", error: { code: "provider_overflow" } })
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["an error of the policy", [AiScript.fails(notThis)]],
    ["an error of the policy inside", [...AiScript.says("not"), { type: "error", error: notThis }]],
    ["the reason content-filter", [...AiScript.says("not this"), AiScript.ends("content-filter")]]
  ] as const)("a refusal by %s is the answer, with an alert", ([, acts]) =>
    Effect.gen(function* () {
      const script = yield* AiScript.make([acts])
      const pod = yield* open(script)
      const { take } = yield* pod.attach
      expect(yield* pod.runToEnd("do it")).toMatchObject({ result: "finished" })
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.filter(isEvent("alert"))).toMatchObject([{ data: { message: expect.stringContaining("refused") } }])
      expect(JSON.stringify(yield* items(pod))).toContain("not this")
      expect(script.asked()).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("an error inside an answer fails the run, and nothing half said is in the log", () =>
    Effect.gen(function* () {
      const half = AiScript.says("half").slice(0, -1)
      const script = yield* AiScript.make([[...half, { type: "error", error: { message: "overloaded" } }]])
      const pod = yield* open(script)
      const end = yield* pod.runToEnd("hello")
      expect(end).toMatchObject({
        result: "failed",
        error: { code: "provider_error", phase: "stream", message: expect.stringContaining("overloaded") }
      })
      expect(yield* items(pod)).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("an answer that ends for the reason error fails the run, and is not asked for again", () =>
    Effect.gen(function* () {
      const script = yield* AiScript.make([[...AiScript.says("half"), AiScript.ends("error")]])
      const pod = yield* open(script)
      expect(yield* pod.runToEnd("hello")).toMatchObject({
        result: "failed",
        error: { code: "provider_error", phase: "stream", message: expect.stringContaining("gave up") }
      })
      expect(yield* items(pod)).toEqual([])
      expect(script.asked()).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("a tool that does not exist is answered, and not the framework's affair", () =>
    Effect.gen(function* () {
      const script = yield* AiScript.make([
        [...AiScript.calls("c1", "Fly", { to: "the moon" }), AiScript.ends("tool-calls")],
        [...AiScript.says("I cannot fly."), AiScript.ends()]
      ])
      const pod = yield* open(script)
      expect(yield* pod.runToEnd("fly")).toMatchObject({ result: "finished" })
      expect(script.asked()[1]?.prompt.content.at(-1)).toMatchObject({
        role: "tool",
        content: [{ id: "c1", isFailure: true, result: expect.stringContaining("'Fly' not found") }]
      })
    }).pipe(Effect.scoped)
  )

  it.effect("calls of an answer that ended nobody knows why are not run", () =>
    Effect.gen(function* () {
      const cut = [...AiScript.calls("c1", "Length", { word: "pear" }), AiScript.ends("unknown")]
      const script = yield* AiScript.make([cut, [...AiScript.says("4"), AiScript.ends("unknown")]])
      const pod = yield* open(script)
      const { take } = yield* pod.attach
      yield* pod.run("how long is pear?")
      yield* until(take, isEvent("llm_continuation"))
      yield* TestClock.adjust("1 minute")
      yield* until(take, isEvent("run_end"))
      expect(yield* items(pod)).toEqual([
        { kind: "message", role: "assistant", content: [{ kind: "text", text: "4" }] }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("calls of an answer that a filter has stopped are not run", () =>
    Effect.gen(function* () {
      const stopped = [...AiScript.says("I count."), ...AiScript.calls("c1", "Length", { word: "pear" })]
      const pod = yield* open(yield* AiScript.make([[...stopped, AiScript.ends("content-filter")]]))
      expect(yield* pod.runToEnd("how long is pear?")).toMatchObject({ result: "finished" })
      expect(yield* items(pod)).toEqual([
        { kind: "message", role: "assistant", content: [{ kind: "text", text: "I count." }] }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("what belongs to a call that its token limit made void is not sent back on the text behind it", () =>
    Effect.gen(function* () {
      const half = AiScript.calls("c1", "Length", { word: "pear" }, { script: { itemId: "f1" } })
      const script = yield* AiScript.make([
        [...AiScript.says("I count."), ...half, AiScript.ends("length")],
        [...AiScript.says(" 4.", "u"), AiScript.ends()],
        [...AiScript.says("fine"), AiScript.ends()]
      ])
      const pod = yield* open(script)
      yield* pod.runToEnd("how long is pear?")
      yield* pod.runToEnd("thanks")
      expect(script.asked()[2]?.prompt.content[2]).toEqual({ role: "assistant", content: "I count. 4.", options: {} })
    }).pipe(Effect.scoped)
  )

  it.effect("what belongs to a text of blanks, or of nothing, is not sent back on the call behind it", () =>
    Effect.gen(function* () {
      const blank = (id: string, ...deltas: ReadonlyArray<string>): ReadonlyArray<AiScript.Act> => [
        { type: "text-start", id, metadata: { script: { itemId: id } } },
        ...deltas.map((delta) => ({ type: "text-delta", id, delta }) as const),
        { type: "text-end", id }
      ]
      const call = (id: string) => AiScript.calls(id, "Length", { word: "pear" })
      const script = yield* AiScript.make([
        [...blank("m1"), ...call("c1"), ...blank("m2", "\n"), ...call("c2"), AiScript.ends("tool-calls")],
        [...AiScript.says("4."), AiScript.ends()]
      ])
      const pod = yield* open(script)
      yield* pod.runToEnd("how long is pear?")
      expect(script.asked()[1]?.prompt.content[2]?.content).toEqual([
        expect.objectContaining({ type: "tool-call", id: "c1", options: {} }),
        expect.objectContaining({ type: "tool-call", id: "c2", options: {} })
      ])
    }).pipe(Effect.scoped)
  )
})
