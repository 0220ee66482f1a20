import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Pod from "../../src/pod/Pod.ts"
import type { SegmentFile } from "../../src/session/SessionStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { stuck } from "../support/benchTools.ts"
import { isEvent, isStatus, open, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { directory, manifestFor } from "../support/workspace.ts"
import { recorded, recorder } from "../support/recordingStore.ts"
import { simulate } from "../support/World.ts"

const opened = Effect.fnUntraced(function* (tools: ReadonlyArray<Tool.Tool> = [], memory = MemoryStore.make()) {
  const { syncsOf, wrap } = recorder()
  const bench = yield* open(memory, { tools, wrap })
  const { take } = yield* bench.handle.attach
  return { ...bench, syncsOf, take }
})

const toolOf = (name: string, changes: ReadonlyArray<string> = []) =>
  Tool.make({
    name,
    description: "for this test",
    parameters: Schema.Struct({}),
    idempotent: false,
    mutates: () => changes,
    run: () => Effect.succeed({ summary: "ready" })
  })

describe("what must survive a power cut", () => {
  it.effect("the input, the start and the result of a call, the end of the run; not an answer on its way", () =>
    Effect.gen(function* () {
      const { handle, model, syncsOf, take } = yield* opened([toolOf("Ready")])
      expect(yield* handle.run("go")).toMatchObject({ run_id: expect.any(String) })
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Ready", args: {} }))
      yield* Effect.flatMap(model.next, (call) => call.answer("done"))
      yield* until(take, isStatus("idle"))
      expect(syncsOf("segment_start")).toEqual([true])
      expect(syncsOf("user_input")).toEqual([true])
      expect(syncsOf("pod.tool started")).toEqual([true])
      expect(syncsOf("tool_result")).toEqual([true])
      expect(syncsOf("run_completed")).toEqual([true])
      expect(syncsOf("assistant_item")).toEqual([false, false])
    }).pipe(Effect.scoped)
  )

  it.effect("the answer to a call that cannot be run, which comes with the call", () =>
    Effect.gen(function* () {
      const { handle, model, syncsOf, take } = yield* opened([toolOf("Ready")])
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Ready", args: "not an object" }))
      yield* Effect.flatMap(model.next, (call) => call.answer("done"))
      yield* until(take, isStatus("idle"))
      expect(syncsOf("tool_result")).toEqual([true])
    }).pipe(Effect.scoped)
  )

  it.effect("what a start has read, before anything is told of it", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* opened([], memory)
      yield* first.handle.notify("written, and killed before the sync", { wake: false, key: "k" })
      yield* first.handle.shutdown
      let syncs = 0
      const counted = (file: SegmentFile): SegmentFile => ({
        ...file,
        sync: Effect.tap(file.sync, () => Effect.sync(() => void (syncs += 1)))
      })
      const { handle } = yield* open(memory, { wrap: counted })
      expect(syncs).toBe(1)
      expect(yield* handle.notify("written, and killed before the sync", { wake: false, key: "k" })).toMatchObject({
        synced: true
      })
    }).pipe(Effect.scoped)
  )

  it("the start of each call, also of one that had to wait for another, in any schedule", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { exit } = await simulate(
        seed,
        Effect.gen(function* () {
          const { handle, model, syncsOf, take } = yield* opened([toolOf("Change", ["/w/file"])])
          yield* handle.run("go")
          const calls = ["c1", "c2"].map((id) => ({ id, name: "Change", args: {} }))
          yield* Effect.flatMap(model.next, (call) => call.callTools(...calls))
          yield* Effect.flatMap(model.next, (call) => call.answer("done"))
          yield* until(take, isStatus("idle"))
          return [...syncsOf("pod.tool started"), ...syncsOf("tool_result")]
        }).pipe(Effect.scoped)
      )
      const syncs = Exit.isSuccess(exit) ? exit.value : []
      expect(new Set(syncs), `seed ${seed}`).toEqual(new Set([true]))
    }
  })

  it.effect("what is put into the inbox, and that it was taken", () =>
    Effect.gen(function* () {
      const { handle, model, syncsOf } = yield* opened()
      yield* handle.notify("quietly", { wake: false })
      expect(syncsOf("pod.inbox add")).toEqual([true])
      yield* handle.run("go")
      const call = yield* model.next
      yield* handle.run("queued", { delivery: "queue" })
      yield* handle.run("rather this", { delivery: "steer" })
      expect(syncsOf("pod.inbox add")).toEqual([true, true, true])
      expect(syncsOf("pod.inbox take")).toEqual([true])
      yield* call.callTools({ id: "c1", name: "None", args: {} })
      yield* model.next
      expect(syncsOf("pod.inbox take")).toEqual([true, true])
    }).pipe(Effect.scoped)
  )

  it.effect("the end of a run that failed, and of one that was undone", () =>
    Effect.gen(function* () {
      const { handle, model, syncsOf, take } = yield* opened()
      yield* handle.run("one")
      yield* Effect.flatMap(model.next, (call) => call.fail(badRequest))
      yield* until(take, isStatus("idle"))
      expect(syncsOf("run_errored")).toEqual([true])
      yield* handle.run("two")
      yield* model.next
      yield* handle.cancel
      yield* until(take, isStatus("idle"))
      expect(syncsOf("pod.mark rollback")).toEqual([true])
    }).pipe(Effect.scoped)
  )

  it.effect("a pause, the next leg, and the answer to a call that the pause has cut", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const { handle, model, syncsOf, take } = yield* opened([tool])
      yield* handle.run("go")
      yield* Effect.flatMap(model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      yield* handle.pause
      yield* until(take, isStatus("paused"))
      expect(syncsOf("run_errored")).toEqual([true])
      yield* handle.resume
      expect(syncsOf("pod.run start")).toEqual([true, true])
      yield* model.next
      expect(syncsOf("tool_result")).toEqual([true])
    }).pipe(Effect.scoped)
  )

  it.effect("what a start puts right: a tail that was cut, a run without an end", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* opened([], memory)
      yield* first.handle.run("go")
      yield* first.model.next
      // It is left alone here, as a killed process leaves its files.
      memory.write(first.ref, new TextEncoder().encode('{"kind":'))
      const second = yield* opened([], memory)
      expect(second.syncsOf("pod.repair cut_tail")).toEqual([true])
      expect(second.syncsOf("run_errored")).toEqual([true])
    }).pipe(Effect.scoped)
  )
})

describe("[session] durability", () => {
  const appendsWith = Effect.fnUntraced(function* (durability: "fsync" | "os") {
    const record = recorder()
    const turn = Effect.gen(function* () {
      const cwd = yield* directory
      const manifest = yield* manifestFor(cwd, "durable", { session: { durability } })
      const pod = yield* Pod.make(manifest, { cwd })
      const { take } = yield* pod.attach
      const { synced } = (yield* pod.run("go")) as { readonly synced?: boolean }
      yield* until(take, isEvent("run_end"))
      return synced
    })
    const calls = [{ steps: [{ tool: "Glob", id: "c1", args: { pattern: "*" } }] }, { steps: [{ text: "ok" }] }]
    const synced = yield* turn.pipe(
      Effect.scoped,
      Effect.provide(PodTest.layer(calls, recorded(MemoryStore.make(), record)))
    )
    return { ...record, synced }
  })

  it.effect("fsync: the store is asked at the points that cannot be had again, and the sender is told", () =>
    Effect.gen(function* () {
      const { synced, syncsOf } = yield* appendsWith("fsync")
      const points = ["user_input", "pod.tool started", "tool_result", "run_completed"]
      expect(points.map(syncsOf)).toEqual([[true], [true], [true], [true]])
      expect(synced).toBe(true)
    })
  )

  it.effect("os: it is never asked, and nobody is told otherwise", () =>
    Effect.gen(function* () {
      const { synced, syncs, syncsOf } = yield* appendsWith("os")
      expect(syncsOf("run_completed")).toEqual([false])
      expect(new Set(syncs())).toEqual(new Set([false]))
      expect(synced).toBe(false)
    })
  )
})
