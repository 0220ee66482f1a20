/**
 * What the clients of model vendors have in common: their options, and one attempt at a streamed answer.
 *
 * The vendor's SDK makes the request; its retries and its clock are off, those are `Patience`'s. The answer is read
 * here, a network chunk at a time, so that keep-alives are seen, events stay bounded, and an answer that was read to
 * its end leaves the connection open for the next one.
 */
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../../src/llm/LlmEvent.ts"
import * as Answer from "./Answer.ts"
import * as Failure from "./Failure.ts"

/** The part of `[model.capability]` that decides what is sent. */
export interface ModelCapability {
  readonly tool_calling?: "none" | "sequential" | "parallel" | undefined
  readonly reasoning?: "effort" | "budget_tokens" | "both" | undefined
  /** False: images are left out of what is sent. */
  readonly vision?: boolean | undefined
  /** False: PDF documents are left out of what is sent. Default: as `vision`. */
  readonly documents?: boolean | undefined
  readonly prompt_caching?:
    | { readonly kind: "explicit"; readonly max_breakpoints: number }
    | { readonly kind: "auto" }
    | undefined
}

export interface VendorOptions {
  /** Undefined for a server that asks for none; then `baseUrl` is required. */
  readonly apiKey: Redacted.Redacted<string> | undefined
  /** What the vendor's SDK calls base URL: with `/v1` for OpenAI, without a version for Anthropic and Gemini. */
  readonly baseUrl?: string | undefined
  readonly model: string
  /** Tokens. */
  readonly contextWindow: number
  /** Undefined: whatever is configured is sent. */
  readonly capability?: ModelCapability | undefined
  /** Default: that of `src/llm/Limits.ts`. */
  readonly connectTimeout?: Duration.Duration | undefined
}

/** Who is talked to, for error messages. The key is here only to be kept out of them. */
export interface Vendor {
  readonly provider: string
  /** Host and port. */
  readonly host: string
  readonly key: Redacted.Redacted<string> | undefined
}

export interface Attempt {
  /** Rejects with what the SDK throws. */
  readonly open: (signal: AbortSignal) => Promise<Response>
  readonly decoder: Answer.Decoder
  readonly alive: () => void
}

/** One attempt. Interrupting it aborts the request in every phase, which closes the connection. */
export const attempt = (vendor: Vendor, options: Attempt): Stream.Stream<LlmEvent, LlmError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const signal = yield* Effect.abortSignal
      const clock = yield* Clock.Clock
      const response = yield* Effect.tryPromise({
        try: () => options.open(signal),
        catch: (cause) => Failure.whileOpening(vendor, cause, clock.currentTimeMillisUnsafe())
      })
      options.alive()
      yield* Answer.requireEventStream(vendor, response)
      return Stream.fromChannel(
        Channel.fromAsyncIterable(Answer.read(vendor, response, options.decoder, options.alive), (cause) =>
          Failure.whileReading(vendor, cause)
        )
      )
    })
  )
