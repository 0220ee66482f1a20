import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Hook } from "../../src/hooks/Hook.ts"
import { counting } from "../support/benchTools.ts"
import { act, bodies, records, witness } from "../support/hooks.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, until } from "../support/podBench.ts"
import { entriesOf, say } from "../support/talk.ts"

describe("hooks", () => {
  it.effect("are told at all their points what a run is about, in the order in which it goes", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const bench = yield* fresh({ hooks: [hook], tools: [counting("Act").tool] })
      const { run_id } = yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* Effect.flatMap(bench.model.next, (call) => call.answer("é".repeat(300)))
      yield* until(bench.take, isStatus("idle"))
      const run = { run_id, leg: 1 }
      expect(told).toEqual([
        ["on_prompt_submit", { ...run, input_text: "go", turn_index: 1 }],
        ["pre_llm_request", { ...run, item_count: 1, turn_index: 1, tool_calls_this_turn: 0 }],
        ["pre_tool_call", { ...run, call_id: "c1", tool_name: "Act", arguments: { path: "/w/a" } }],
        ["post_tool_call", { ...run, call_id: "c1", tool_name: "Act", is_error: false, output: { summary: "done" } }],
        ["pre_llm_request", { ...run, item_count: 3, estimated_tokens: 10, turn_index: 1, tool_calls_this_turn: 1 }],
        [
          "on_turn_end",
          { ...run, turn_index: 1, tool_calls_count: 1, final_text_preview: "é".repeat(256), continued: 0 }
        ]
      ])
      // To go on is no decision, but for the input: it is not asked about twice.
      expect(records(bench)).toEqual([{ point: "on_prompt_submit", decision: "continue" }])
    }).pipe(Effect.scoped)
  )

  it.effect("are asked in their order, and after one that decides nobody is", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const at = (name: string, decision?: { readonly decision: "skip"; readonly reason: string }): Hook => ({
        name,
        preToolCall: () => Effect.sync(() => (asked.push(name), decision))
      })
      const act1 = counting("Act")
      const no = { decision: "skip", reason: "not on a Friday" } as const
      const bench = yield* fresh({ hooks: [at("a"), at("b", no), at("c")], tools: [act1.tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      const { request } = yield* bench.model.next
      expect(asked).toEqual(["a", "b"])
      expect(act1.runs()).toBe(0)
      expect(request.messages.at(-1)).toMatchObject({
        results: [
          { isError: true, text: 'Act was not run: the hook "b" of this pod does not let it through: not on a Friday' }
        ]
      })
      expect(records(bench)).toEqual([{ point: "pre_tool_call", hook: "b", decision: "skip", call_id: "c1" }])
      // The record stands before the result that follows from it, and knows no reasons.
      const lines = names(fileOf(bench.memory, bench.ref))
      expect(lines.indexOf("pod.hook")).toBeLessThan(lines.indexOf("tool_result"))
      expect(JSON.stringify(records(bench))).not.toContain("Friday")
    }).pipe(Effect.scoped)
  )

  it.effect("do not see a call that the permissions deny, and cannot let it through", () =>
    Effect.gen(function* () {
      const { hook, points } = witness()
      const act1 = counting("Act")
      const yes: Hook = {
        name: "yes",
        preToolCall: () => Effect.succeed({ decision: "synthetic_result", summary: "ok" })
      }
      const bench = yield* fresh({
        hooks: [hook, yes],
        tools: [act1.tool],
        services: { permit: () => Effect.succeed({ _tag: "Deny", message: "denied" }) }
      })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      const { request } = yield* bench.model.next
      expect(request.messages.at(-1)).toMatchObject({ results: [{ isError: true, text: "denied" }] })
      expect(points()).not.toContain("pre_tool_call")
      expect(act1.runs()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("answer a call in place of its tool", () =>
    Effect.gen(function* () {
      const act1 = counting("Act")
      const fake: Hook = {
        name: "fake",
        preToolCall: () => Effect.succeed({ decision: "synthetic_result", summary: "as if", content: "all of it" })
      }
      const bench = yield* fresh({ hooks: [fake], tools: [act1.tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      const { request } = yield* bench.model.next
      expect(request.messages.at(-1)).toMatchObject({ results: [{ isError: false, text: "as if\nall of it" }] })
      expect(act1.runs()).toBe(0)
      expect(names(fileOf(bench.memory, bench.ref))).not.toContain("pod.tool started")
    }).pipe(Effect.scoped)
  )

  it.effect("add to the conversation, and it is committed before the request that has it first", () =>
    Effect.gen(function* () {
      const adds: Hook = {
        name: "guide",
        onPromptSubmit: () => Effect.succeed({ decision: "continue_with", items: ["branch: main"] }),
        preLlmRequest: ({ item_count }) =>
          Effect.succeed(item_count === 2 ? { decision: "continue_with", items: ["one", "two"] } : undefined),
        onTurnEnd: ({ continued }) =>
          Effect.succeed(
            continued === 0 ? { decision: "continue_with_messages", items: ["run the tests"] } : { decision: "finish" }
          )
      }
      const memory = MemoryStore.make()
      const bench = yield* open(memory, { hooks: [adds] })
      const { take } = yield* bench.handle.attach
      yield* bench.handle.run("go")
      const first = yield* bench.model.next
      const system = (text: string) => ({ role: "system", text: `[Hook guide]\n${text}` })
      const asked = [{ role: "user", text: "go" }, system("branch: main"), system("one"), system("two")]
      expect(first.request.messages).toEqual(asked)
      expect(bodies(yield* entriesOf(bench.handle))).toHaveLength(3)
      yield* first.answer("done")
      const second = yield* bench.model.next
      // What was said is said again byte for byte: a vendor's cache of it holds.
      expect(second.request.messages.slice(0, 4)).toEqual(asked)
      expect(second.request.messages.slice(5)).toEqual([system("run the tests")])
      yield* second.answer("tested")
      yield* until(take, isEvent("run_end"))
      expect(records(bench).map((record) => (record as { readonly decision: string }).decision)).toEqual([
        "continue_with",
        "continue",
        "continue_with",
        "continue_with_messages"
      ])
      const again = yield* open(memory)
      const { messages } = yield* say(again, "more")
      expect(messages.slice(0, 4)).toEqual(asked)
    }).pipe(Effect.scoped)
  )

  it.effect("that refuse an input take it back: the model never sees it, and the sender is told why", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const guard: Hook = {
        name: "guard",
        onPromptSubmit: ({ input_text }) =>
          Effect.succeed(input_text.includes("secret") ? { decision: "cancel", reason: "no secrets here" } : undefined)
      }
      const bench = yield* fresh({ hooks: [guard, hook] })
      yield* say(bench, "one")
      const before = yield* entriesOf(bench.handle)
      const { take } = yield* bench.handle.attach
      const end = yield* bench.handle.runToEnd("my secret")
      expect(end).toMatchObject({
        result: "rolled_back",
        by_hook: "guard",
        error: { code: "internal", phase: "prepare", message: 'Aborted by the hook "guard": no secrets here' }
      })
      yield* until(take, isStatus("idle"))
      expect(yield* entriesOf(bench.handle)).toEqual(before)
      expect(JSON.stringify((yield* say(bench, "two")).messages)).not.toContain("secret")
      expect(told.find(([point]) => point === "on_abort")?.[1]).toMatchObject({
        reason: 'Aborted by the hook "guard": no secrets here'
      })
      const again = yield* open(bench.memory)
      expect(JSON.stringify((yield* say(again, "three")).messages)).not.toContain("secret")
    }).pipe(Effect.scoped)
  )

  it.effect("that refuse an input which was sent into a turn take it out of the inbox; the turn goes on", () =>
    Effect.gen(function* () {
      const guard: Hook = {
        name: "guard",
        onPromptSubmit: ({ input_text }) =>
          Effect.succeed(
            input_text === "bad"
              ? { decision: "cancel", reason: "no" }
              : input_text === "good"
                ? { decision: "continue_with", items: ["looked at"] }
                : undefined
          )
      }
      const bench = yield* fresh({ hooks: [guard], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      const call = yield* bench.model.next
      yield* bench.handle.run("bad", { delivery: "steer" })
      yield* bench.handle.run("good", { delivery: "steer" })
      yield* call.callTools(act)
      const next = yield* bench.model.next
      expect(next.request.messages.slice(-2)).toEqual([
        { role: "user", text: "good" },
        { role: "system", text: "[Hook guard]\nlooked at" }
      ])
      expect(JSON.stringify(next.request.messages)).not.toContain("bad")
      expect(yield* bench.handle.inboxSize).toBe(0)
      yield* next.answer("ok")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ event: "run_end", data: { result: "finished" } })
      expect(seen.filter(isEvent("alert"))).toMatchObject([
        { data: { level: "warn", message: 'hook "guard" refused an input: no' } }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("that abort before a request or a call end the run, and nothing of the response runs", () =>
    Effect.gen(function* () {
      const act1 = counting("Act")
      const stop: Hook = {
        name: "stop",
        preLlmRequest: ({ item_count }) =>
          Effect.succeed(item_count > 3 ? { decision: "cancel", reason: "enough" } : undefined),
        preToolCall: ({ call_id }) =>
          Effect.succeed(call_id === "c2" ? { decision: "abort", reason: "never" } : undefined)
      }
      const bench = yield* fresh({ hooks: [stop], tools: [act1.tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act, { ...act, id: "c2" }))
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        data: {
          result: "failed",
          error: { code: "internal", phase: "tool", message: 'Aborted by the hook "stop": never' }
        }
      })
      expect(act1.runs()).toBe(0)
      const end = yield* bench.handle.runToEnd("again")
      expect(end).toMatchObject({ result: "failed", error: { phase: "request" } })
      expect(records(bench)).toEqual([
        { point: "pre_tool_call", hook: "stop", decision: "abort", call_id: "c2" },
        { point: "pre_llm_request", hook: "stop", decision: "cancel" }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("that abort after a call leave its result, and those of its neighbours", () =>
    Effect.gen(function* () {
      const stop: Hook = {
        name: "stop",
        postToolCall: ({ call_id }) =>
          Effect.succeed(call_id === "c1" ? { decision: "abort", reason: "why" } : undefined)
      }
      const bench = yield* fresh({ hooks: [stop], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act, { ...act, id: "c2" }))
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "failed" } })
      const results = (yield* entriesOf(bench.handle)).filter(({ kind }) => kind === "tool_result")
      expect(results).toMatchObject([{ item: { summary: "done" } }, { item: { summary: "done" } }])
    }).pipe(Effect.scoped)
  )

  it.effect("that pause hold the run: resume asks again, and the calls run then", () =>
    Effect.gen(function* () {
      const act1 = counting("Act")
      let isOpen = false
      const gate: Hook = {
        name: "gate",
        preToolCall: ({ call_id }) =>
          Effect.sync(() => (isOpen || call_id === "c1" ? undefined : { decision: "pause" })),
        onTurnEnd: () => Effect.sync(() => (isOpen ? undefined : { decision: "pause" as const }))
      }
      const memory = MemoryStore.make()
      const bench = yield* open(memory, { hooks: [gate], tools: [act1.tool] })
      const { take } = yield* bench.handle.attach
      const { run_id } = yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act, { ...act, id: "c2" }))
      const seen = yield* until(take, isStatus("paused"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "paused", by_hook: "gate" } })
      expect(act1.runs()).toBe(0)
      expect(fileOf(memory, bench.ref).at(-1)).toMatchObject({
        kind: "run_completed",
        interrupted: true,
        result: "paused"
      })
      isOpen = true
      const second = yield* open(memory, { hooks: [gate], tools: [act1.tool] })
      expect(yield* second.handle.resume).toEqual({ run_id, leg: 2 })
      const next = yield* second.model.next
      expect(act1.runs()).toBe(2)
      isOpen = false
      const again = yield* second.handle.attach
      yield* next.answer("done")
      yield* until(again.take, isStatus("paused"))
      expect(second.journal.state.run?.state).toBe("paused")
      // The answer is there: nobody is asked for it again.
      isOpen = true
      yield* second.handle.resume
      const ended = yield* until(again.take, isStatus("idle"))
      expect(ended.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished", run_id } })
    }).pipe(Effect.scoped)
  )
})
