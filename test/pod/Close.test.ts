import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Pod from "../../src/pod/Pod.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { names, open, rest } from "../support/podBench.ts"
import { directory, manifestFor } from "../support/workspace.ts"

const podIn = Effect.fnUntraced(function* (scope: Scope.Scope) {
  return yield* Scope.provide(Pod.make(yield* manifestFor(yield* directory, "closer")), scope)
})

const endings = (file: ReadonlyArray<string>) =>
  file.filter((name) => name === "run_errored" || name === "run_completed" || name === "pod.mark rollback")

describe("closing the Scope of a pod", () => {
  it.effect("right after a run was sent: the run gets its end, and nothing waits for a time-out", () => {
    const store = MemoryStore.make()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const pod = yield* podIn(scope)
      const answers: Array<unknown> = []
      yield* pod.submit({ method: "run", params: { input: [{ kind: "text", content: "hello" }] } }, (answer) => {
        answers.push(answer)
      })
      // The clock stands still: a wait for a time-out would never end.
      yield* Scope.close(scope, Exit.void)
      expect(answers).toHaveLength(1)
      const [ref] = store.segments()
      const file = ref === undefined ? [] : names(store.lines(ref).map((line) => JSON.parse(line) as LogEntry))
      expect(endings(file)).toHaveLength(file.filter((name) => name === "pod.run start").length)
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([{ steps: [{ wait: "1 hour" }] }], store)))
  })

  it.effect("right after a notification was accepted: its turn gets its end, and nothing waits for a time-out", () => {
    const store = MemoryStore.make()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const pod = yield* podIn(scope)
      yield* pod.notify("hello")
      // The clock stands still: a wait for a time-out would never end.
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([{ steps: [{ wait: "1 hour" }] }], store)))
  })
})

describe("the handle", () => {
  it.effect("runToEnd that is interrupted before the answer leaves no run behind", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      disk.set("still")
      const { handle, model } = yield* open(MemoryStore.make(), { wrap: disk.wrap })
      const fiber = yield* Effect.forkChild(handle.runToEnd("go"))
      yield* disk.asked
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* rest
      yield* disk.go
      yield* rest
      expect(yield* handle.status).toBe("idle")
      expect(model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("resume that lets a held queue flow answers with the run that it started", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      yield* first.handle.run("one")
      yield* first.model.next
      const { run_id } = yield* first.handle.run("queued", { delivery: "queue" })
      // Left alone in the middle of the run: the queue waits for a person.
      const second = yield* open(memory)
      expect(yield* second.handle.resume).toEqual({ run_id, leg: 1 })
    }).pipe(Effect.scoped)
  )

  it.effect("the stream of events of a pod that has stopped is at its end", () =>
    Effect.gen(function* () {
      const { handle } = yield* open(MemoryStore.make())
      yield* handle.shutdown
      const events = yield* Effect.forkChild(Stream.runDrain(handle.events))
      yield* rest
      expect(events.pollUnsafe(), "the stream goes on").toBeDefined()
    }).pipe(Effect.scoped)
  )

  it.effect("an answer that nobody can take does not stop the pod", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* handle.submit({ method: "run", params: { input: [{ kind: "text", content: "go" }] } }, () => {
        throw new Error("broken reply")
      })
      yield* rest
      const again = yield* Effect.forkChild(handle.run("queued", { delivery: "queue" }))
      yield* rest
      expect(again.pollUnsafe(), "the pod is deaf").toBeDefined()
      expect(model.open()).toBe(1)
    }).pipe(Effect.scoped)
  )
})
