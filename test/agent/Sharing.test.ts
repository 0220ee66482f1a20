/** Pods of one process on one endpoint: what each of them, and its clients, see of the others' trouble. */
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Gate from "../../src/llm/Gate.ts"
import type { LlmClient } from "../../src/llm/LlmClient.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import { fresh, isEvent, isStatus, rest, until } from "../support/podBench.ts"

const words: ReadonlyArray<LlmEvent> = [
  { type: "text_start", index: 0 },
  { type: "delta", index: 0, text: "hi" },
  { type: "block_stop", index: 0 },
  { type: "stop", reason: "end_turn" }
]

/** Asks the first request to wait a minute, then answers everybody. */
const busyOnce = () => {
  const arrivals: Array<number> = []
  const client: LlmClient["Service"] = {
    info: { provider: "shared", model: "shared-1", contextWindow: 100_000 },
    gate: Gate.make("shared.example"),
    stream: () =>
      Stream.unwrap(
        Effect.map(Clock.currentTimeMillis, (now) =>
          arrivals.push(now) === 1
            ? Stream.fail(
                new LlmError({
                  reason: "Status",
                  status: 429,
                  retryAfterMs: 60_000,
                  provider: "shared",
                  message: "too many requests"
                })
              )
            : Stream.fromIterable(words)
        )
      )
  }
  return { arrivals, client }
}

describe("a hundred pods on one endpoint that asks one of them to wait", () => {
  it.effect(
    "all wait, visibly; each can be cancelled; then they go one after the other",
    () =>
      Effect.gen(function* () {
        const { arrivals, client } = busyOnce()
        const pods = yield* Effect.forEach(Array.from({ length: 100 }), () => fresh({ services: { client } }))
        const [first, second, third] = pods
        if (first === undefined || second === undefined || third === undefined) throw new Error("no pods")
        yield* first.handle.run("go")
        yield* rest
        for (const pod of pods.slice(1)) yield* pod.handle.run("go")
        yield* rest
        yield* TestClock.adjust("10 seconds")
        expect(arrivals).toEqual([0])
        for (const { journal } of pods) {
          expect(journal.live.waitingOn).toMatchObject({ kind: "retry", until_ms: 60_000 })
        }
        yield* second.handle.cancel
        const seen = yield* until(second.take, isStatus("idle"))
        expect(seen.find(isEvent("alert"))).toMatchObject({
          data: { level: "warn", message: "shared.example asks to wait 60 s; requests go one after the other" }
        })
        expect(yield* Clock.currentTimeMillis).toBe(10_000)

        yield* TestClock.adjust("2 minutes")
        for (const { take } of [first, third, ...pods.slice(3)]) {
          const events = yield* until(take, isStatus("idle"))
          expect(events.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
        }
        expect(arrivals.length).toBe(100)
        const later = arrivals.slice(1)
        expect(Math.min(...later)).toBeGreaterThanOrEqual(60_000)
        expect(new Set(later).size, "no two at once").toBe(99)
      }).pipe(Effect.scoped),
    60_000
  )
})
