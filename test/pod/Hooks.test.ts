import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { type Hook, HookError } from "../../src/hooks/Hook.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { counting } from "../support/benchTools.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"

type Bench = Effect.Success<ReturnType<typeof open>>

/** What stands in the file about hooks. */
const records = (bench: Bench): ReadonlyArray<unknown> =>
  bench.memory
    .segments()
    .flatMap((ref) => fileOf(bench.memory, ref))
    .flatMap((entry) =>
      entry.kind === "extension" && entry.domain === "pod.hook" ? [withoutRun(entry.payload as object)] : []
    )

const withoutRun = (payload: object) => {
  const { leg: _, run_id: __, ...fields } = payload as { readonly run_id: string; readonly leg: number }
  return fields
}

const bodies = (entries: ReadonlyArray<LogEntry>) =>
  entries.flatMap((entry) => (entry.kind === "system_item" ? [entry.item.body] : []))

/** A hook that says yes to everything and remembers what it was told. */
const witness = () => {
  const told: Array<readonly [string, unknown]> = []
  const at =
    (point: string) =>
    (input: unknown): Effect.Effect<undefined> =>
      Effect.sync(() => void told.push([point, input]))
  const hook: Hook = {
    name: "witness",
    onPromptSubmit: at("on_prompt_submit"),
    preLlmRequest: at("pre_llm_request"),
    preToolCall: at("pre_tool_call"),
    postToolCall: at("post_tool_call"),
    onTurnEnd: at("on_turn_end"),
    onAbort: at("on_abort")
  }
  return { hook, told, points: () => told.map(([point]) => point) }
}

const act = { id: "c1", name: "Act", args: { path: "/w/a" } }

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

  it.effect("that always want to go on are stopped after 16 times, and by max_turns before", () =>
    Effect.gen(function* () {
      const nag: Hook = {
        name: "nag",
        onTurnEnd: () => Effect.succeed({ decision: "continue_with_messages", items: ["more"] })
      }
      const bench = yield* fresh({ hooks: [nag] })
      yield* bench.handle.run("go")
      for (let i = 0; i <= 16; i++) yield* Effect.flatMap(bench.model.next, (call) => call.answer("ok"))
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(seen.filter(isEvent("alert"))).toHaveLength(1)
      const short = yield* fresh({ hooks: [nag], maxTurns: 3 })
      yield* short.handle.run("go")
      for (let i = 0; i < 3; i++) yield* Effect.flatMap(short.model.next, (call) => call.answer("ok"))
      const end = (yield* until(short.take, isEvent("run_end"))).find(isEvent("run_end"))
      expect(end).toMatchObject({ data: { result: "limit_reached", limit: "max_turns" } })
    }).pipe(Effect.scoped)
  )

  it.effect("hear of a failure and of a cancel, and hold up the end of the run for 5 seconds at most", () =>
    Effect.gen(function* () {
      const { hook, told } = witness()
      const hangs: Hook = { name: "hangs", onAbort: () => Effect.never }
      const bench = yield* fresh({ hooks: [hook] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.fail(badRequest))
      yield* until(bench.take, isStatus("idle"))
      expect(told.at(-1)).toMatchObject(["on_abort", { reason: expect.stringContaining("bad request") }])

      const slow = yield* fresh({ hooks: [hangs, hook] })
      yield* slow.handle.run("go")
      yield* Effect.flatMap(slow.model.next, (call) => call.push({ type: "text_start", index: 0 }))
      yield* slow.handle.cancel
      yield* rest
      expect(told.at(-1)).toMatchObject(["on_abort", { reason: "Cancelled" }])
      expect(yield* slow.handle.status).toBe("running")
      yield* TestClock.adjust("5 seconds")
      const seen = yield* until(slow.take, isEvent("run_end"))
      expect(seen.filter(isEvent("alert"))).toMatchObject([
        {
          data: {
            message: expect.stringMatching(
              /"hangs" failed at on_abort: it did not answer within 5s; the run ends without it$/
            )
          }
        }
      ])
    }).pipe(Effect.scoped)
  )
})

describe("a hook that fails", () => {
  const failures: Readonly<Record<string, () => Effect.Effect<undefined, HookError>>> = {
    "with a reason": () => Effect.fail(new HookError({ message: "no connection" })),
    "by a defect": () => Effect.die(new Error("boom")),
    "by throwing": () => {
      throw new Error("boom")
    },
    "by interrupting itself": () => Effect.interrupt,
    "by talking nonsense": () => Effect.succeed({ decision: "maybe" } as never),
    "by adding too much": () =>
      Effect.succeed({ decision: "continue_with_messages", items: ["x".repeat(40_000)] } as never)
  }
  const problems: Readonly<Record<string, string>> = {
    "with a reason": "no connection",
    "by a defect": "it broke; this is a defect of the hook",
    "by throwing": "it broke; this is a defect of the hook",
    "by interrupting itself": "it broke; this is a defect of the hook"
  }

  it.effect.each(Object.keys(failures))("%s stops a call, and nothing else", (how) =>
    Effect.gen(function* () {
      const handler = failures[how]
      if (handler === undefined) throw new Error(how)
      const { hook, points } = witness()
      const act1 = counting("Act")
      const bad: Hook = {
        name: "bad",
        onPromptSubmit: handler,
        preLlmRequest: handler,
        preToolCall: handler,
        postToolCall: handler,
        onTurnEnd: handler
      }
      // `continue_with_messages` is a word of the end of a turn: there it is only too long.
      const bench = yield* fresh({ hooks: [bad, hook], tools: [act1.tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      const { answer, request } = yield* bench.model.next
      expect(request.messages.at(-1)).toMatchObject({
        results: [{ isError: true, text: expect.stringContaining('Act was not run: the hook "bad"') }]
      })
      expect(act1.runs()).toBe(0)
      yield* answer("ok")
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      const alerts = seen.filter(isEvent("alert"))
      const problem = problems[how] ?? "no decision of"
      expect(alerts).toHaveLength(5)
      for (const alert of alerts) expect(JSON.stringify(alert)).toContain(problem)
      // Everywhere else the next one was asked.
      expect(points()).toEqual(["on_prompt_submit", "pre_llm_request", "pre_llm_request", "on_turn_end"])
      expect(records(bench)).toHaveLength(6)
    }).pipe(Effect.scoped)
  )

  it.effect("by not answering does so at its limit, whatever it holds", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      let released = false
      const hangs: Hook = {
        name: "hangs",
        timeout: "3 minutes",
        preToolCall: () =>
          Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Effect.sync(() => void (released = true)))
          )
      }
      const bench = yield* fresh({ hooks: [hangs], tools: [counting("Act").tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools(act))
      yield* Deferred.await(begun)
      yield* TestClock.adjust("2 minutes")
      yield* rest
      expect(released).toBe(false)
      yield* TestClock.adjust("1 minute")
      const { request } = yield* bench.model.next
      expect(released).toBe(true)
      expect(JSON.stringify(request.messages.at(-1))).toContain("was not run")
      expect(records(bench)).toMatchObject([{ decision: "failed", problem: "it did not answer within 3m" }])
    }).pipe(Effect.scoped)
  )

  it.effect("by not answering is interrupted by a cancel at once", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const hangs: Hook = {
        name: "hangs",
        onPromptSubmit: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      }
      const bench = yield* fresh({ hooks: [hangs] })
      yield* bench.handle.run("go")
      yield* Deferred.await(begun)
      yield* bench.handle.cancel
      const seen = yield* until(bench.take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "rolled_back" } })
      expect(bench.model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )
})

describe("a restart in the middle of a hook", () => {
  /** Killed where `stage` says; then started again, and resumed. */
  const killed = Effect.fnUntraced(function* (stage: "asked" | "decided") {
    const memory = MemoryStore.make()
    const reached = yield* Deferred.make<void>()
    const first: Hook = {
      name: "guard",
      onPromptSubmit: () =>
        stage === "asked" ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : Effect.undefined
    }
    const bench = yield* open(memory, { hooks: [first] })
    yield* bench.handle.run("go")
    if (stage === "asked") yield* Deferred.await(reached)
    else yield* bench.model.next
    const asked: Array<string> = []
    const second: Hook = {
      name: "guard",
      onPromptSubmit: ({ input_text }) => Effect.sync(() => void asked.push(input_text))
    }
    const hooks = [second]
    return { asked, hooks, memory }
  })

  it.effect("asks about the input again, if there was no decision", () =>
    Effect.gen(function* () {
      const { asked, hooks, memory } = yield* killed("asked")
      const bench = yield* open(memory, { hooks, onInterrupted: "resume" })
      yield* bench.model.next
      expect(asked).toEqual(["go"])
    }).pipe(Effect.scoped)
  )

  it.effect("asks again about an input that was refused, and not taken back: the model never sees it", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const reached = yield* Deferred.make<void>()
      const guard: Hook = {
        name: "guard",
        onPromptSubmit: ({ input_text }) =>
          Effect.succeed(input_text === "bad" ? { decision: "cancel", reason: "no" } : undefined)
      }
      // Between the verdict and its effect.
      const slow: Hook = {
        name: "slow",
        onAbort: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      }
      const first = yield* open(memory, { hooks: [guard, slow] })
      yield* first.handle.run("bad")
      yield* Deferred.await(reached)
      const bench = yield* open(memory, { hooks: [guard], onInterrupted: "resume" })
      const { take } = yield* bench.handle.attach
      if ((yield* bench.handle.status) !== "idle") yield* until(take, isStatus("idle"))
      // Nor does it come along with any other, until a rewind has taken it out.
      for (const text of ["next", "and again"]) {
        expect(yield* bench.handle.runToEnd(text)).toMatchObject({ result: "rolled_back", by_hook: "guard" })
      }
      yield* back(bench.handle, "bad")
      expect((yield* say(bench, "good")).messages).toEqual([{ role: "user", text: "good" }])
      yield* TestClock.adjust("5 seconds")
    }).pipe(Effect.scoped)
  )

  it.effect("does not ask again about an input that was let through", () =>
    Effect.gen(function* () {
      const { asked, hooks, memory } = yield* killed("decided")
      const bench = yield* open(memory, { hooks, onInterrupted: "resume" })
      yield* bench.model.next
      expect(asked).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("asks with the next input, where the run ended with the crash: nothing gets past it", () =>
    Effect.gen(function* () {
      const { asked, hooks, memory } = yield* killed("asked")
      const bench = yield* open(memory, { hooks })
      yield* say(bench, "next")
      expect(asked).toEqual(["go", "next"])
      yield* say(bench, "more")
      expect(asked).toEqual(["go", "next", "more"])
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["go", "next", "more"])
    }).pipe(Effect.scoped)
  )

  it.effect("asks again about a call that is run again, and not about a result that is there", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const { hook, points } = witness()
      const act1 = counting("Act", true)
      const first = yield* open(memory, { tools: [act1.tool] })
      const { take } = yield* first.handle.attach
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.callTools(act))
      yield* until(take, isEvent("tool_result"))
      yield* first.model.next
      const second = yield* open(memory, { hooks: [hook], onInterrupted: "resume", tools: [act1.tool] })
      yield* second.model.next
      expect(points()).toEqual(["on_prompt_submit", "pre_llm_request"])
      expect(act1.runs()).toBe(1)
    }).pipe(Effect.scoped)
  )
})
