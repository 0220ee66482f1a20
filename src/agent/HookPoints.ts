/**
 * The points of a leg at which hooks are asked, and what follows from their answers.
 *
 * A decision is committed before it takes effect, in one batch with what it adds to the conversation: the record says
 * which hook decided what, and no word of its reasons. A hook that fails is told to whoever watches, as an alert.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Inputs } from "../hooks/Hook.ts"
import { type Asked, type Failure, failsClosed } from "../hooks/Hooks.ts"
import { hookAddition } from "../knowledge/Wrappers.ts"
import type { HookPoint } from "../protocol/Hook.ts"
import { flatten } from "../protocol/Segment.ts"
import * as Text from "../scope/Text.ts"
import type { Step } from "../session/Journal.ts"
import type { LegEnd } from "./Leg.ts"
import { type LegProgress, type LegServices, type StopReason, warn } from "./LegContext.ts"
import { ofStorage, RunFailure } from "./RunFailure.ts"

const previewBytes = 512
/** Times in a run that hooks may send the model back to work, so that two that disagree come to an end. */
const maxContinued = 16

type InputOf<P extends HookPoint> = Omit<Inputs[P], "run_id" | "leg">

/** Undefined if no hook has anything to do with the point. `steps` is what is to be committed with what follows. */
export const ask = Effect.fnUntraced(function* <P extends HookPoint>(
  services: LegServices,
  progress: LegProgress,
  point: P,
  input: InputOf<P>
) {
  const { hooks } = services
  if (!hooks.has(point)) return undefined
  const left = (hook: string) =>
    warn(services, `hook "${hook}" did not end at ${point} when the run was stopped: it was left behind`)
  const asked: Asked<P> = yield* hooks.ask(point, { ...inRun(progress), ...input } as Inputs[P], left)
  const callId = "call_id" in input ? { call_id: String(input.call_id) } : {}
  const steps = yield* failed(progress, point, asked.failures, callId)
  if (asked.decided !== undefined) {
    const { decision, hook } = asked.decided
    steps.push(record(progress, { point, hook, decision: decision.decision, ...callId }))
  }
  return { ...asked, steps }
})

const inRun = ({ leg, runId }: LegProgress) => ({ run_id: runId, leg })

const record = (
  progress: LegProgress,
  fields: { readonly point: HookPoint; readonly decision: string; readonly hook?: string; readonly problem?: string }
): Step => ({ kind: "extension", domain: "pod.hook", payload: { ...fields, ...inRun(progress) } })

const failed = Effect.fnUntraced(function* (
  progress: LegProgress,
  point: HookPoint,
  failures: ReadonlyArray<Failure>,
  callId: { readonly call_id?: string } = {}
) {
  const steps: Array<Step> = []
  const timestamp_ms = yield* Clock.currentTimeMillis
  const follows = failsClosed(point)
    ? "the call is not run"
    : `the run ${point === "on_abort" ? "ends" : "goes on"} without it`
  for (const { hook, problem } of failures) {
    const message = `hook "${hook}" failed at ${point}: ${problem}; ${follows}`
    steps.push({ emit: { event: "alert", data: { level: "warn", source: "pod", message, timestamp_ms } } })
    steps.push(record(progress, { point, hook, decision: "failed", problem, ...callId }))
  }
  return steps
})

export const commit = ({ journal }: LegServices, steps: ReadonlyArray<Step>): Effect.Effect<void, RunFailure> =>
  steps.length === 0 ? Effect.void : Effect.asVoid(Effect.mapError(journal.commit(steps, false), ofStorage))

/** What a hook adds is said in the pod's voice, and by whom. */
const additions = (progress: LegProgress, hook: string, items: ReadonlyArray<string>): ReadonlyArray<Step> =>
  items.map((message) => ({
    kind: "system_item",
    item: { kind: "notification", message, body: hookAddition(hook, message) },
    ...inRun(progress)
  }))

const aborted = (hook: string, phase: RunFailure["phase"], reason: string, hint?: string): RunFailure =>
  new RunFailure({
    code: "internal",
    phase,
    message: `Aborted by the hook "${hook}": ${reason}`,
    ...(hint === undefined ? {} : { hint })
  })

/**
 * The input that began the run, and one that a crash took away from the hooks before. Whoever is refused is taken back, as
 * far as it can be: only the leg that began with it can undo it.
 */
export const promptSubmit = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress
): Effect.fn.Return<LegEnd | undefined, RunFailure> {
  const { hooks, journal } = services
  const inputs = journal.state.unasked
  if (inputs.length === 0 || !hooks.has("on_prompt_submit")) return undefined
  const steps: Array<Step> = []
  for (const segments of inputs) {
    const asked = yield* askPrompt(services, progress, flatten(segments))
    if (asked.refused !== undefined) {
      const { hook, reason } = asked.refused
      yield* commit(services, asked.steps)
      const hint = "say it in other words; an input that is still in the log goes with rewind_to"
      return { _tag: "Refused", hook, failure: aborted(hook, "prepare", reason, hint) }
    }
    steps.push(...asked.steps)
  }
  // Said last: a crash before it has the hooks asked again.
  yield* commit(services, [...steps, record(progress, { point: "on_prompt_submit", decision: "continue" })])
  return undefined
})

/** `steps` holds what hooks add to the input. */
export const askPrompt = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress, text: string) {
  const { counts } = services.hooks
  counts.prompts += 1
  counts.toolCalls = 0
  const asked = yield* ask(services, progress, "on_prompt_submit", { input_text: text, turn_index: counts.prompts })
  const steps: Array<Step> = [...(asked?.steps ?? [])]
  if (asked?.decided === undefined) return { steps, refused: undefined }
  const { decision, hook } = asked.decided
  if (decision.decision === "cancel") return { steps, refused: { hook, reason: decision.reason } }
  if (decision.decision === "continue_with") steps.push(...additions(progress, hook, decision.items))
  return { steps, refused: undefined }
})

/** What a hook adds is in the very next request. */
export const preRequest = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number
): Effect.fn.Return<void, RunFailure> {
  const { hooks, journal } = services
  const { history, lastInputTokens } = journal.state
  const asked = yield* ask(services, progress, "pre_llm_request", {
    item_count: history.length,
    ...(lastInputTokens > 0 ? { estimated_tokens: lastInputTokens } : {}),
    turn_index: hooks.counts.prompts,
    tool_calls_this_turn: hooks.counts.toolCalls
  })
  if (asked === undefined) return
  if (asked.decided === undefined) return yield* commit(services, asked.steps)
  const { decision, hook } = asked.decided
  switch (decision.decision) {
    case "continue":
      return yield* commit(services, asked.steps)
    case "continue_with":
      return yield* commit(services, [...asked.steps, ...additions(progress, hook, decision.items)])
    case "cancel":
      yield* commit(services, [...asked.steps, { emit: { event: "turn_end", data: { turn, result: "finished" } } }])
      return yield* aborted(hook, "request", decision.reason)
    case "yield": {
      yield* commit(services, asked.steps)
      const isShorter = yield* services.makeRoom ?? Effect.succeed(false)
      if (!isShorter) yield* warn(services, `hook "${hook}" asked for a shorter conversation; it could not be made so`)
      return
    }
  }
})

/** How a call that hooks have looked at goes on: it may run, it is answered, or nothing of its response runs. */
export type Hooked =
  | { readonly _tag: "Runs"; readonly steps: ReadonlyArray<Step> }
  | { readonly _tag: "Answered"; readonly steps: ReadonlyArray<Step>; readonly answer: Answer }
  | { readonly _tag: "Paused"; readonly steps: ReadonlyArray<Step>; readonly hook: string }

interface Answer {
  readonly summary: string
  readonly content?: string
  readonly isError: boolean
}

export const preCall = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  call: InputOf<"pre_tool_call">
): Effect.fn.Return<Hooked, RunFailure> {
  const { counts } = services.hooks
  const asked = yield* ask(services, progress, "pre_tool_call", call)
  const steps = asked?.steps ?? []
  const [failure] = asked?.failures ?? []
  if (failure !== undefined) {
    const summary = `${call.tool_name} was not run: the hook "${failure.hook}", which looks at calls, has failed. `
    return { _tag: "Answered", steps, answer: { summary: `${summary}This is not the call's fault.`, isError: true } }
  }
  if (asked?.decided === undefined) {
    counts.toolCalls += 1
    return { _tag: "Runs", steps }
  }
  const { decision, hook } = asked.decided
  switch (decision.decision) {
    case "continue":
      return { _tag: "Runs", steps }
    case "skip":
      return { _tag: "Answered", steps, answer: { summary: skipped(call.tool_name, hook, decision), isError: true } }
    case "synthetic_result": {
      const { content, is_error, summary } = decision
      const answer = { summary, ...(content === undefined ? {} : { content }), isError: is_error ?? false }
      return { _tag: "Answered", steps, answer }
    }
    case "abort":
      yield* commit(services, steps)
      return yield* aborted(hook, "tool", decision.reason)
    case "pause":
      return { _tag: "Paused", steps, hook }
  }
})

const skipped = (tool: string, hook: string, { reason }: { readonly reason?: string }): string =>
  `${tool} was not run: the hook "${hook}" of this pod does not let it through` +
  `${reason === undefined ? "." : `: ${reason}`}`

/** The result is recorded already and stays, whatever is decided. */
export const postCall = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  result: InputOf<"post_tool_call">
): Effect.fn.Return<void, RunFailure> {
  const asked = yield* ask(services, progress, "post_tool_call", result)
  if (asked === undefined) return
  yield* commit(services, asked.steps)
  const decided = asked.decided
  if (decided?.decision.decision === "abort") return yield* aborted(decided.hook, "tool", decided.decision.reason)
})

/** Undefined: a hook has something to say, and the model is to answer it. */
export const turnEnd = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  text: string
): Effect.fn.Return<LegEnd | undefined, RunFailure> {
  const finished: LegEnd = { _tag: "Finished" }
  const { counts } = services.hooks
  // Counted in the journal, so that a pause or a restart gives a run no new ones.
  const continued = services.journal.state.run?.continued ?? 0
  const asked = yield* ask(services, progress, "on_turn_end", {
    turn_index: counts.prompts,
    tool_calls_count: counts.toolCalls,
    final_text_preview: preview(text),
    continued
  })
  if (asked === undefined) return finished
  if (asked.decided === undefined) return yield* Effect.as(commit(services, asked.steps), finished)
  const { decision, hook } = asked.decided
  switch (decision.decision) {
    case "finish":
      return yield* Effect.as(commit(services, asked.steps), finished)
    case "pause":
      yield* commit(services, asked.steps)
      return { _tag: "Paused", hook }
    case "continue_with_messages": {
      if (continued < maxContinued) {
        yield* commit(services, [...asked.steps, ...additions(progress, hook, decision.items)])
        return undefined
      }
      yield* commit(services, asked.steps)
      yield* warn(services, `hook "${hook}" wants the turn to go on; it did so ${maxContinued} times, so the turn ends`)
      return finished
    }
  }
})

const preview = (text: string): string => {
  const bytes = Text.encode(text)
  return bytes.length <= previewBytes
    ? text
    : Text.decodeLossy(bytes.subarray(0, Text.boundaryBefore(bytes, previewBytes)))
}

/** Hooks hear of it when the work fails or is cut, or its input is refused. What they say changes nothing. */
export const toldOfAbort = (
  services: LegServices,
  progress: LegProgress,
  work: Effect.Effect<LegEnd, RunFailure>
): Effect.Effect<LegEnd, RunFailure> => {
  if (!services.hooks.has("on_abort")) return work
  const tell = (reason: string) =>
    services.hooks.tellAbort({ ...inRun(progress), reason }).pipe(
      Effect.flatMap((failures) => failed(progress, "on_abort", failures)),
      Effect.flatMap((steps) => commit(services, steps)),
      Effect.ignore
    )
  return Effect.onExit(work, (exit) => {
    const reason = Exit.isSuccess(exit) ? endedBy(exit.value) : brokenBy(exit.cause, progress.stop)
    return reason === undefined ? Effect.void : tell(reason)
  })
}

const endedBy = (end: LegEnd): string | undefined => {
  if (end._tag === "Refused") return end.failure.message
  return end._tag === "LimitReached" && end.isCut === true ? `The limit ${end.limit} is reached` : undefined
}

const stops: { readonly [R in StopReason]: string } = { cancel: "Cancelled", pause: "Paused", shutdown: "Shut down" }

const brokenBy = (cause: Cause.Cause<RunFailure>, stop: StopReason | undefined): string => {
  const failure = Cause.findErrorOption(cause)
  if (failure._tag === "Some") return failure.value.message
  return stop !== undefined && Cause.hasInterruptsOnly(cause)
    ? stops[stop]
    : "the turn broke; this is a defect of effect-pod"
}
