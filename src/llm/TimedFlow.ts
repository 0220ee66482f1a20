/**
 * One attempt under time limits.
 *
 * Two fibers in the attempt's scope: the pump moves events from the vendor into a bounded queue, the watch ends the
 * queue with an error when a limit runs out. Time in which the reader is slow does not count against the vendor.
 * Whatever ends the flow says what had been received.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Backoff from "./Backoff.ts"
import { defaultLimits, type Limits } from "./Limits.ts"
import type { LlmClient } from "./LlmClient.ts"
import { LlmError, revise } from "./LlmError.ts"
import type { LlmEvent } from "./LlmEvent.ts"
import type { LlmRequest } from "./LlmRequest.ts"

/** Events between the vendor and a slow reader. */
const capacity = 256

/** After the end mark the connection may end by itself, so that it can be used again; then it is closed. */
const lingering = Duration.seconds(1)

/**
 * Succeeds once the answer has begun, with all of it; fails with phase `request` if it never does. The flow lives
 * in the surrounding scope.
 */
export const begin = Effect.fnUntraced(function* (client: LlmClient["Service"], limits: Limits, request: LlmRequest) {
  const clock = yield* Clock.Clock
  const progress = new Progress(clock)
  const queue = yield* Queue.bounded<LlmEvent, LlmError | Cause.Done>(capacity)
  const pull = yield* Stream.toPull(client.stream(request, progress.alive))
  yield* Effect.forkScoped(pump(client, pull, queue, progress), { startImmediately: true })
  yield* Effect.forkScoped(watch(client, limits, queue, progress), { startImmediately: true })
  const first = yield* Queue.takeAll(queue).pipe(
    // The pump ends the queue only after an end mark, and that stands behind something it has passed on.
    Effect.catchIf(Cause.isDone, () => Effect.die(new Error("an answer ended before it began")))
  )
  return Stream.concat(Stream.fromArray(first), Stream.fromQueue(queue))
})

/** What has come so far. Written by the pump and by the client's `alive`, read by the watch. */
class Progress {
  readonly opened = Deferred.makeUnsafe<void>()
  readonly firstEvent = Deferred.makeUnsafe<void>()
  /** Something of the answer was passed on. */
  begun = false
  stopped = false
  /** True while the vendor is waited for. */
  pulling = false
  lastSign = 0
  lastEvent = 0
  text = 0
  thinking = 0
  calls = 0
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  }

  /** A bound function: it travels to the client. */
  readonly alive = (): void => {
    this.lastSign = this.now()
    Deferred.doneUnsafe(this.opened, Exit.void)
  }

  wait(): void {
    this.pulling = true
    this.lastSign = this.lastEvent = this.now()
  }

  receive(events: ReadonlyArray<LlmEvent>, kinds: Map<number, "text" | "thinking" | "tool_call">): void {
    this.pulling = false
    this.alive()
    Deferred.doneUnsafe(this.firstEvent, Exit.void)
    for (const event of events) {
      if (begins(event)) this.begun = true
      switch (event.type) {
        case "text_start":
          kinds.set(event.index, "text")
          break
        case "thinking_start":
          kinds.set(event.index, "thinking")
          break
        case "tool_call_start":
          kinds.set(event.index, "tool_call")
          this.calls++
          break
        case "delta":
          if (kinds.get(event.index) === "text") this.text += event.text.length
          if (kinds.get(event.index) === "thinking") this.thinking += event.text.length
          break
        case "stop":
          this.stopped = true
          break
        case "block_stop":
        case "usage":
          break
      }
    }
  }

  /** For people: what there was before it broke. */
  received(): string {
    const parts = [
      ...(this.text > 0 ? [`${this.text} characters of text`] : []),
      ...(this.thinking > 0 ? [`${this.thinking} characters of thinking`] : []),
      ...(this.calls > 0 ? [`${this.calls} tool call${this.calls === 1 ? "" : "s"}`] : [])
    ]
    return parts.length === 0 ? "nothing readable had arrived" : `${parts.join(", ")} had arrived`
  }
}

/** Usage and empty text say nothing; an end mark says something unless it only means "done". */
const begins = (event: LlmEvent): boolean => {
  switch (event.type) {
    case "thinking_start":
    case "tool_call_start":
      return true
    case "delta":
      return event.text !== ""
    case "stop":
      return event.reason !== "end_turn" && event.reason !== "tool_use"
    case "text_start":
    case "block_stop":
    case "usage":
      return false
  }
}

const pump = Effect.fnUntraced(function* (
  client: LlmClient["Service"],
  pull: Pull.Pull<ReadonlyArray<LlmEvent>, LlmError>,
  queue: Queue.Queue<LlmEvent, LlmError | Cause.Done>,
  progress: Progress
) {
  const kinds = new Map<number, "text" | "thinking" | "tool_call">()
  let held: Array<LlmEvent> = []
  const loop = Effect.gen(function* () {
    while (!progress.stopped) {
      progress.wait()
      const events = yield* pull
      progress.receive(events, kinds)
      held.push(...events)
      if (!progress.begun) continue
      const ready = held
      held = []
      yield* Queue.offerAll(queue, ready)
    }
    if (!progress.begun) return yield* empty(client)
  })
  const ending = loop.pipe(
    Pull.catchDone(() => Effect.fail(progress.begun ? cut(client) : empty(client))),
    Effect.mapError((error) => atPhase(error, progress))
  )
  yield* Effect.matchCauseEffect(ending, {
    onFailure: (cause) => Queue.failCause(queue, cause),
    // The reader has its end mark; it gets the end when the connection is done with, or after a moment.
    onSuccess: () => Effect.exit(Effect.timeoutOption(drain(pull), lingering)).pipe(Effect.andThen(Queue.end(queue)))
  })
})

const drain = (pull: Pull.Pull<ReadonlyArray<LlmEvent>, LlmError>) =>
  Pull.catchDone(Effect.forever(pull, { disableYield: true }), () => Effect.void)

/** Runs until a limit is reached or the end mark has come. */
const watch = Effect.fnUntraced(function* (
  client: LlmClient["Service"],
  limits: Limits,
  queue: Queue.Queue<LlmEvent, LlmError | Cause.Done>,
  progress: Progress
) {
  const expire = (what: string, key: string, limit: Duration.Duration) =>
    Effect.asVoid(
      Queue.fail(
        queue,
        atPhase(timeout(client, `${what} for ${Backoff.seconds(Duration.toMillis(limit))}`, key), progress)
      )
    )
  if (!(yield* within(progress.opened, limits.header_timeout))) {
    return yield* expire("no answer", "header_timeout", limits.header_timeout)
  }
  if (!(yield* within(progress.firstEvent, limits.first_event_timeout))) {
    return yield* expire("no event after the headers", "first_event_timeout", limits.first_event_timeout)
  }
  const idle = Duration.toMillis(limits.idle_timeout)
  const stallTimeout = Duration.max(limits.stall_timeout ?? defaultLimits.stall_timeout, limits.idle_timeout)
  const stall = Duration.toMillis(stallTimeout)
  while (!progress.stopped) {
    if (!progress.pulling) {
      yield* Effect.sleep(limits.idle_timeout)
      continue
    }
    const now = progress.now()
    const idleLeft = progress.lastSign + idle - now
    const stallLeft = progress.lastEvent + stall - now
    if (idleLeft <= 0) return yield* expire("silence", "idle_timeout", limits.idle_timeout)
    if (stallLeft <= 0) return yield* expire("only keep-alives", "stall_timeout", stallTimeout)
    yield* Effect.sleep(Math.min(idleLeft, stallLeft))
  }
})

const within = (event: Deferred.Deferred<void>, limit: Duration.Duration): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(Deferred.await(event), limit), Option.isSome)

const subject = (client: LlmClient["Service"]): string => `${client.info.provider} (${client.info.model})`

const timeout = (client: LlmClient["Service"], what: string, key: string): LlmError =>
  new LlmError({
    reason: "Timeout",
    provider: client.info.provider,
    message: `${subject(client)}: ${what}`,
    hint: `if the model needs longer, raise model.limits.${key} in the manifest`
  })

const cut = (client: LlmClient["Service"]): LlmError =>
  new LlmError({
    reason: "Cut",
    provider: client.info.provider,
    message: `${subject(client)}: the answer broke off before its end`
  })

const empty = (client: LlmClient["Service"]): LlmError =>
  new LlmError({
    reason: "Empty",
    provider: client.info.provider,
    message: `${subject(client)}: the answer was empty`,
    hint: "check that model.base_url is an endpoint of this scheme"
  })

/** Says where it happened, and mid-stream also what had been received. */
const atPhase = (error: LlmError, progress: Progress): LlmError =>
  progress.begun
    ? revise(error, { phase: "stream", message: `${error.message}; ${progress.received()}` })
    : revise(error, { phase: "request" })
