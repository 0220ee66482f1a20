import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Answer } from "../../src/pod/PodHandle.ts"
import type { Method } from "../../src/protocol/Method.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { open, rest } from "../support/podBench.ts"

const quiet = (message: string): Method => ({ method: "notify", params: { message, wake: false } })

describe("the inbox", () => {
  it.effect("holds 4096 items; what comes then is refused as overloaded, and is taken again when there is room", () =>
    Effect.gen(function* () {
      const { handle, model } = yield* open(MemoryStore.make())
      yield* Effect.forEach(Array.from({ length: 4_096 }), () => handle.notify("n", { wake: false }), {
        concurrency: 256,
        discard: true
      })
      expect(yield* handle.inboxSize).toBe(4_096)
      const overloaded = { code: "overloaded", message: "the inbox is full (4096 items)" }
      expect(yield* Effect.flip(handle.notify("one more"))).toMatchObject(overloaded)
      expect(yield* handle.inboxSize).toBe(4_096)
      // A run needs no place, and takes along what waits.
      yield* handle.run("go")
      yield* model.next
      yield* handle.notify("there is room")
      expect(yield* handle.inboxSize).toBe(1)
    }).pipe(Effect.scoped)
  )
})

describe("the mailbox", () => {
  it.effect("holds 1024 methods; then who wants an answer gets overloaded at once, and who wants none waits", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const { handle } = yield* open(MemoryStore.make(), { wrap: disk.wrap })
      yield* handle.notify("makes the segment", { wake: false })
      disk.set("still")
      const answers: Array<Answer> = []
      const send = handle.submit(quiet("n"), (answer) => {
        answers.push(answer)
      })
      // The controller has taken this one, and waits for the store.
      yield* send
      yield* disk.asked
      yield* Effect.forEach(Array.from({ length: 1_024 }), () => send, { discard: true })
      expect(answers).toEqual([])
      yield* send
      expect(answers).toMatchObject([{ ok: false, error: { code: "overloaded", hint: expect.any(String) } }])
      const silent = yield* Effect.forkChild(handle.submit(quiet("without an answer")))
      yield* rest
      expect(silent.pollUnsafe(), "it is in, beyond the bound").toBeUndefined()
      yield* disk.go
      yield* rest
      yield* handle.notify("behind all of them", { wake: false })
      expect(silent.pollUnsafe()).toBeDefined()
      expect(answers.filter(({ ok }) => ok)).toHaveLength(1_025)
      expect(yield* handle.inboxSize).toBe(1 + 1_025 + 1 + 1)
    }).pipe(Effect.scoped)
  )
})
