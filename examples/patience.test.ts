/**
 * How to test an agent: `PodTest` is a world in memory with a model that plays a script, and `TestClock` is its time.
 * Minutes of back-off pass in milliseconds, and pass the same way every time.
 *
 *   npm test -- examples
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { type Envelope, Manifest, Pod, type PodHandle, Tool } from "effect-pod"
import { PodTest, Scripted } from "effect-pod/layers"

const manifest = Manifest.make({
  pod: { name: "courier" },
  scope: { allow: [{ target: "/tmp", permission: "read" }] }
})

/** A tool of the test's own, which counts. */
const makeDelivery = Effect.sync(() => {
  let deliveries = 0
  const tool = Tool.make({
    name: "Deliver",
    description: "Delivers one parcel.",
    parameters: Schema.Struct({ to: Schema.String }),
    idempotent: false,
    run: ({ to }) => Effect.sync(() => ({ summary: `parcel ${++deliveries} delivered to ${to}` }))
  })
  return { tool, count: () => deliveries }
})

/** Takes events until one of this name comes, and returns them all. */
const until = Effect.fnUntraced(function* (take: Effect.Effect<ReadonlyArray<Envelope>>, name: Envelope["event"]) {
  const seen: Array<Envelope> = []
  while (!seen.some(({ event }) => event === name)) seen.push(...(yield* take))
  return seen
})

const overloaded = (wait: string): Scripted.ScriptCall => ({ steps: [{ fail: { status: 529, retry_after: wait } }] })

describe("a courier whose model is overloaded", () => {
  it.effect("waits as long as it is told to, and delivers once", () =>
    Effect.gen(function* () {
      const delivery = yield* makeDelivery
      const pod = yield* Pod.make(yield* manifest, { tools: [delivery.tool] })
      const { take } = yield* pod.attach
      const run = yield* Effect.forkChild(pod.runToEnd("deliver the parcel to Ada"))

      const [first] = retries(yield* until(take, "llm_retry"))
      assert.deepInclude(first, { failed_attempt: 1, status: 529, wait_ms: 180_000 })
      yield* TestClock.adjust("3 minutes")
      const [second] = retries(yield* until(take, "llm_retry"))
      assert.deepInclude(second, { failed_attempt: 2, wait_ms: 240_000, elapsed_ms: 180_000 })
      yield* TestClock.adjust("4 minutes")

      const end = yield* Fiber.join(run)
      assert.deepInclude(end, { result: "finished" })
      assert.strictEqual(end.usage.llm_calls, 2)
      assert.strictEqual(delivery.count(), 1)
      assert.strictEqual(yield* Clock.currentTimeMillis, 7 * 60_000)
      // What the model was asked last holds the result of the tool.
      const { requests } = yield* Scripted.Script
      assert.include(JSON.stringify((yield* requests).at(-1)?.messages), "parcel 1 delivered to Ada")
    }).pipe(
      Effect.provide(
        PodTest.layer([
          overloaded("3 minutes"),
          overloaded("4 minutes"),
          { steps: [{ tool: "Deliver", args: { to: "Ada" } }] },
          { steps: [{ text: "Ada has it." }] }
        ])
      )
    )
  )

  it.effect("can be called back while it waits: the input is taken back, and the model is not asked again", () =>
    Effect.gen(function* () {
      const pod = yield* Pod.make(yield* manifest)
      const { take } = yield* pod.attach
      yield* pod.run("deliver the parcel to Ada")
      yield* until(take, "llm_retry")
      yield* pod.cancel
      const seen = yield* until(take, "run_end")
      assert.deepNestedInclude(
        seen.find(({ event }) => event === "run_end"),
        { "data.result": "rolled_back" }
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* remaining, 1)
      assert.strictEqual(yield* inputs(pod), 0)
    }).pipe(Effect.provide(PodTest.layer([overloaded("4 minutes"), { steps: [{ text: "never said" }] }])))
  )
})

const retries = (events: ReadonlyArray<Envelope>) =>
  events.flatMap((event) => (event.event === "llm_retry" ? [event.data] : []))

const remaining = Effect.flatMap(Scripted.Script, (script) => script.remaining)

/** How many inputs the log of the pod has. */
const inputs = (pod: PodHandle) =>
  Effect.map(pod.readEntries(0, 1000), ({ entries }) => entries.filter((text) => text.includes('"user_input"')).length)
