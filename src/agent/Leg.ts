/**
 * One leg of a run: from its start to its end, a pause or a failure.
 *
 * It talks to the journal and to nothing else of the pod: what it commits is what happened, and what it emits is what
 * clients may watch. It ends by returning, by failing with `RunFailure`, or by being interrupted; the controller writes
 * the terminal record in all three cases.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Segment } from "../protocol/Segment.ts"
import * as Budget from "./Budget.ts"
import * as CommandNotes from "./CommandNotes.ts"
import * as HookPoints from "./HookPoints.ts"
import * as InboxDrain from "./InboxDrain.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"
import { modelCall } from "./ModelCall.ts"
import { resolveReferences } from "./ResolveInput.ts"
import { ofStorage, type RunFailure } from "./RunFailure.ts"
import * as TaskReminder from "./TaskReminder.ts"
import { runBatch, runOpenCalls } from "./ToolBatch.ts"

export interface LegInput {
  /** The new input of the run, whose references are to be resolved; none for a resumed or self-started leg. */
  readonly segments: ReadonlyArray<Segment>
  readonly resumed: boolean
}

export type LegEnd =
  | { readonly _tag: "Finished" }
  /** `isCut`: in the middle of what it did. */
  | { readonly _tag: "LimitReached"; readonly limit: string; readonly hint?: string; readonly isCut?: true }
  /** A hook wants somebody to look first; the run waits for `resume`. */
  | { readonly _tag: "Paused"; readonly hook: string }
  /** A hook would not have the input, and the model has not seen it. */
  | { readonly _tag: "Refused"; readonly hook: string; readonly failure: RunFailure }

/** It is about what waits in the inbox, which may have been removed since: then there is nothing to ask the model. */
const isSelfStarted = ({ state }: LegServices["journal"]): boolean =>
  state.run?.kind === "notify" || state.run?.kind === "pod_event"

/**
 * The last word is the model's own: the leg was ended behind a whole answer. There is nothing to ask it, and some vendors
 * refuse a conversation that ends so.
 */
const isAnswered = Effect.fnUntraced(function* ({ journal }: LegServices) {
  const history = yield* Effect.mapError(journal.state.history.items, ofStorage)
  const last = history.findLast(({ item }) => item.kind !== "reasoning")?.item
  return last?.kind === "message" && last.role === "assistant"
})

/** Time that is used up ends the leg wherever it is; what it waits for and the tools that it runs are interrupted. */
export const run = Effect.fn("Leg.run")(function* (
  services: LegServices,
  progress: LegProgress,
  input: LegInput
): Effect.fn.Return<LegEnd, RunFailure> {
  const used = yield* Budget.usedUp(services, progress)
  if (used !== undefined) return { _tag: "LimitReached", ...used }
  const now = yield* Clock.currentTimeMillis
  const left = Budget.timeLeft(services.budget, services.journal.state, progress.usage, now)
  return yield* HookPoints.toldOfAbort(services, progress, withinTime(rounds(services, progress, input), left))
})

const withinTime = (
  work: Effect.Effect<LegEnd, RunFailure>,
  left: ReturnType<typeof Budget.timeLeft>
): Effect.Effect<LegEnd, RunFailure> => {
  if (left === undefined) return work
  const { millis, ...limit } = left
  const ended: LegEnd = { _tag: "LimitReached", ...limit, isCut: true }
  return Effect.timeoutOrElse(work, { duration: Math.max(0, millis), orElse: () => Effect.succeed(ended) })
}

const rounds = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  input: LegInput
): Effect.fn.Return<LegEnd, RunFailure> {
  const { journal } = services
  const refused = yield* HookPoints.promptSubmit(services, progress)
  if (refused !== undefined) return refused
  yield* resolveReferences(services, progress, input.segments)
  const pausedAgain = input.resumed ? yield* runOpenCalls(services, progress) : undefined
  if (pausedAgain !== undefined) return pausedAgain
  let mayBeAboutNothing = isSelfStarted(journal) || (input.resumed && (yield* isAnswered(services)))
  for (;;) {
    const used = yield* Budget.usedUp(services, progress)
    if (used !== undefined) return { _tag: "LimitReached", ...used }
    const turn = journal.state.turnCount
    yield* journal.emit({ event: "turn_start", data: { turn } })
    const hasNews = yield* InboxDrain.drain(services, progress, turn)
    if (mayBeAboutNothing && !hasNews) {
      yield* journal.emit({ event: "turn_end", data: { turn, result: "finished" } })
      return { _tag: "Finished" }
    }
    mayBeAboutNothing = false
    yield* CommandNotes.tell(services, progress, turn)
    yield* TaskReminder.remind(services, progress, turn)
    yield* HookPoints.preRequest(services, progress, turn)
    const response = yield* modelCall(services, progress, turn)
    if (response.limit !== undefined) return { _tag: "LimitReached", ...response.limit }
    if (response.usesTools) {
      const paused = yield* runBatch(services, progress, turn, response.calls)
      if (paused !== undefined) return paused
    } else {
      const end = yield* HookPoints.turnEnd(services, progress, response.text)
      if (end !== undefined) return end
    }
    // Counted in the journal, so that a pause or a restart gives a run no new turns.
    if (services.maxTurns !== undefined && (journal.state.run?.turns ?? 0) >= services.maxTurns) {
      return { _tag: "LimitReached", limit: "max_turns" }
    }
  }
})
