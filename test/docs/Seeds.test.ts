import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { Manifest, Pod } from "effect-pod"
import { MemoryStore, PodTest } from "effect-pod/layers"

const play = (seed: number) =>
  Effect.gen(function* () {
    const store = MemoryStore.make()
    yield* TestClock.setTime(1_800_000_000_000)
    yield* Effect.gen(function* () {
      const pod = yield* Pod.make(
        yield* Manifest.make({
          pod: { name: "twin" },
          scope: { allow: [{ target: "/tmp", permission: "read" }] }
        })
      )
      yield* pod.runToEnd("hello", { key: "k" })
      yield* pod.runToEnd("again")
    }).pipe(
      Effect.scoped,
      Effect.provide(PodTest.layer([{ steps: [{ text: "hi" }] }, { steps: [{ text: "hi" }] }], store))
    )
    return store.segments().flatMap(store.lines)
  }).pipe(Random.withSeed(seed))

it.effect("the same seed writes the same journal, byte for byte", () =>
  Effect.gen(function* () {
    const first = yield* play(7)
    expect(first.length).toBeGreaterThan(10)
    expect(yield* play(7)).toEqual(first)
    expect(yield* play(8)).not.toEqual(first)
  })
)
