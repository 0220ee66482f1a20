/**
 * The tool calls of one response.
 *
 * Every call is answered: by its tool, or by a result that says why not. A call is journalled as started before it
 * runs, and its result is committed as soon as it ends, so that no crash or cancel loses what is done. Calls run side
 * by side; those that change the same path run in call order.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { interruptedBeforeResult } from "../knowledge/Wrappers.ts"
import { parseArguments } from "../llm/Response.ts"
import type { ToolCallItem } from "../protocol/Item.ts"
import type { Step } from "../session/Journal.ts"
import * as KnownFiles from "../tools/KnownFiles.ts"
import type { Tool, ToolCallContext, ToolError, ToolOutput } from "../tools/Tool.ts"
import { cap } from "../tools/Truncate.ts"
import * as HookPoints from "./HookPoints.ts"
import type { LegEnd } from "./Leg.ts"
import { type LegProgress, type LegServices, warn } from "./LegContext.ts"
import type { Settled } from "./Permission.ts"
import { ofStorage, type RunFailure } from "./RunFailure.ts"
import { badArguments, refuse, type Result, resultStep } from "./ToolResults.ts"

/** Calls of one response that run at the same time. */
const concurrency = 16
/** Bytes of live output that one call may send to watchers; what comes after is in its result. */
const liveOutputLimit = 256 * 1024

/** A hook has stopped the whole response. */
type Paused = Extract<LegEnd, { readonly _tag: "Paused" }>

interface Planned {
  readonly item: ToolCallItem
  readonly tool: Tool
  readonly args: Schema.JsonObject
  /** What it will change. */
  readonly paths: ReadonlyArray<string>
  /** Somebody has been asked, and this is the answer. */
  readonly answer?: Effect.Effect<Settled, RunFailure>
}

/** What a call is given besides its arguments. */
type Given = Pick<ToolCallContext, "known" | "unlessRecorded">

export const runBatch = Effect.fn("ToolBatch.run")(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number,
  calls: ReadonlyArray<ToolCallItem>
): Effect.fn.Return<Paused | undefined, RunFailure> {
  const { journal } = services
  const steps: Array<Step> = []
  const planned: Array<Planned> = []
  for (const call of calls) {
    const plan = yield* prepare(services, progress, call)
    if ("hook" in plan) {
      // What was found out about the calls before it is found out again when the run goes on.
      yield* HookPoints.commit(services, plan.steps ?? [])
      return { _tag: "Paused", hook: plan.hook }
    }
    steps.push(...(plan.steps ?? []))
    if ("tool" in plan) planned.push(plan)
    else steps.push(resultStep(progress, turn, call, plan))
  }
  const turns = yield* pathTurns(planned)
  planned.forEach((plan, i) => {
    if (startsAtOnce(plan, turns[i] as PathTurn)) steps.push(started(progress, plan.item))
  })
  // Who has to be asked says itself what is waited for.
  if (planned.every(({ answer }) => answer === undefined)) {
    journal.setWaitingOn({ kind: "tool", since_ms: yield* Clock.currentTimeMillis })
  }
  yield* Effect.mapError(journal.commit(steps, true), ofStorage)
  const known = KnownFiles.over((real) => Option.getOrUndefined(HashMap.get(journal.state.seen, real)))
  // Who waits for an answer or for its turn takes no place from those who could run.
  const places = yield* Semaphore.make(concurrency)
  const results = yield* Effect.forEach(
    planned,
    (plan, i) => runOne(services, progress, turn, plan, turns[i] as PathTurn, places, known),
    { concurrency: "unbounded" }
  )
  journal.setWaitingOn(null)
  if (services.hooks.has("post_tool_call")) {
    for (const [i, { item }] of planned.entries()) {
      const { isError, output } = results[i] as Result
      const { content, summary } = output
      yield* HookPoints.postCall(services, progress, {
        call_id: item.call_id,
        tool_name: item.name,
        is_error: isError,
        output: { summary, ...(content === undefined ? {} : { content }) }
      })
    }
  }
  return undefined
})

/**
 * Calls that an earlier leg left open. What had not started runs now; what had, runs again only if that does no harm,
 * and is otherwise answered with what is known: that its outcome is not.
 */
export const runOpenCalls = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress) {
  const open = Array.from(services.journal.state.openCalls.values())
  if (open.length === 0) return
  const repeatable = (name: string) => services.toolbox.get(name)?.idempotent === true
  const lost = open.filter(({ call, started }) => started && !repeatable(call.name))
  const again = open.filter((entry) => !lost.includes(entry))
  const turn = open[0]?.turn ?? services.journal.state.turnCount
  const answers = lost.map(({ call }) => resultStep(progress, turn, call, refuse(interruptedBeforeResult)))
  yield* Effect.mapError(services.journal.commit(answers, true), ofStorage)
  if (again.length === 0) return
  return yield* runBatch(
    services,
    progress,
    turn,
    again.map(({ call }) => call)
  )
})

/** A plan, the result that answers the call at once, or a pause; `steps` is what was decided on the way. */
const prepare = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  item: ToolCallItem
): Effect.fn.Return<(Planned | Result | Pick<Paused, "hook">) & { readonly steps?: ReadonlyArray<Step> }, RunFailure> {
  const tool = services.toolbox.get(item.name)
  if (tool === undefined) {
    return refuse(`Tool '${item.name}' not found. Available tools: ${services.toolbox.names.join(", ")}`)
  }
  // A log of another program may hold anything.
  const { problem, text } = parseArguments(item.arguments)
  if (problem !== undefined) return badArguments(item.name, problem)
  const accepted = yield* Effect.exit(Effect.suspend(() => tool.accept(JSON.parse(text) as Schema.JsonObject)))
  // Nobody is asked about a call that the tool would only send back.
  if (Exit.isFailure(accepted)) return refuse(yield* failureOf(tool, accepted.cause))
  const args = accepted.value
  const verdict = yield* services.permit({ callId: item.call_id, tool: item.name, args })
  if (verdict._tag === "Deny") return refuse(verdict.message)
  const call = { call_id: item.call_id, tool_name: item.name, arguments: args }
  const hooked = yield* HookPoints.preCall(services, progress, call)
  const { steps } = hooked
  switch (hooked._tag) {
    case "Paused":
      return { hook: hooked.hook, steps }
    case "Answered": {
      const { isError, ...output } = hooked.answer
      return { output, isError, durationMs: 0, steps }
    }
    case "Runs": {
      const paths = yield* Effect.exit(Effect.sync(() => tool.mutates(args)))
      if (Exit.isFailure(paths)) return { ...refuse(yield* failureOf(tool, paths.cause)), steps }
      const plan: Planned = { item, tool, args, paths: paths.value }
      if (verdict._tag === "Allow") return { ...plan, steps }
      // Nobody is asked about a call that would not run anyway.
      const asked = yield* verdict.question
      if (asked._tag === "Deny") return { ...refuse(asked.message), steps }
      return asked._tag === "Asked" ? { ...plan, answer: asked.answer, steps } : { ...plan, steps }
    }
  }
})

/** What the model reads. Of a defect nothing is for the model: a stack says where things lie on this machine. */
const failureOf = Effect.fnUntraced(function* ({ spec: { name } }: Tool, cause: Cause.Cause<ToolError>) {
  const failure = Cause.findErrorOption(cause)
  if (failure._tag === "Some") return failure.value.message
  yield* Effect.logError("tool broke", { tool: name }, cause)
  return `${name} broke; this is a defect of the tool`
})

/** Who must be done before a call may change its paths, and how it says that it is done itself. */
interface PathTurn {
  readonly before: ReadonlyArray<Deferred.Deferred<void>>
  readonly done: Deferred.Deferred<void>
}

const pathTurns = Effect.fnUntraced(function* (planned: ReadonlyArray<Planned>) {
  const last = new Map<string, Deferred.Deferred<void>>()
  const turns: Array<PathTurn> = []
  for (const { paths } of planned) {
    const done = yield* Deferred.make<void>()
    turns.push({ before: paths.flatMap((path) => last.get(path) ?? []), done })
    for (const path of paths) last.set(path, done)
  }
  return turns
})

const runOne = (
  services: LegServices,
  progress: LegProgress,
  turn: number,
  plan: Planned,
  order: PathTurn,
  places: Semaphore.Semaphore,
  known: KnownFiles.KnownFiles
): Effect.Effect<Result, RunFailure> =>
  Effect.uninterruptibleMask((restore) => {
    const undoing: Array<Effect.Effect<void>> = []
    const unlessRecorded = (undo: Effect.Effect<void>) => Effect.sync(() => void undoing.push(undo))
    return Effect.gen(function* () {
      const { result, whole } = yield* restore(
        perform(services, progress, plan, order, places, { known, unlessRecorded })
      )
      progress.active = true
      // A result that exists is kept, also if the run is cancelled in this very moment.
      yield* Effect.mapError(services.journal.commit([resultStep(progress, turn, plan.item, result)], true), ofStorage)
      // What the next one finds changed is recorded.
      yield* Deferred.succeed(order.done, undefined)
      return whole
    }).pipe(Effect.onError(() => Effect.forEach(undoing, (undo) => undo, { discard: true })))
  })

const startsAtOnce = ({ answer }: Planned, { before }: PathTurn): boolean => answer === undefined && before.length === 0

/** A call that waits has not started: cancelled meanwhile, it is known to have done nothing. */
const perform = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  plan: Planned,
  order: PathTurn,
  places: Semaphore.Semaphore,
  given: Given
) {
  if (startsAtOnce(plan, order)) return yield* places.withPermit(execute(services, plan, given))
  const settled: Settled = yield* plan.answer ?? Effect.succeed({ _tag: "Allow" } as const)
  if (settled._tag === "Deny") {
    const result = refuse(settled.message)
    return { result, whole: result }
  }
  yield* Effect.forEach(order.before, Deferred.await, { discard: true })
  const start = Effect.mapError(services.journal.commit([started(progress, plan.item)], true), ofStorage)
  return yield* places.withPermit(Effect.andThen(start, execute(services, plan, given)))
})

const started = (progress: LegProgress, item: ToolCallItem): Step => ({
  kind: "extension",
  domain: "pod.tool",
  payload: { op: "started", call_id: item.call_id, name: item.name, run_id: progress.runId }
})

const execute = Effect.fnUntraced(function* (services: LegServices, { args, item, tool }: Planned, given: Given) {
  const begun = yield* Clock.monotonicTimeNanos
  let sent = 0
  const emitOutput = (text: string) => {
    const offset = sent
    sent += text.length
    return sent > liveOutputLimit
      ? Effect.void
      : services.journal.emit({ event: "tool_output", data: { id: item.call_id, offset, text } })
  }
  // A tool may throw before there is an effect.
  const tasks = services.journal.state.tasks.list
  const exit = yield* Effect.suspend(() => tool.run(args, { callId: item.call_id, emitOutput, tasks, ...given })).pipe(
    Effect.withSpan("tool", { attributes: { tool: item.name, call_id: item.call_id } }),
    Effect.exit
  )
  const ended = yield* Clock.monotonicTimeNanos
  const durationMs = Number((ended - begun) / 1_000_000n)
  if (Exit.isSuccess(exit)) {
    yield* Effect.logDebug("tool finished", { tool: item.name, duration_ms: durationMs })
    const whole: Result = { output: exit.value, isError: false, durationMs }
    return { result: { ...whole, output: yield* capped(services, item.name, exit.value) }, whole }
  }
  // An interrupt of the run does not come back here; one that does is the tool's own.
  const summary = yield* failureOf(tool, exit.cause)
  const result: Result = { output: { summary }, isError: true, durationMs }
  return { result, whole: result }
})

const capped = Effect.fnUntraced(function* (services: LegServices, tool: string, output: ToolOutput) {
  if (output.content === undefined) return output
  const limit = services.outputLimit(tool)
  const { text, truncated } = cap(output.content, limit)
  if (!truncated) return output
  yield* warn(services, `the output of ${tool} was cut to ${limit} bytes for the model`)
  return { ...output, content: text, truncated: true }
})
