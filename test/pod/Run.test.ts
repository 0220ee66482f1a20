import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { fileOf, fresh, isEvent, isStatus, names, open, until } from "../support/podBench.ts"

const echo = Tool.make({
  name: "Echo",
  description: "says it again",
  parameters: Schema.Struct({ text: Schema.String }),
  idempotent: true,
  run: ({ text }) => Effect.succeed({ summary: `echo ${text}`, content: text })
})

describe("a run", () => {
  it.effect("is accepted, announced, answered and closed in the order that clients know", () =>
    Effect.gen(function* () {
      const { handle, memory, model, ref, take } = yield* fresh()
      const accepted = yield* handle.run("hello")
      yield* Effect.flatMap(model.next, (call) => call.answer("hi there"))
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.map((event) => event.event)).toEqual([
        "segment_rotated",
        "user_message",
        "status",
        "invoke_start",
        "run_start",
        "turn_start",
        "llm_call_start",
        "text_delta",
        "text_done",
        "usage",
        "llm_call_end",
        "turn_end",
        "assistant_item",
        "run_end",
        "status"
      ])
      expect(seen.find(isEvent("user_message"))?.seq).toBe(accepted.accepted_seq)
      expect(accepted.synced).toBe(true)
      expect(seen.find(isEvent("run_end"))).toMatchObject({
        durable: true,
        data: {
          run_id: accepted.run_id,
          leg: 1,
          result: "finished",
          usage: { llm_calls: 1, input_tokens: 10, output_tokens: 5 }
        }
      })
      expect(names(fileOf(memory, ref))).toEqual([
        "segment_start",
        "pod.scope",
        "pod.format",
        "invoke",
        "user_input",
        "pod.run start",
        "assistant_item",
        "llm_usage",
        "turn_end",
        "run_completed"
      ])
      expect(model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("the reply is given before the event that records the input can be seen", () =>
    Effect.gen(function* () {
      const { handle, journal, take } = yield* fresh()
      const replied = yield* Deferred.make<number>()
      yield* handle.submit({ method: "run", params: { input: [{ kind: "text", content: "x" }] } }, () => {
        Deferred.doneUnsafe(replied, Effect.succeed(journal.live.blocks.length))
      })
      const seen = yield* until(take, isEvent("user_message"))
      expect(yield* Deferred.isDone(replied)).toBe(true)
      expect(seen.at(-1)?.event).toBeDefined()
    }).pipe(Effect.scoped)
  )

  it.effect("tools run between two model calls, their results are committed one by one and given in call order", () =>
    Effect.gen(function* () {
      const gates = { a: yield* Deferred.make<void>(), b: yield* Deferred.make<void>() }
      const slow = Tool.make({
        name: "Slow",
        description: "waits for its gate",
        parameters: Schema.Struct({ gate: Schema.Literals(["a", "b"]) }),
        idempotent: false,
        run: ({ gate }) => Effect.as(Deferred.await(gates[gate]), { summary: `done ${gate}` })
      })
      const { handle, memory, model, ref, take } = yield* fresh({ tools: [slow] })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) =>
        call.callTools({ id: "c1", name: "Slow", args: { gate: "a" } }, { id: "c2", name: "Slow", args: { gate: "b" } })
      )
      yield* until(take, (event) => event.event === "tool_started" && event.data.id === "c2")
      yield* Deferred.succeed(gates.b, undefined)
      const first = yield* until(take, isEvent("tool_result"))
      expect(first.find(isEvent("tool_result"))).toMatchObject({ data: { id: "c2", summary: "done b" }, durable: true })
      yield* Deferred.succeed(gates.a, undefined)
      const second = yield* model.next
      expect(second.request.messages.slice(1)).toEqual([
        {
          role: "assistant",
          blocks: [
            { kind: "tool_call", id: "c1", name: "Slow", arguments: '{"gate":"a"}' },
            { kind: "tool_call", id: "c2", name: "Slow", arguments: '{"gate":"b"}' }
          ]
        },
        {
          role: "tool",
          results: [
            { id: "c1", name: "Slow", text: "done a", isError: false },
            { id: "c2", name: "Slow", text: "done b", isError: false }
          ]
        }
      ])
      yield* second.answer("finished")
      yield* until(take, isStatus("idle"))
      const file = names(fileOf(memory, ref))
      expect(file.indexOf("pod.tool started")).toBeLessThan(file.indexOf("tool_result"))
      expect(file.filter((name) => name === "tool_result")).toHaveLength(2)
    }).pipe(Effect.scoped)
  )

  it.effect("calls that change the same path run in call order, others side by side", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const write = Tool.make({
        name: "Put",
        description: "changes a path",
        parameters: Schema.Struct({ path: Schema.String, tag: Schema.String }),
        idempotent: false,
        mutates: ({ path }) => [path],
        run: ({ tag }) =>
          Effect.gen(function* () {
            log.push(`start ${tag}`)
            if (tag === "1") yield* Deferred.await(gate)
            log.push(`end ${tag}`)
            if (tag === "other") yield* Deferred.succeed(gate, undefined)
            return { summary: tag }
          })
      })
      const { handle, model } = yield* open(MemoryStore.make(), { tools: [write] })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) =>
        call.callTools(
          { id: "c1", name: "Put", args: { path: "/w/a", tag: "1" } },
          { id: "c2", name: "Put", args: { path: "/w/a", tag: "2" } },
          { id: "c3", name: "Put", args: { path: "/w/b", tag: "other" } }
        )
      )
      yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
      expect(log).toEqual(["start 1", "start other", "end other", "end 1", "start 2", "end 2"])
    }).pipe(Effect.scoped)
  )

  it.effect("an unknown tool, bad arguments, a failing and a breaking tool are results for the model", () =>
    Effect.gen(function* () {
      const fails = Tool.make({
        name: "Fails",
        description: "always fails",
        parameters: Schema.Struct({}),
        idempotent: true,
        run: () => Effect.fail(new Tool.ToolError({ reason: "ExecutionFailed", message: "the world said no" }))
      })
      const breaks = Tool.make({
        name: "Breaks",
        description: "has a defect",
        parameters: Schema.Struct({}),
        idempotent: true,
        run: () => Effect.die(new Error("secret detail"))
      })
      const { handle, model } = yield* open(MemoryStore.make(), { tools: [echo, fails, breaks] })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) =>
        call.callTools(
          { id: "c1", name: "Nope", args: {} },
          { id: "c2", name: "Echo", args: '{"text": "cut of' },
          { id: "c3", name: "Echo", args: { text: 7 } },
          { id: "c4", name: "Fails", args: {} },
          { id: "c5", name: "Breaks", args: {} },
          { id: "c6", name: "Echo", args: { text: "fine" } }
        )
      )
      const second = yield* model.next
      const results = second.request.messages.find((message) => message.role === "tool")
      const texts = results?.role === "tool" ? results.results.map(({ isError, text }) => [isError, text]) : []
      expect(texts[0]?.[1]).toContain("Tool 'Nope' not found")
      expect(texts[1]?.[1]).toContain("not a JSON object")
      expect(texts[2]?.[1]).toContain("Echo:")
      expect(texts[3]).toEqual([true, "the world said no"])
      expect(texts[4]?.[1]).not.toContain("secret")
      expect(texts[5]).toEqual([false, "echo fine\nfine"])
      expect(texts.slice(0, 5).every(([isError]) => isError)).toBe(true)
    }).pipe(Effect.scoped)
  )

  it.effect("ends as limit_reached after max_turns, counted for each run", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make(), { tools: [echo], maxTurns: 2 })
      for (const round of [1, 2]) {
        const { take } = yield* handle.attach
        yield* handle.run(`round ${round}`)
        yield* Effect.flatMap(model.next, (call) =>
          call.callTools({ id: `a${round}`, name: "Echo", args: { text: "1" } })
        )
        yield* Effect.flatMap(model.next, (call) =>
          call.callTools({ id: `b${round}`, name: "Echo", args: { text: "2" } })
        )
        const seen = yield* until(take, isStatus("idle"))
        expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "limit_reached", limit: "max_turns" } })
      }
    }).pipe(Effect.scoped)
  )

  it.effect("long output is cut for the model on a character boundary, and said", () =>
    Effect.gen(function* () {
      const long = Tool.make({
        name: "Long",
        description: "says much",
        parameters: Schema.Struct({}),
        idempotent: true,
        run: () => Effect.succeed({ summary: "much", content: "é".repeat(50_000) })
      })
      const { handle, model } = yield* open(MemoryStore.make(), {
        tools: [long],
        services: { outputLimit: () => 1_001 }
      })
      const { take } = yield* handle.attach
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Long", args: {} }))
      const second = yield* model.next
      const seen = yield* until(take, isEvent("tool_result"))
      const result = seen.find(isEvent("tool_result"))
      if (result?.event !== "tool_result") throw new Error("no result")
      expect(result.data.truncated).toBe(true)
      expect(new TextEncoder().encode(result.data.output).length).toBeLessThanOrEqual(1_001)
      expect(result.data.output).not.toContain("\ufffd")
      expect(seen.some(isEvent("alert"))).toBe(true)
      yield* second.answer("ok")
    }).pipe(Effect.scoped)
  )
})
