/**
 * Effect's own ai modules and a pod, in both directions.
 *
 *   npm run example -- effect-ai
 *
 * The pod's model is a `LanguageModel`: here one that follows two rules, elsewhere that of a provider's package. The
 * pod's tool comes from a Toolkit. And the pod itself is the `LanguageModel` of a Chat, which knows nothing of pods.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Chat from "effect/ai/Chat"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { Manifest, Pod } from "effect-pod"
import { FromLanguageModel, FromToolkit, PodLanguageModel } from "effect-pod/ai"
import { PodTest } from "effect-pod/layers"

// --- A model -----------------------------------------------------------------------------------------------------------

const say = (text: string): ReadonlyArray<Response.StreamPartEncoded> => [
  { type: "text-start", id: "1" },
  ...text.split(/(?<= )/).map((delta) => ({ type: "text-delta", id: "1", delta }) as const),
  { type: "text-end", id: "1" }
]

const end = (reason: Response.FinishReason): Response.StreamPartEncoded => ({
  type: "finish",
  reason,
  usage: { inputTokens: { total: 20 }, outputTokens: { total: 5 } }
})

/** Looks up what it is asked for, and passes on what was found. */
const answer = ({ content }: Prompt.Prompt): ReadonlyArray<Response.StreamPartEncoded> => {
  const last = content.at(-1)
  if (last?.role === "tool") {
    const [found] = last.content
    return [...say(found?.type === "tool-result" ? `I have looked: ${found.result}` : "Nothing."), end("stop")]
  }
  const [said] = last?.role === "user" ? last.content.slice(-1) : []
  const params = { article: said?.type === "text" ? said.text : "" }
  return [...say("One moment. "), { type: "tool-call", id: "call", name: "StockOf", params }, end("tool-calls")]
}

const Model = Layer.effect(
  LanguageModel.LanguageModel,
  LanguageModel.make({
    generateText: () => Effect.succeed([]),
    streamText: ({ prompt }) => Stream.fromIterable(answer(prompt))
  })
)

// --- A toolkit ---------------------------------------------------------------------------------------------------------

class NoSuchArticle extends Schema.TaggedError<NoSuchArticle>()("NoSuchArticle", { article: Schema.String }) {
  override get message(): string {
    return `there is no article ${this.article}`
  }
}

const Shop = Toolkit.make(
  Tool.make("StockOf", {
    description: "How many pieces of an article are in stock.",
    parameters: Schema.Struct({ article: Schema.String }),
    success: Schema.Struct({ pieces: Schema.Int }),
    failure: NoSuchArticle
  }).annotate(Tool.Idempotent, true)
)

const ShopLive = Shop.toLayer({
  StockOf: ({ article }) =>
    article === "apples" ? Effect.succeed({ pieces: 3 }) : Effect.fail(new NoSuchArticle({ article }))
})

// --- A pod of both, and a chat with it ---------------------------------------------------------------------------------

const program = Effect.gen(function* () {
  const manifest = yield* Manifest.make({
    pod: { name: "shopkeeper" },
    scope: { allow: [{ target: process.cwd(), permission: "read" }] }
  })
  const pod = yield* Pod.make(manifest, { tools: yield* FromToolkit.tools(Shop) })
  const chat = yield* Chat.empty
  const ask = Effect.fnUntraced(function* (prompt: string) {
    const { finishReason, text, usage } = yield* chat.generateText({ prompt })
    yield* Console.log(`${prompt}? ${text} (${finishReason}, ${usage.outputTokens.total} tokens)`)
  })
  yield* ask("apples").pipe(Effect.andThen(ask("pears")), Effect.provide(PodLanguageModel.layer(pod)))
})

NodeRuntime.runMain(
  Effect.scoped(program).pipe(
    Effect.provide([FromLanguageModel.layer({ model: "two-rules" }).pipe(Layer.provide(Model)), ShopLive]),
    Effect.provide(PodTest.world())
  )
)
