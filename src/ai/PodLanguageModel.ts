/**
 * A running pod as a `LanguageModel` of Effect's ai modules: a prompt is a run, its text and thinking are the answer.
 *
 * Calls go one after the other, in the order in which they came; whoever comes when `maxWaiting` wait is refused as
 * busy, and so is a call that finds the pod in a run that somebody else has started. Interrupting a call, or leaving
 * its stream, cancels the run. What a pod does not do is a typed error: a toolkit of the caller's, a schema for the
 * answer, files, a system prompt, a past that is not the pod's own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import type { PodHandle } from "../pod/PodHandle.ts"
import type { Envelope } from "../protocol/Event.ts"
import * as AsAiError from "./AsAiError.ts"
import { inputOf, type Origin } from "./PodPrompt.ts"
import * as RunParts from "./RunParts.ts"

export interface Options {
  /** Calls that may wait for the one that runs. Default 64; with 0 a second call is refused at once. */
  readonly maxWaiting?: number
}

const defaultMaxWaiting = 64

/** How long a call that is interrupted waits for its run to end: tools get a second's grace, and the end is written. */
const cancelTimeout = "10 seconds"

export const make = (pod: PodHandle, options: Options = {}): Effect.Effect<LanguageModel.LanguageModel> => {
  const turn = turns(pod, options.maxWaiting ?? defaultMaxWaiting)
  const answer = (method: string, asked: LanguageModel.ProviderOptions) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* refuseWhatAPodDoesNot(method, pod, asked)
        const origin: Origin = { pod: pod.name, sessionId: pod.sessionId }
        const input = yield* inputOf(method, origin, asked.prompt)
        yield* turn(method)
        return yield* run(method, pod, origin, input)
      })
    )
  return LanguageModel.make({
    streamText: (asked) => answer("streamText", asked),
    generateText: (asked) => Effect.map(Stream.runCollect(answer("generateText", asked)), whole)
  })
}

export const layer = (pod: PodHandle, options?: Options): Layer.Layer<LanguageModel.LanguageModel> =>
  Layer.effect(LanguageModel.LanguageModel, make(pod, options))

const refuseWhatAPodDoesNot = (
  method: string,
  { name }: PodHandle,
  { responseFormat, tools }: LanguageModel.ProviderOptions
): Effect.Effect<void, AiError.AiError> => {
  const [tool] = tools
  if (tool !== undefined) {
    const description = `pod ${name} runs its own tools and takes none with a prompt: give them to Pod.make`
    return Effect.fail(
      AsAiError.make(method, new AiError.ToolConfigurationError({ toolName: String(tool.name), description }))
    )
  }
  if (responseFormat.type === "text") return Effect.void
  const description = `pod ${name} answers in words: ask for JSON in the prompt, and decode the text`
  return Effect.fail(AsAiError.make("generateObject", new AiError.UnsupportedSchemaError({ description })))
}

/** One at a time. The turn ends with the Scope. */
const turns = ({ name }: PodHandle, maxWaiting: number) => {
  const semaphore = Semaphore.makeUnsafe(1)
  let inside = 0
  const enter = (method: string) =>
    Effect.suspend(() => {
      if (inside > maxWaiting)
        return Effect.fail(AsAiError.busy(method, name, `as many calls wait as may (${maxWaiting})`))
      inside++
      return Effect.void
    })
  return (method: string): Effect.Effect<void, AiError.AiError, Scope.Scope> =>
    Effect.andThen(
      Effect.acquireRelease(enter(method), () => Effect.sync(() => inside--)),
      Effect.acquireRelease(semaphore.take(1), () => semaphore.release(1), { interruptible: true })
    ).pipe(Effect.asVoid)
}

/** Starts the run, and gives its parts. If the Scope closes before it has ended, it is cancelled and waited for. */
const run = Effect.fnUntraced(function* (method: string, pod: PodHandle, origin: Origin, input: string) {
  const { seq, take } = yield* pod.attach
  const { model, provider } = pod.greeting
  let isOver = false
  const { run_id: runId } = yield* Effect.acquireRelease(
    Effect.mapError(pod.run(input), (refused) => AsAiError.ofRefusal(method, refused)),
    ({ run_id }) => (isOver ? Effect.void : cancel(pod, take, run_id))
  )
  const answer = RunParts.make({ method, origin, model: `${provider}/${model}`, runId })
  let last = seq
  const read = (events: ReadonlyArray<Envelope>) => {
    isOver ||= events.some(ends(runId))
    if (events.some((event) => event.seq !== ++last)) {
      return Effect.fail(AsAiError.behind(method, pod.name))
    }
    const ready = events.flatMap(answer.push)
    if (!isOver || answer.end() !== undefined) return Effect.succeed(ready)
    const description = `pod ${pod.name} has stopped`
    return Effect.fail(AsAiError.make(method, new AiError.UnknownError({ description })))
  }
  const next = Effect.suspend(() => {
    const failure = answer.end()?.failure
    if (failure !== undefined) return Effect.fail(failure)
    // What was taken is read: an end that is lost in between would be waited for in vain.
    return Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(take), read))
  })
  return Stream.fromEffectRepeat(next).pipe(
    Stream.flattenIterable,
    Stream.takeUntil((part) => part.type === "finish")
  )
})

const ends =
  (runId: string) =>
  (event: Envelope): boolean =>
    event.event === "shutdown" || (event.event === "run_end" && event.data.run_id === runId)

const cancel = (pod: PodHandle, take: Effect.Effect<ReadonlyArray<Envelope>>, runId: string): Effect.Effect<void> => {
  const wait: Effect.Effect<void> = Effect.flatMap(take, (events) => (events.some(ends(runId)) ? Effect.void : wait))
  return Effect.andThen(
    pod.submit({ method: "cancel", params: { run_id: runId } }, () => {}),
    // The wait alone may be cut: the caller is interrupted already, and the word must get through.
    Effect.asVoid(Effect.timeoutOption(Effect.interruptible(wait), cancelTimeout))
  )
}

/** The parts of a stream as those of an answer that comes at once. */
const whole = (parts: ReadonlyArray<Response.StreamPartEncoded>): Array<Response.PartEncoded> => {
  const out: Array<Response.PartEncoded> = []
  for (const part of parts) {
    const last = out.at(-1)
    switch (part.type) {
      case "text-start":
        out.push({ type: "text", text: "", metadata: part.metadata })
        break
      case "reasoning-start":
        out.push({ type: "reasoning", text: "", metadata: part.metadata })
        break
      case "text-delta":
      case "reasoning-delta":
        if (last?.type === "text" || last?.type === "reasoning") {
          out[out.length - 1] = { ...last, text: last.text + part.delta }
        }
        break
      case "response-metadata":
      case "finish":
        out.push(part)
        break
      default:
        break
    }
  }
  return out
}
