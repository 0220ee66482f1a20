/**
 * The one model of a manifest, whatever its scheme. A pod that starts loads the dialect that it speaks, and none of the
 * others; the SDK behind it is loaded with the first request.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Prices } from "../../src/llm/Cost.ts"
import * as Gates from "../../src/llm/Gates.ts"
import { defaultLimits } from "../../src/llm/Limits.ts"
import { LlmClient } from "../../src/llm/LlmClient.ts"
import type { LlmError } from "../../src/llm/LlmError.ts"
import type { ResolvedModel } from "../../src/manifest/Model.ts"

/**
 * Whatever its scheme, a model knows its prices: calls of it tell what they cost. Pods that share `Gates` wait for an
 * endpoint together; without them, those that share this client.
 */
export const make = Effect.fnUntraced(function* (
  model: ResolvedModel
): Effect.fn.Return<LlmClient["Service"], LlmError> {
  const limits = { ...defaultLimits, ...model.limits }
  const client = { ...priced(yield* speak(model, limits.connect_timeout), model.prices), limits }
  if (model.baseUrl === undefined) return client
  const gates = Option.getOrElse(yield* Effect.serviceOption(Gates.Gates), () => Gates.make())
  const endpoint = new URL(model.baseUrl).host
  return { ...client, info: { ...client.info, endpoint }, gate: gates.at(endpoint, model.apiKey) }
})

/** A model, and those to turn to when it cannot be had, in order. */
export const makeWithFallbacks = Effect.fnUntraced(function* (
  model: ResolvedModel,
  others: ReadonlyArray<ResolvedModel>
): Effect.fn.Return<LlmClient["Service"], LlmError> {
  const client = yield* make(model)
  return others.length === 0 ? client : { ...client, fallbacks: yield* Effect.forEach(others, make) }
})

const priced = (client: LlmClient["Service"], prices: Prices | undefined): LlmClient["Service"] =>
  prices === undefined ? client : { ...client, info: { ...client.info, prices } }

const speak = (
  model: ResolvedModel,
  connectTimeout: Duration.Duration
): Effect.Effect<LlmClient["Service"], LlmError> => {
  const vendor = {
    apiKey: model.apiKey,
    baseUrl: model.baseUrl,
    model: model.modelId,
    contextWindow: model.contextWindow,
    capability: model.capability,
    connectTimeout
  }
  switch (model.scheme) {
    case "anthropic":
      return Effect.flatMap(
        loaded(() => import("./Anthropic.ts")),
        (dialect) => dialect.make(vendor)
      )
    case "openai_chat":
      return Effect.flatMap(
        loaded(() => import("./OpenAiChat.ts")),
        (dialect) => dialect.make(vendor)
      )
    case "openai_responses":
      return Effect.flatMap(
        loaded(() => import("./OpenAiResponses.ts")),
        (dialect) => dialect.make(vendor)
      )
    case "gemini":
      return Effect.flatMap(
        loaded(() => import("./Gemini.ts")),
        (dialect) => dialect.make(vendor)
      )
    case "offline":
      return Effect.map(
        loaded(() => import("./Offline.ts")),
        ({ client }) => client
      )
    case "scripted":
      return loaded(() => import("./Scripted.ts")).pipe(
        Effect.flatMap(({ fromFile }) =>
          fromFile(model.script ?? "", {
            model: model.modelId,
            contextWindow: model.contextWindow,
            vision: model.capability.vision,
            ...(model.capability.documents === undefined ? {} : { documents: model.capability.documents })
          })
        ),
        Effect.map(({ client }) => client)
      )
  }
}

/** A file of ours that cannot be loaded is a broken installation: nothing that a caller could handle. */
const loaded = <A>(module: () => Promise<A>): Effect.Effect<A> => Effect.promise(module)

export const layer = (
  model: ResolvedModel,
  fallbacks: ReadonlyArray<ResolvedModel> = []
): Layer.Layer<LlmClient, LlmError> => Layer.effect(LlmClient, makeWithFallbacks(model, fallbacks))
