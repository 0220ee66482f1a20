/**
 * A model and a store of one's own: both are services, and any Layer that keeps their promises will do.
 *
 *   npm run example -- own-layers
 *
 * The model answers with the user's own words, backwards. The store keeps sessions in memory, and prints every line as
 * it is committed: that is the journal.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { LlmClient, type LlmEvent, Manifest, Pod, type SegmentFile, SessionStore } from "effect-pod"
import { MemoryStore, PodTest } from "effect-pod/layers"

// --- A model -----------------------------------------------------------------------------------------------------------

/** `stream` makes one attempt. Retries, time limits and cancelling are the pod's part. */
const mirror = Layer.succeed(LlmClient, {
  info: { provider: "mirror", model: "mirror-1", contextWindow: 1_000 },
  stream: ({ messages }) => {
    const last = messages.findLast(({ role }) => role === "user")
    const words = last?.role === "user" ? last.text.split(" ").toReversed() : []
    return Stream.fromIterable<LlmEvent>([
      { type: "text_start", index: 0 },
      ...words.map((word): LlmEvent => ({ type: "delta", index: 0, text: `${word} ` })),
      { type: "block_stop", index: 0 },
      { type: "stop", reason: "end_turn" }
    ])
  }
})

// --- A store -----------------------------------------------------------------------------------------------------------

const printing = (file: SegmentFile): SegmentFile => ({
  ...file,
  append: (bytes, options) =>
    file.append(bytes, options).pipe(
      Effect.tap(() => {
        const lines = new TextDecoder().decode(bytes).trimEnd().split("\n")
        return Console.log(lines.map((line) => `committed  ${line.slice(0, 100)}`).join("\n"))
      })
    )
})

const memory = MemoryStore.make().layer

/** The sessions of `memory`, seen through `printing`. */
const store = Layer.effect(
  SessionStore,
  Effect.map(SessionStore, (inner) => ({
    ...inner,
    create: (ref) => Effect.map(inner.create(ref), printing),
    open: (ref) => Effect.map(inner.open(ref), printing)
  }))
).pipe(Layer.provide(memory))

// --- A pod on both -----------------------------------------------------------------------------------------------------

const main = Effect.gen(function* () {
  const manifest = yield* Manifest.make({
    pod: { name: "mirror" },
    scope: { allow: [{ target: "/tmp", permission: "read" }] }
  })
  const pod = yield* Pod.make(manifest)
  yield* pod.events.pipe(
    Stream.runForEach((event) =>
      event.event === "text_done" ? Console.log(`\nanswer: ${event.data.text}\n`) : Effect.void
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  const { result } = yield* pod.runToEnd("backwards speak pods some")
  yield* Console.log(`\n${result}`)
}).pipe(Effect.scoped)

// Later layers win: everything else stays as it is.
NodeRuntime.runMain(Effect.provide(main, Layer.mergeAll(PodTest.world(), mirror, store)))
