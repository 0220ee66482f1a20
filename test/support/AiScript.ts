/** A `LanguageModel` of Effect's own making that plays a script, part by part, and keeps what it was asked. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"

/** What one stream does, in order. An effect holds it back. */
export type Act = Response.StreamPartEncoded | AiError.AiError | Effect.Effect<void>

export interface AiScript {
  readonly model: LanguageModel.LanguageModel
  /** The requests so far, prompts encoded. */
  readonly asked: () => ReadonlyArray<Asked>
  /** Streams that are open now. */
  readonly open: () => number
}

export interface Asked {
  readonly prompt: Prompt.PromptEncoded
  readonly tools: ReadonlyArray<string>
}

const encode = Schema.encodeSync(Prompt.Prompt)

export const make = Effect.fnUntraced(function* (
  calls: ReadonlyArray<ReadonlyArray<Act>>,
  options: { readonly takesSystemMessages?: boolean } = {}
) {
  const asked: Array<Asked> = []
  let open = 0
  const model = yield* LanguageModel.make({
    generateText: () => Effect.die(new Error("a pod streams")),
    streamText: ({ prompt, tools }) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const call = calls[asked.length]
          asked.push({ prompt: encode(prompt), tools: tools.map(({ name }) => String(name)) })
          if (call === undefined) return yield* Effect.die(new Error("the script is over"))
          yield* Effect.acquireRelease(
            Effect.sync(() => void open++),
            () => Effect.sync(() => void open--)
          )
          return Stream.fromIterable(call).pipe(Stream.rechunk(1), Stream.flatMap(play))
        })
      ),
    ...(options.takesSystemMessages === true ? { supportsSystemMessagesInHistory: Effect.succeed(true) } : {})
  })
  return { model, asked: () => asked, open: () => open } satisfies AiScript
})

const play = (act: Act): Stream.Stream<Response.StreamPartEncoded, AiError.AiError> => {
  if (AiError.isAiError(act)) return Stream.fail(act)
  return Effect.isEffect(act) ? Stream.fromEffectDrain(act) : Stream.succeed(act)
}

export const fails = (reason: AiError.AiErrorReason): AiError.AiError =>
  AiError.make({ module: "Script", method: "streamText", reason })

export const says = (text: string, id = "t"): ReadonlyArray<Response.StreamPartEncoded> => [
  { type: "text-start", id },
  ...Array.from(text, (delta) => ({ type: "text-delta", id, delta }) as const),
  { type: "text-end", id }
]

export const ends = (reason: Response.FinishReason = "stop"): Response.StreamPartEncoded => ({
  type: "finish",
  reason,
  usage: {
    inputTokens: { uncached: 60, total: 100, cacheRead: 30, cacheWrite: 10 },
    outputTokens: { total: 7, text: undefined, reasoning: undefined }
  }
})

/** A call whose arguments come in pieces. */
export const calls = (
  id: string,
  name: string,
  args: object,
  metadata?: Response.ProviderMetadata
): ReadonlyArray<Response.StreamPartEncoded> => [
  { type: "tool-params-start", id, name },
  ...(JSON.stringify(args).match(/.{1,4}/g) ?? []).map((delta) => ({ type: "tool-params-delta", id, delta }) as const),
  { type: "tool-params-end", id },
  { type: "tool-call", id, name, params: args, ...(metadata === undefined ? {} : { metadata }) }
]
