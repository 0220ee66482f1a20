/** A client that plays steps, one list per attempt, and counts what is open. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LlmClient } from "../../src/llm/LlmClient.ts"
import { LlmError, type LlmErrorReason } from "../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../src/llm/LlmEvent.ts"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"

export type Step =
  | { readonly do: "headers" | "keepAlive" | "hang" }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "emit"; readonly event: LlmEvent }
  | { readonly do: "fail"; readonly error: LlmError }

export const headers: Step = { do: "headers" }
export const keepAlive: Step = { do: "keepAlive" }
export const hang: Step = { do: "hang" }
export const sleep = (ms: number): Step => ({ do: "sleep", ms })
export const emit = (event: LlmEvent): Step => ({ do: "emit", event })
export const fail = (
  reason: LlmErrorReason,
  extra: { readonly status?: number; readonly retryAfterMs?: number } = {}
): Step => ({ do: "fail", error: new LlmError({ reason, provider: "fake", message: `fake ${reason}`, ...extra }) })

/** Says `words` and ends well. */
export const answer = (words: string): ReadonlyArray<Step> => [
  headers,
  emit({ type: "usage", usage: { inputTokens: 1 } }),
  emit({ type: "text_start", index: 0 }),
  emit({ type: "delta", index: 0, text: words }),
  emit({ type: "block_stop", index: 0 }),
  emit({ type: "stop", reason: "end_turn" })
]

export const request: LlmRequest = {
  system: undefined,
  messages: [{ role: "user", text: "hi" }],
  tools: [],
  config: { max_tokens: null, temperature: null, top_p: null, top_k: null, stop_sequences: [], reasoning: null },
  cacheKey: "key"
}

export interface Fake {
  readonly client: LlmClient["Service"]
  readonly attempts: () => number
  /** Connections that are open now. */
  readonly open: () => number
  /** Steps played so far. */
  readonly played: () => number
}

/** The last list is played again for every attempt after it. */
export const fakeClient = (...attempts: ReadonlyArray<ReadonlyArray<Step>>): Fake => {
  let count = 0
  let open = 0
  let played = 0
  return {
    attempts: () => count,
    open: () => open,
    played: () => played,
    client: {
      info: { provider: "fake", model: "fake-1", contextWindow: 1000 },
      stream: (_request, alive = () => {}) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const steps = attempts[Math.min(count, attempts.length - 1)] ?? []
            count++
            yield* Effect.acquireRelease(
              Effect.sync(() => open++),
              () => Effect.sync(() => open--)
            )
            return Stream.fromIterable(steps).pipe(
              Stream.rechunk(1),
              Stream.flatMap((step) => {
                played++
                return play(step, alive)
              })
            )
          })
        )
    }
  }
}

const play = (step: Step, alive: () => void): Stream.Stream<LlmEvent, LlmError> => {
  switch (step.do) {
    case "headers":
    case "keepAlive":
      return Stream.fromEffectDrain(Effect.sync(alive))
    case "hang":
      return Stream.never
    case "sleep":
      return Stream.fromEffectDrain(Effect.sleep(step.ms))
    case "emit":
      return Stream.succeed(step.event)
    case "fail":
      return Stream.fail(step.error)
  }
}
