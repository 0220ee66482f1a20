/**
 * The hooks of one pod: asked one after the other, in their order, until one decides something else than to go on.
 *
 * Each has a limit of time, and what fails, breaks, hangs or talks nonsense is a failure of that hook alone. What follows
 * from one is a rule of the point: before a tool call it is a refusal, everywhere else the next hook is asked.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { HookPoint } from "../protocol/Hook.ts"
import { type Decisions, decode, goesOn } from "./Decision.ts"
import { handlerOf, type Hook, type Inputs } from "./Hook.ts"

export interface Failure {
  readonly hook: string
  readonly problem: string
}

export interface Asked<P extends HookPoint> {
  /** Undefined: everybody who could says to go on. */
  readonly decided: { readonly hook: string; readonly decision: Decisions[P] } | undefined
  readonly failures: ReadonlyArray<Failure>
}

export interface Hooks {
  readonly has: (point: HookPoint) => boolean
  readonly ask: <P extends HookPoint>(point: P, input: Inputs[P]) => Effect.Effect<Asked<P>>
  /** Tells all of them at the same time that the run is given up; nobody waits longer than 5 seconds for it. */
  readonly tellAbort: (input: Inputs["on_abort"]) => Effect.Effect<ReadonlyArray<Failure>>
  /** What hooks are told about the process; the turn loop counts. */
  readonly counts: { prompts: number; toolCalls: number }
}

/** A failure here decides: what nobody could judge is not done. */
export const failsClosed = (point: HookPoint): boolean => point === "pre_tool_call"

const defaultTimeout: Duration.Input = "30 seconds"
const abortTimeout: Duration.Input = "5 seconds"

export const make = (hooks: ReadonlyArray<Hook>): Hooks => {
  const ask = Effect.fnUntraced(function* <P extends HookPoint>(point: P, input: Inputs[P]) {
    const failures: Array<Failure> = []
    for (const hook of hooks) {
      const answer = yield* answerOf(hook, point, input)
      if (answer === undefined) continue
      if ("problem" in answer) {
        failures.push({ hook: hook.name, problem: answer.problem })
        if (failsClosed(point)) break
      } else if (!goesOn(answer.decision)) {
        return { decided: { hook: hook.name, decision: answer.decision }, failures } satisfies Asked<P>
      }
    }
    return { decided: undefined, failures } satisfies Asked<P>
  })
  return {
    has: (point) => hooks.some((hook) => handlerOf(hook, point) !== undefined),
    ask,
    tellAbort: (input) =>
      Effect.forEach(
        hooks,
        (hook) =>
          Effect.map(answerOf({ ...hook, timeout: abortTimeout }, "on_abort", input), (answer) =>
            answer !== undefined && "problem" in answer ? [{ hook: hook.name, problem: answer.problem }] : []
          ),
        { concurrency: "unbounded" }
      ).pipe(Effect.map((failures) => failures.flat())),
    counts: { prompts: 0, toolCalls: 0 }
  }
}

type Answer<P extends HookPoint> = { readonly decision: Decisions[P] } | { readonly problem: string }

/** Undefined: the hook has nothing to do with this point, or nothing to say. */
const answerOf = Effect.fnUntraced(function* <P extends HookPoint>(
  hook: Hook,
  point: P,
  input: Inputs[P]
): Effect.fn.Return<Answer<P> | undefined> {
  const handler = handlerOf(hook, point)
  if (handler === undefined) return undefined
  const timeout = Duration.fromInputUnsafe(hook.timeout ?? defaultTimeout)
  const exit = yield* Effect.suspend(() => handler(input)).pipe(
    Effect.withSpan("hook", { attributes: { hook: hook.name, point } }),
    Effect.interruptible,
    Effect.timeoutOption(timeout),
    Effect.exit
  )
  if (exit._tag === "Failure") {
    // An interrupt of the run does not come back here; one that does is the hook's own.
    const failure = Cause.findErrorOption(exit.cause)
    if (failure._tag === "Some") return { problem: failure.value.message }
    yield* Effect.logError("hook broke", { hook: hook.name, point }, exit.cause)
    return { problem: "it broke; this is a defect of the hook" }
  }
  if (Option.isNone(exit.value)) return { problem: `it did not answer within ${Duration.format(timeout)}` }
  const said = exit.value.value
  if (said === undefined) return undefined
  const decision = decode(point, said)
  return decision === undefined ? { problem: `what it said is no decision of ${point}` } : { decision }
})
