/**
 * Any `LanguageModel` of Effect's ai modules as the model of a pod.
 *
 * It makes one attempt and streams it. The framework is given the tools and runs none: calls come back raw, also those
 * of tools that do not exist, and are the pod's to answer. Time limits, retries, continuations and budgets are the
 * pod's as with any other model. `alive` is called with each part; the framework tells nothing of headers, so that
 * `header_timeout` holds until the first part.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as AiModel from "effect/ai/Model"
import type * as Response from "effect/ai/Response"
import * as AiTool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { LlmClient, type Model, type ModelInfo } from "../llm/LlmClient.ts"
import type { LlmError } from "../llm/LlmError.ts"
import type { LlmEvent } from "../llm/LlmEvent.ts"
import type { ToolSpec } from "../llm/LlmRequest.ts"
import type { RequestConfig } from "../protocol/LogEntry.ts"
import * as AsEvents from "./AsEvents.ts"
import { asLlmError, make as llmError } from "./AsLlmError.ts"
import { asPrompt } from "./AsPrompt.ts"

export interface Options extends Pick<Model, "gate" | "fallbacks"> {
  /** Tokens. A model that is asked for more than it takes says so itself. */
  readonly contextWindow?: number
  readonly prices?: ModelInfo["prices"]
  /** Host and port of the server: who has signed something is known by it. */
  readonly endpoint?: string
  /**
   * Settings of the manifest (`max_tokens`, `temperature`, …) as services of the provider's module, such as its
   * `Config`. The framework has no settings that all providers know, so without this they are not sent.
   */
  readonly configure?: (config: RequestConfig) => Context.Context<never>
}

export interface NamedOptions extends Options {
  readonly provider: string
  readonly model: string
}

const unknownContextWindow = 200_000

export const make = (languageModel: LanguageModel.LanguageModel, options: NamedOptions): Model => {
  const {
    configure,
    contextWindow = unknownContextWindow,
    endpoint,
    fallbacks,
    gate,
    model,
    prices,
    provider
  } = options
  const info: ModelInfo = {
    provider,
    model,
    contextWindow,
    ...(prices === undefined ? {} : { prices }),
    ...(endpoint === undefined ? {} : { endpoint })
  }
  const toolkit = toolkits()
  const warn = unsent(info, configure !== undefined)
  const stream: Model["stream"] = (request, alive = () => {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* warn(request.config)
        const takesSystem = yield* languageModel.supportsSystemMessagesInHistory ?? Effect.succeed(false)
        const parts = languageModel.streamText({
          prompt: asPrompt(request, takesSystem),
          toolkit: toolkit(request.tools),
          disableToolCallResolution: true,
          toolCallValidation: "deferred"
        })
        return read(info, parts, alive)
      })
    ).pipe(Stream.provideContext(configure?.(request.config) ?? Context.empty()))
  return {
    info,
    stream,
    ...(gate === undefined ? {} : { gate }),
    ...(fallbacks === undefined ? {} : { fallbacks })
  }
}

/**
 * The `LanguageModel` in the context. Provider and model are named by it, if it is one of Effect's `Model`s, with
 * `effect:` before the provider: what one has signed is nothing to a layer of ours for the same vendor.
 */
export const layer = (
  options: Options & Partial<NamedOptions> = {}
): Layer.Layer<LlmClient, never, LanguageModel.LanguageModel> =>
  Layer.effect(
    LlmClient,
    Effect.gen(function* () {
      const provider = Option.getOrUndefined(yield* Effect.serviceOption(AiModel.ProviderName))
      const model = Option.getOrUndefined(yield* Effect.serviceOption(AiModel.ModelName))
      return make(yield* LanguageModel.LanguageModel, {
        ...options,
        provider: options.provider ?? `effect:${provider ?? "unknown"}`,
        model: options.model ?? model ?? "unknown"
      })
    })
  )

/** The same tools, the same toolkit: the framework keeps what it has made of one. */
const toolkits = () => {
  let last: { readonly tools: ReadonlyArray<ToolSpec>; readonly toolkit: Toolkit.Toolkit<Offered> } | undefined
  return (tools: ReadonlyArray<ToolSpec>): Toolkit.Toolkit<Offered> => {
    if (last?.tools !== tools) last = { tools, toolkit: Toolkit.make(...tools.map(offer)) as Toolkit.Toolkit<Offered> }
    return last.toolkit
  }
}

type Offered = Record<string, ReturnType<typeof offer>>

const offer = ({ description, name, parameters }: ToolSpec) => AiTool.dynamic(name, { description, parameters })

const read = (
  info: ModelInfo,
  parts: Stream.Stream<Response.AnyPart, AiError.AiError>,
  alive: () => void
): Stream.Stream<LlmEvent, LlmError> =>
  Stream.suspend(() => {
    const answer = AsEvents.decoder()
    const follow = (part: Response.AnyPart): Effect.Effect<ReadonlyArray<LlmEvent>, LlmError | AiError.AiError> => {
      alive()
      if (part.type === "error") return Effect.fail(reported(info, part.error))
      if (part.type !== "finish") return Effect.succeed(answer.push(part))
      return finish(info, part, answer.push(part))
    }
    return parts.pipe(
      Stream.mapEffect(follow),
      Stream.catch((error) => (AiError.isAiError(error) ? ended(info, answer, error) : Stream.fail(error))),
      Stream.flattenIterable
    )
  })

/** An end that is none is an error, but what was used is told before it. */
const finish = (
  info: ModelInfo,
  part: Extract<AsEvents.Part, { readonly type: "finish" }>,
  events: ReadonlyArray<LlmEvent>
): Effect.Effect<ReadonlyArray<LlmEvent>, LlmError> => {
  if (events.some(({ type }) => type === "stop")) return Effect.succeed(events)
  return part.reason === "error"
    ? Effect.fail(llmError(info, "Refused", "the provider gave up in the middle of its answer"))
    : // Without an end mark the answer counts as cut.
      Effect.succeed(events)
}

/** A policy that refuses to answer is an answer: the run ends with it. */
const ended = (
  info: ModelInfo,
  answer: AsEvents.Decoder,
  error: AiError.AiError
): Stream.Stream<ReadonlyArray<LlmEvent>, LlmError> =>
  error.reason._tag === "ContentPolicyError"
    ? Stream.succeed(answer.refuse(error.reason.description))
    : Stream.unwrap(Effect.map(Clock.currentTimeMillis, (now) => Stream.fail(asLlmError(info, error, now))))

/** An error inside the answer. What it is, only the provider knows. */
const reported = (info: ModelInfo, error: unknown): LlmError | AiError.AiError => {
  if (AiError.isAiError(error)) return error
  if (AiError.isAiErrorReason(error)) {
    return AiError.make({ module: info.provider, method: "streamText", reason: error })
  }
  const words = typeof error === "string" ? error : messageOf(error)
  return llmError(info, "Refused", words === "" ? "the provider reports an error" : words)
}

const messageOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null || !("message" in error)) return ""
  return typeof error.message === "string" ? error.message : ""
}

/** Says once, in the log, which settings the model is not given. */
const unsent = (info: ModelInfo, configured: boolean) => {
  let told = configured
  return (config: RequestConfig): Effect.Effect<void> => {
    if (told) return Effect.void
    told = true
    const set = Object.entries(config).flatMap(([name, value]) =>
      value === null || (Array.isArray(value) && value.length === 0) ? [] : [name]
    )
    return set.length === 0
      ? Effect.void
      : Effect.logWarning(
          `${info.provider}: these settings are not sent: ${set.join(", ")}; give the bridge a \`configure\``
        )
  }
}
