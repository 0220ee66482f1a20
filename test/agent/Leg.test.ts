import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tool from "../../src/tools/Tool.ts"
import { counting } from "../support/benchTools.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fresh, isEvent, isStatus, rest, until } from "../support/podBench.ts"

/** A run with two calls that change one path: the first never ends, the second waits for its turn. */
const twoOnOnePath = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const ran: Array<string> = []
  const put = Tool.make({
    name: "Put",
    description: "changes a path",
    parameters: Schema.Struct({ tag: Schema.String }),
    idempotent: false,
    mutates: () => ["/w/a"],
    run: ({ tag }) =>
      Effect.suspend(() => {
        ran.push(tag)
        return tag === "stuck"
          ? Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
          : Effect.succeed({ summary: tag })
      })
  })
  const bench = yield* fresh({ tools: [put] })
  yield* bench.handle.run("go")
  yield* Effect.flatMap(bench.model.next, (call) =>
    call.callTools({ id: "c1", name: "Put", args: { tag: "stuck" } }, { id: "c2", name: "Put", args: { tag: "next" } })
  )
  yield* Deferred.await(begun)
  return { ...bench, ran }
})

describe("a cancel while calls wait for their turn on a path", () => {
  it.effect("starts none of them", () =>
    Effect.gen(function* () {
      const { handle, ran, take } = yield* twoOnOnePath
      yield* handle.cancel
      yield* until(take, isStatus("idle"))
      expect(ran).toEqual(["stuck"])
    }).pipe(Effect.scoped)
  )
})

describe("a leg that goes on after a pause", () => {
  it.effect("by then nothing new has begun; what had waited for its turn on a path runs now", () =>
    Effect.gen(function* () {
      const { handle, model, ran, take } = yield* twoOnOnePath
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      expect(ran, "before the run was resumed").toEqual(["stuck"])
      yield* handle.resume
      yield* model.next
      expect(ran).toEqual(["stuck", "next"])
    }).pipe(Effect.scoped)
  )

  it.effect("does not run a call whose arguments nobody could read", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const act = counting("Act")
      const { handle, model, take } = yield* fresh({ tools: [act.tool], wrap: disk.wrap })
      yield* handle.run("go")
      const call = yield* model.next
      disk.set("still")
      yield* call.callTools({ id: "c1", name: "Act", args: '{"only": "th' })
      // The pause comes while the answer of the model is being written.
      yield* disk.asked
      yield* handle.pause
      yield* rest
      yield* disk.go
      yield* until(take, isStatus("paused"))
      yield* handle.resume
      const { request } = yield* model.next
      expect(act.runs()).toBe(0)
      expect(JSON.stringify(request.messages)).toContain("not a JSON object")
    }).pipe(Effect.scoped)
  )
})

describe("a tool", () => {
  it.effect("that interrupts itself is a failed call, not a cancelled run", () =>
    Effect.gen(function* () {
      const gives = Tool.make({
        name: "GivesUp",
        description: "interrupts itself",
        parameters: Schema.Struct({}),
        idempotent: true,
        run: () => Effect.interrupt
      })
      const { handle, model, take } = yield* fresh({ tools: [gives] })
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "GivesUp", args: {} }))
      const seen = yield* until(take, (event) => event.event === "run_end" || event.event === "tool_result")
      expect(seen.filter(isEvent("run_end"))).toEqual([])
    }).pipe(Effect.scoped)
  )
})
