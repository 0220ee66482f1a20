import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import * as Chat from "effect/ai/Chat"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import * as AiTool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Scripted from "../../layers/llm/Scripted.ts"
import * as PodTest from "../../layers/PodTest.ts"
import * as PodLanguageModel from "../../src/ai/PodLanguageModel.ts"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import type { PodHandle } from "../../src/pod/PodHandle.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { isEvent, isStatus, rest, until } from "../support/podBench.ts"

const manifest = Manifest.make({ pod: { name: "clerk" }, scope: { allow: [{ target: "/tmp", permission: "read" }] } })

const Count = Tool.make({
  name: "Count",
  description: "Counts.",
  idempotent: true,
  run: () => Effect.succeed("3 apples")
})

const open = Effect.flatMap(manifest, (value) => Pod.make(value, { tools: [Count] }))

/** With the pod as the model of everything inside. */
const asModel =
  (pod: PodHandle, options?: PodLanguageModel.Options) =>
  <A, E>(effect: Effect.Effect<A, E, LanguageModel.LanguageModel>) =>
    Effect.provide(effect, PodLanguageModel.layer(pod, options))

const counting: ReadonlyArray<Scripted.ScriptCall> = [
  {
    steps: [
      { thinking: "they want a number" },
      { text: "I look." },
      { tool: "Count", args: {} },
      { usage: { input: 40, output: 4 } }
    ]
  },
  { steps: [{ text: "Three." }, { usage: { input: 60, output: 2 } }] }
]

const reasonOf = ({ reason }: AiError.AiError) => ({ tag: reason._tag, text: reason.message, metadata: metaOf(reason) })

const metaOf = (reason: AiError.AiErrorReason): unknown =>
  "metadata" in reason ? reason.metadata["effect-pod"] : undefined

const lastWords = Effect.map(
  Effect.flatMap(Scripted.Script, (script) => script.requests),
  (requests) => requests.map(({ messages }) => messages.flatMap((m) => (m.role === "user" ? [m.text] : [])))
)

describe("a pod as a LanguageModel", () => {
  it.effect("generateText: text and thinking of the whole run, what it used, why it ended", () =>
    Effect.gen(function* () {
      const pod = yield* open
      const answer = yield* asModel(pod)(LanguageModel.generateText({ prompt: "how many apples?" }))
      expect(answer.content.flatMap((part) => (part.type === "text" ? [part.text] : []))).toEqual(["I look.", "Three."])
      expect(answer.reasoningText).toBe("they want a number")
      expect(answer.finishReason).toBe("stop")
      expect(answer.usage).toMatchObject({ inputTokens: { total: 100, uncached: 100 }, outputTokens: { total: 6 } })
      expect(answer.content.at(-1)?.metadata).toMatchObject({ "effect-pod": { result: "finished", llm_calls: 2 } })
      expect(answer.content[0]).toMatchObject({ type: "response-metadata", modelId: "scripted/scripted" })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer(counting)))
  )

  it.effect("streamText: parts as they come, the run still going on behind them", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { client } = yield* Scripted.make([
        { steps: [{ text: "Th" }, { gate: Deferred.await(gate) }, { text: "ree." }] }
      ])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      const seen: Array<string> = []
      yield* LanguageModel.streamText({ prompt: "how many?" }).pipe(
        Stream.runForEach((part) => {
          seen.push(part.type === "text-delta" ? part.delta : part.type)
          return part.type === "text-delta" && part.delta === "Th"
            ? Effect.flatMap(pod.status, (status) => {
                seen.push(status)
                return Deferred.succeed(gate, undefined)
              })
            : Effect.void
        }),
        asModel(pod)
      )
      expect(seen).toEqual(["response-metadata", "text-start", "Th", "running", "ree.", "text-end", "finish"])
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("a Chat says each thing once: the pod remembers by itself", () =>
    Effect.gen(function* () {
      const pod = yield* open
      const chat = yield* Chat.empty
      const first = yield* asModel(pod)(chat.generateText({ prompt: "one" }))
      const second = yield* asModel(pod)(Stream.runCollect(chat.streamText({ prompt: "two" })))
      // Also a chat that was put away and taken out again.
      const again = yield* Chat.fromJson(yield* chat.exportJson)
      const third = yield* asModel(pod)(again.generateText({ prompt: "three" }))
      expect([first.text, second.at(-1)?.type, third.text]).toEqual(["first", "finish", "third"])
      expect(yield* lastWords).toEqual([["one"], ["one", "two"], ["one", "two", "three"]])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        PodTest.layer([{ steps: [{ text: "first" }] }, { steps: [{ text: "second" }] }, { steps: [{ text: "third" }] }])
      )
    )
  )

  const Theirs = Toolkit.make(AiTool.make("Theirs", { success: Schema.String }))
  const refused: ReadonlyArray<
    readonly [string, Effect.Effect<object, AiError.AiError, LanguageModel.LanguageModel>, string, RegExp]
  > = [
    [
      "a toolkit of the caller's",
      Effect.provide(
        LanguageModel.generateText({ prompt: "hi", toolkit: Theirs }),
        Theirs.toLayer({ Theirs: () => Effect.succeed("never") })
      ),
      "ToolConfigurationError",
      /Theirs.*give them to Pod\.make/
    ],
    [
      "a schema for the answer",
      LanguageModel.generateObject({ prompt: "hi", schema: Schema.Struct({ n: Schema.Int }) }),
      "UnsupportedSchemaError",
      /answers in words/
    ],
    [
      "a system prompt",
      LanguageModel.generateText({ prompt: Prompt.setSystem(Prompt.make("hi"), "be brief") }),
      "InvalidUserInputError",
      /system prompt of its own/
    ],
    [
      "a past that is not its own",
      LanguageModel.generateText({
        prompt: [
          { role: "user", content: "hi" },
          { role: "assistant", content: "I am another" },
          { role: "user", content: "go on" }
        ]
      }),
      "InvalidUserInputError",
      /not of pod clerk/
    ],
    [
      "a past of another pod",
      LanguageModel.generateText({
        prompt: [
          { role: "user", content: "hi" },
          {
            role: "assistant",
            content: [{ type: "text", text: "hello", options: { "effect-pod": { session_id: "another" } } }]
          },
          { role: "user", content: "go on" }
        ]
      }),
      "InvalidUserInputError",
      /not of pod clerk/
    ],
    [
      "a file",
      LanguageModel.generateText({
        prompt: [{ role: "user", content: [{ type: "file", mediaType: "image/png", data: "AA==" }] }]
      }),
      "InvalidUserInputError",
      /takes text/
    ],
    ["nothing", LanguageModel.generateText({ prompt: " " }), "InvalidUserInputError", /says nothing new/]
  ]
  it.effect.each(refused)("refuses %s, by name, and runs nothing", ([, call, tag, words]) =>
    Effect.gen(function* () {
      const pod = yield* open
      const error = yield* Effect.flip(asModel(pod)(call))
      expect(reasonOf(error)).toMatchObject({ tag, text: expect.stringMatching(words) })
      expect(yield* pod.status).toBe("idle")
      expect((yield* pod.readEntries(0, 10)).total).toBe(0)
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("calls wait for each other, in order; beyond the bound they are refused as busy", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { client } = yield* Scripted.make([
        { steps: [{ text: "a" }, { gate: Deferred.await(gate) }] },
        { steps: [{ text: "b" }] }
      ])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      const model = yield* PodLanguageModel.make(pod, { maxWaiting: 1 })
      const { take } = yield* pod.attach
      const ask = (prompt: string) => Effect.forkChild(model.generateText({ prompt }), { startImmediately: true })
      const first = yield* ask("1")
      yield* until(take, isEvent("text_delta"))
      const second = yield* ask("2")
      yield* rest
      const third = yield* Effect.flip(model.generateText({ prompt: "3" }))
      expect(reasonOf(third)).toEqual({
        tag: "InternalProviderError",
        text: expect.stringContaining("pod clerk is busy: as many calls wait as may (1)"),
        metadata: { code: "already_running" }
      })
      expect(third.isRetryable).toBe(true)
      expect(second.pollUnsafe()).toBeUndefined()
      yield* Deferred.succeed(gate, undefined)
      expect([(yield* Fiber.join(first)).text, (yield* Fiber.join(second)).text]).toEqual(["a", "b"])
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("whoever is answered leaves its place, and so does whoever is not", () =>
    Effect.gen(function* () {
      const model = yield* PodLanguageModel.make(yield* open, { maxWaiting: 0 })
      expect((yield* model.generateText({ prompt: "1" })).text).toBe("a")
      expect(reasonOf(yield* Effect.flip(model.generateText({ prompt: "2" })))).toMatchObject({
        metadata: { code: "provider_error" }
      })
      expect((yield* model.generateText({ prompt: "3" })).text).toBe("c")
    }).pipe(
      Effect.scoped,
      Effect.provide(
        PodTest.layer([
          { steps: [{ text: "a" }] },
          { steps: [{ fail: { status: 404, message: "no such model" } }] },
          { steps: [{ text: "c" }] }
        ])
      )
    )
  )

  it.effect("a run that somebody else has started makes it busy, too", () =>
    Effect.gen(function* () {
      const { client } = yield* Scripted.make([{ steps: [{ text: "theirs" }, { gate: Effect.never }] }])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      yield* pod.run("something")
      const error = yield* Effect.flip(asModel(pod)(LanguageModel.generateText({ prompt: "hi" })))
      expect(reasonOf(error)).toMatchObject({ tag: "InternalProviderError", metadata: { code: "already_running" } })
      expect(yield* pod.status).toBe("running")
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("interrupting a call cancels its run, and whoever waited gets its turn", () =>
    Effect.gen(function* () {
      const { client } = yield* Scripted.make([
        { steps: [{ text: "a" }, { gate: Effect.never }] },
        { steps: [{ text: "b" }] }
      ])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      const model = yield* PodLanguageModel.make(pod)
      const { take } = yield* pod.attach
      const first = yield* Effect.forkChild(model.generateText({ prompt: "1" }))
      yield* until(take, isEvent("text_delta"))
      const second = yield* Effect.forkChild(model.generateText({ prompt: "2" }))
      yield* rest
      yield* Fiber.interrupt(first)
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "cancelled" } })
      expect((yield* Fiber.join(second)).text).toBe("b")
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("leaving a stream cancels its run", () =>
    Effect.gen(function* () {
      const { client } = yield* Scripted.make([{ steps: [{ text: "a" }, { gate: Effect.never }] }])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      const { take } = yield* pod.attach
      yield* LanguageModel.streamText({ prompt: "1" }).pipe(
        Stream.takeUntil((part) => part.type === "text-delta"),
        Stream.runDrain,
        asModel(pod)
      )
      expect(yield* pod.status).toBe("idle")
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "cancelled" } })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("a reader that falls behind loses the answer, and is told so", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 5_000 }, () => ({ text: "x" }))
      const { client } = yield* Scripted.make([{ steps: many }])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      const { take } = yield* pod.attach
      const error = yield* LanguageModel.streamText({ prompt: "1" }).pipe(
        Stream.runForEach((part) =>
          part.type === "text-start" ? Effect.asVoid(until(take, isStatus("idle"))) : Effect.void
        ),
        asModel(pod),
        Effect.flip
      )
      expect(reasonOf(error)).toMatchObject({
        text: expect.stringContaining("pod clerk: this reader fell behind"),
        metadata: { code: "overloaded" }
      })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("a run that fails is a typed error that says what the pod says", () =>
    Effect.gen(function* () {
      const pod = yield* open
      const error = yield* Effect.flip(asModel(pod)(LanguageModel.generateText({ prompt: "hi" })))
      expect(reasonOf(error)).toMatchObject({
        tag: "InternalProviderError",
        text: expect.stringContaining("no such model"),
        metadata: { code: "provider_error", result: "failed", phase: "request" }
      })
    }).pipe(
      Effect.scoped,
      Effect.provide(PodTest.layer([{ steps: [{ fail: { status: 404, message: "no such model" } }] }]))
    )
  )

  it.effect("a pod that stops is an error, and not an answer that never ends", () =>
    Effect.gen(function* () {
      const { client } = yield* Scripted.make([{ steps: [{ text: "a" }, { gate: Effect.never }] }])
      const pod = yield* Effect.provideService(open, LlmClient, client)
      const { take } = yield* pod.attach
      const call = yield* Effect.forkChild(Effect.flip(asModel(pod)(LanguageModel.generateText({ prompt: "1" }))))
      yield* until(take, isEvent("text_delta"))
      yield* pod.shutdown
      expect(reasonOf(yield* Fiber.join(call))).toMatchObject({ tag: "UnknownError" })
      const late = yield* Effect.flip(asModel(pod)(LanguageModel.generateText({ prompt: "2" })))
      expect(reasonOf(late)).toMatchObject({ metadata: { code: expect.any(String) } })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([])))
  )

  it.effect("a limit is a reason to end, and says which", () =>
    Effect.gen(function* () {
      const bounded = yield* Manifest.make({
        pod: { name: "bounded" },
        scope: { allow: [{ target: "/tmp", permission: "read" }] },
        worker: { max_turns: 1 }
      })
      const pod = yield* Pod.make(bounded, { tools: [Count] })
      const answer = yield* asModel(pod)(LanguageModel.generateText({ prompt: "how many?" }))
      expect(answer.finishReason).toBe("other")
      expect(answer.content.at(-1)?.metadata).toMatchObject({ "effect-pod": { limit: "max_turns" } })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer(counting)))
  )
})
