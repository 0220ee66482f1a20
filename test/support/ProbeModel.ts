/**
 * A model that a test holds in its hands: each call waits to be answered event by event, and tells when it was closed.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { LlmClient } from "../../src/llm/LlmClient.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { LlmEvent, StopReason } from "../../src/llm/LlmEvent.ts"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"

export interface ProbeCall {
  readonly request: LlmRequest
  readonly push: (...events: ReadonlyArray<LlmEvent>) => Effect.Effect<void>
  readonly fail: (error: LlmError) => Effect.Effect<void>
  /** The end of an answer whose one text `push` has begun. */
  readonly finish: (rest: string) => Effect.Effect<void>
  /** A whole answer of one text. */
  readonly answer: (text: string) => Effect.Effect<void>
  /** A whole answer of tool calls. */
  readonly callTools: (
    ...calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly args: object | string }>
  ) => Effect.Effect<void>
}

export interface ProbeModel {
  readonly client: LlmClient["Service"]
  /** The next call that the pod makes. */
  readonly next: Effect.Effect<ProbeCall>
  /** Calls that are open now. */
  readonly open: () => number
}

/** What a vendor says to a request that it will not have: no attempt can help. */
export const badRequest = new LlmError({ reason: "Status", status: 400, provider: "probe", message: "bad request" })

const usage: LlmEvent = { type: "usage", usage: { inputTokens: 10, outputTokens: 5 } }
const stop = (reason: StopReason): LlmEvent => ({ type: "stop", reason })

export const make = Effect.gen(function* () {
  const calls = yield* Queue.bounded<ProbeCall>(64)
  let open = 0
  const stream = (request: LlmRequest) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const events = yield* Queue.bounded<LlmEvent, LlmError | Cause.Done>(256)
        const push: ProbeCall["push"] = (...batch) => Effect.asVoid(Queue.offerAll(events, batch))
        const finish = Effect.asVoid(Queue.end(events))
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            open += 1
          }),
          () =>
            Effect.sync(() => {
              open -= 1
            })
        )
        yield* Queue.offer(calls, {
          request,
          push,
          fail: (error) => Effect.asVoid(Queue.fail(events, error)),
          finish: (rest) =>
            Effect.andThen(
              push({ type: "delta", index: 0, text: rest }, { type: "block_stop", index: 0 }, usage, stop("end_turn")),
              finish
            ),
          answer: (text) =>
            Effect.andThen(
              push(
                { type: "text_start", index: 0 },
                { type: "delta", index: 0, text },
                { type: "block_stop", index: 0 },
                usage,
                stop("end_turn")
              ),
              finish
            ),
          callTools: (...tools) =>
            Effect.andThen(
              push(
                ...tools.flatMap(
                  ({ args, id, name }, index): ReadonlyArray<LlmEvent> => [
                    { type: "tool_call_start", index, id, name },
                    { type: "delta", index, text: typeof args === "string" ? args : JSON.stringify(args) },
                    { type: "block_stop", index }
                  ]
                ),
                usage,
                stop("tool_use")
              ),
              finish
            )
        })
        return Stream.fromQueue(events)
      })
    )
  return {
    client: { info: { provider: "probe", model: "probe-1", contextWindow: 100_000 }, stream },
    next: Queue.take(calls),
    open: () => open
  } satisfies ProbeModel
})
