import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as AiModel from "effect/ai/Model"
import * as TestClock from "effect/testing/TestClock"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as FromLanguageModel from "../../src/ai/FromLanguageModel.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as Pod from "../../src/pod/Pod.ts"
import * as AiScript from "../support/AiScript.ts"
import { isEvent, until } from "../support/podBench.ts"
import { entries, items, open } from "./guest.ts"

/** What a provider's module reads its settings from. */
class AcmeConfig extends Context.Service<AcmeConfig, { readonly limit: number | null }>()("test/AcmeConfig") {}

const signed = { script: { info: { type: "thinking", signature: "c2ln\n" } } }

/** Thinks, speaks, and calls two tools at once, their arguments interleaved. */
const thoughtful: ReadonlyArray<AiScript.Act> = [
  { type: "response-metadata", id: "r1", modelId: "script-1" },
  { type: "reasoning-start", id: "a" },
  { type: "reasoning-delta", id: "a", delta: "two " },
  { type: "reasoning-delta", id: "a", delta: "words" },
  { type: "reasoning-end", id: "a", metadata: signed },
  { type: "text-start", id: "a", metadata: { script: { itemId: "m1" } } },
  { type: "text-delta", id: "a", delta: "I count." },
  { type: "text-end", id: "a", metadata: { script: { phase: "comment" } } },
  { type: "tool-params-start", id: "c1", name: "Length" },
  { type: "tool-params-start", id: "c2", name: "Length" },
  { type: "tool-params-delta", id: "c1", delta: '{"word":' },
  { type: "tool-params-delta", id: "c2", delta: '{"word":"ap' },
  { type: "tool-params-delta", id: "c1", delta: '"pear"}' },
  { type: "tool-params-delta", id: "c2", delta: 'ple"}' },
  { type: "tool-params-end", id: "c1" },
  { type: "tool-params-end", id: "c2" },
  { type: "tool-call", id: "c1", name: "Length", params: { word: "pear" }, metadata: { script: { itemId: "f1" } } },
  { type: "tool-call", id: "c2", name: "Length", params: { word: "apple" } },
  AiScript.ends("tool-calls")
]

const spoken = [
  { role: "system", content: expect.any(String), options: {} },
  { role: "user", content: "how long are pear and apple?", options: {} },
  {
    role: "assistant",
    content: [
      { type: "reasoning", text: "two words", options: signed },
      { type: "text", text: "I count.", options: { script: { itemId: "m1", phase: "comment" } } },
      {
        type: "tool-call",
        id: "c1",
        name: "Length",
        params: { word: "pear" },
        providerExecuted: false,
        options: { script: { itemId: "f1" } }
      },
      { type: "tool-call", id: "c2", name: "Length", params: { word: "apple" }, providerExecuted: false, options: {} }
    ],
    options: {}
  },
  {
    role: "tool",
    content: [
      expect.objectContaining({ id: "c1", name: "Length", isFailure: false, result: "pear has 4 letters" }),
      expect.objectContaining({ id: "c2", name: "Length", isFailure: false, result: "apple has 5 letters" })
    ],
    options: {}
  }
]

describe("a LanguageModel as the model of a pod", () => {
  it.effect("plays a whole turn: thinking, text, two calls at once, usage; and sees again what it has signed", () =>
    Effect.gen(function* () {
      const script = yield* AiScript.make([thoughtful, [...AiScript.says("4 and 5."), AiScript.ends()]])
      const pod = yield* open(script)
      const { take } = yield* pod.attach
      const end = yield* pod.runToEnd("how long are pear and apple?")
      expect(end).toMatchObject({
        result: "finished",
        usage: {
          llm_calls: 2,
          input_tokens: 200,
          output_tokens: 14,
          cache_read_input_tokens: 60,
          cache_write_input_tokens: 20
        }
      })
      const seen = yield* until(take, isEvent("run_end"))
      const pieces = seen.flatMap((event) => (event.event === "tool_call_args_delta" ? [event.data] : []))
      expect(pieces.filter(({ id }) => id === "c2").map(({ json }) => json)).toEqual(['{"word":"ap', 'ple"}'])
      const [first, second] = script.asked()
      expect(first?.tools).toEqual([
        "Bash",
        "BashOutput",
        "Edit",
        "Glob",
        "Grep",
        "KillShell",
        "Length",
        "Read",
        "TaskCreate",
        "TaskGet",
        "TaskList",
        "TaskUpdate",
        "Write"
      ])
      expect(second?.prompt.content).toEqual(spoken)
      expect(script.open()).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("is asked the same bytes again after a restart, signatures and all", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const before = yield* AiScript.make([thoughtful, [...AiScript.says("4 and 5."), AiScript.ends()]])
      yield* Effect.scoped(
        Effect.flatMap(open(before, { store }), (pod) => pod.runToEnd("how long are pear and apple?"))
      )
      const after = yield* AiScript.make([[...AiScript.says("fine"), AiScript.ends()]])
      const pod = yield* open(after, { store })
      yield* pod.runToEnd("thanks")
      const [again] = after.asked()
      expect(JSON.stringify(again?.prompt.content.slice(0, 4))).toBe(JSON.stringify(before.asked()[1]?.prompt.content))
      expect(again?.prompt.content.slice(4)).toMatchObject([
        { role: "assistant", content: "4 and 5." },
        { role: "user", content: "thanks" }
      ])
      expect(JSON.stringify(yield* entries(pod))).toContain('"provider":"effect:script"')
    }).pipe(Effect.scoped)
  )

  it.effect("another provider gets the words, and nothing that the first one has signed", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make()
      const before = yield* AiScript.make([thoughtful, [...AiScript.says("4 and 5."), AiScript.ends()]])
      yield* Effect.scoped(
        Effect.flatMap(open(before, { store }), (pod) => pod.runToEnd("how long are pear and apple?"))
      )
      const after = yield* AiScript.make([[...AiScript.says("fine"), AiScript.ends()]])
      const pod = yield* open(after, { store, provider: "effect:other" })
      yield* pod.runToEnd("thanks")
      expect(after.asked()[0]?.prompt.content[2]?.content).toEqual([
        { type: "text", text: "I count.", options: {} },
        expect.objectContaining({ type: "tool-call", id: "c1", options: {} }),
        expect.objectContaining({ type: "tool-call", id: "c2", options: {} })
      ])
    }).pipe(Effect.scoped)
  )

  const overloads = {
    "a rate limit with a time": new AiError.RateLimitError({ retryAfter: Duration.minutes(4) }),
    "an overload with a header": new AiError.InternalProviderError({
      description: "Overloaded",
      http: { response: { status: 529, headers: { "retry-after": "240" } } }
    })
  }
  it.effect.each(Object.entries(overloads))("%s is waited for, as long as it asks", ([, reason]) =>
    Effect.gen(function* () {
      const script = yield* AiScript.make([[AiScript.fails(reason)], [...AiScript.says("late"), AiScript.ends()]])
      const pod = yield* open(script)
      const { take } = yield* pod.attach
      const run = yield* Effect.forkChild(pod.runToEnd("hello"))
      const retry = (yield* until(take, isEvent("llm_retry"))).at(-1)
      expect(retry).toMatchObject({ data: { wait_ms: 240_000, failed_attempt: 1 } })
      expect(run.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("4 minutes")
      const seen = yield* until(take, isEvent("run_end"))
      expect(seen.find(isEvent("run_end"))).toMatchObject({ data: { result: "finished" } })
      expect(script.asked()).toHaveLength(2)
    }).pipe(Effect.scoped)
  )

  it.effect("a stream that breaks off goes on where it was, and no word is said twice", () =>
    Effect.gen(function* () {
      const broken = AiScript.says("Once upon a time there was").slice(0, -1)
      const rest = AiScript.says("Once upon a time there was a pod.")
      const network = new AiError.NetworkError({
        reason: "TransportError",
        method: "POST",
        url: "https://models.example/v1?key=sk-secret",
        description: "socket hang up"
      })
      const script = yield* AiScript.make([
        [...broken, AiScript.fails(network)],
        [...rest, AiScript.ends()]
      ])
      const pod = yield* open(script)
      const { take } = yield* pod.attach
      yield* pod.run("tell")
      const before = yield* until(take, isEvent("llm_continuation"))
      yield* TestClock.adjust("1 minute")
      const all = [...before, ...(yield* until(take, isEvent("run_end")))]
      const text = all.map((event) => (event.event === "text_delta" ? event.data.text : "")).join("")
      expect(text).toBe("Once upon a time there was a pod.")
      expect(yield* items(pod)).toEqual([
        { kind: "message", role: "assistant", content: [{ kind: "text", text: "Once upon a time there was a pod." }] }
      ])
      expect(JSON.stringify(all)).toContain("socket hang up")
      expect(JSON.stringify(all)).not.toContain("sk-secret")
      expect(script.asked()[1]?.prompt.content.at(-1)).toMatchObject({ role: "user" })
    }).pipe(Effect.scoped)
  )

  it.effect("what the pod itself says is a system message, where the model takes one in the middle", () =>
    Effect.gen(function* () {
      const script = yield* AiScript.make(
        [
          [...AiScript.says("half").slice(0, -1), AiScript.ends("length")],
          [...AiScript.says(" whole"), AiScript.ends()]
        ],
        { takesSystemMessages: true }
      )
      const pod = yield* open(script)
      expect(yield* pod.runToEnd("speak")).toMatchObject({ result: "finished" })
      expect(script.asked()[1]?.prompt.content.map(({ role }) => role)).toEqual([
        "system",
        "user",
        "assistant",
        "system"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("its layer takes the names of the model in the context, and gives the manifest's settings to it", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const model = yield* LanguageModel.make({
        generateText: () => Effect.succeed([]),
        streamText: () =>
          Stream.unwrap(
            Effect.map(Effect.serviceOption(AcmeConfig), (config) => {
              seen.push(Option.getOrUndefined(config))
              return Stream.fromIterable([...AiScript.says("fine"), AiScript.ends()])
            })
          )
      })
      const acme = AiModel.make("acme", "acme-1", Layer.succeed(LanguageModel.LanguageModel, model))
      const bridge = FromLanguageModel.layer({
        contextWindow: 50_000,
        configure: ({ max_tokens }) => Context.make(AcmeConfig, { limit: max_tokens })
      }).pipe(Layer.provide(acme))
      const pod = yield* Pod.make(
        yield* Manifest.make({
          pod: { name: "guest" },
          scope: { allow: [{ target: "/tmp", permission: "read" }] },
          worker: { max_tokens: 77 }
        })
      ).pipe(Effect.provide([bridge, PodTest.world()]))
      expect(pod.greeting).toMatchObject({ provider: "effect:acme", model: "acme-1", context_window: 50_000 })
      expect(yield* pod.runToEnd("hello")).toMatchObject({ result: "finished" })
      expect(seen).toEqual([{ limit: 77 }])
    }).pipe(Effect.scoped)
  )

  it.effect("cancel closes the stream", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const script = yield* AiScript.make([
        [...AiScript.says("half"), Effect.asVoid(Deferred.succeed(begun, undefined)), Effect.never]
      ])
      const pod = yield* open(script)
      const { take } = yield* pod.attach
      yield* pod.run("hello")
      yield* Deferred.await(begun)
      expect(script.open()).toBe(1)
      yield* pod.cancel
      yield* until(take, isEvent("run_end"))
      expect(script.open()).toBe(0)
    }).pipe(Effect.scoped)
  )
})
