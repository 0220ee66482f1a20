import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { Manifest, Pod } from "effect-pod"
import { PodTest, Scripted } from "effect-pod/layers"

const world = PodTest.layer([
  { steps: [{ fail: { status: 529, retry_after: "4 minutes" } }] },
  { steps: [{ text: "Better late than never." }] }
])

it.effect("waits as long as the server asks, in no time", () =>
  Effect.gen(function* () {
    const manifest = yield* Manifest.make({
      pod: { name: "patient" },
      scope: { allow: [{ target: process.cwd(), permission: "read" }] }
    })
    const pod = yield* Pod.make(manifest)
    const { take } = yield* pod.attach
    const run = yield* Effect.forkChild(pod.runToEnd("hello"))
    const until = Effect.fnUntraced(function* (name: string) {
      for (;;) for (const event of yield* take) if (event.event === name) return event
    })

    expect(yield* until("llm_retry")).toMatchObject({ data: { wait_ms: 240_000, status: 529 } })
    expect(yield* pod.waitingOn).toMatchObject({ kind: "retry" })
    expect(run.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust("4 minutes")

    expect(yield* until("run_end")).toMatchObject({ data: { result: "finished" } })
    const { requests } = yield* Scripted.Script
    expect(yield* requests).toHaveLength(2)
  }).pipe(Effect.scoped, Effect.provide(world))
)
