/**
 * The hooks of one pod: asked one after the other, in their order, until one decides something else than to go on.
 *
 * Each has a limit of time, and what fails, breaks, hangs or talks nonsense is a failure of that hook alone. What follows
 * from one is a rule of the point: before a tool call it is a refusal, everywhere else the next hook is asked. One that
 * does not even end when it is interrupted is left behind: nobody waits for what may never come.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { HookPoint } from "../protocol/Hook.ts"
import { type Decisions, decode, goesOn } from "./Decision.ts"
import { handlerOf, type Hook, type Inputs } from "./Hook.ts"
import { HookDefinitionError } from "./HookDefinitionError.ts"

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
  /** `left` hears of hooks that were left behind because the run was interrupted; of others, the failures tell. */
  readonly ask: <P extends HookPoint>(point: P, input: Inputs[P], left: Left) => Effect.Effect<Asked<P>>
  /** Tells all of them at the same time that the run is given up; nobody waits for it longer than 5 seconds and a grace. */
  readonly tellAbort: (input: Inputs["on_abort"]) => Effect.Effect<ReadonlyArray<Failure>>
  /** What hooks are told about the process; the turn loop counts. */
  readonly counts: { prompts: number; toolCalls: number }
}

/** Of a hook, by its name. */
export type Left = (hook: string) => Effect.Effect<void>

/** A failure here decides: what nobody could judge is not done. */
export const failsClosed = (point: HookPoint): boolean => point === "pre_tool_call"

const defaultTimeout: Duration.Input = "30 seconds"
const abortTimeout: Duration.Input = "5 seconds"
/** What a hook that is interrupted has left to let go of what it holds: more than a command needs to be killed. */
const grace: Duration.Input = "2 seconds"

export const make = (hooks: ReadonlyArray<Hook>): Hooks => {
  const ask = Effect.fnUntraced(function* <P extends HookPoint>(point: P, input: Inputs[P], left: Left) {
    const failures: Array<Failure> = []
    for (const hook of hooks) {
      const answer = yield* answerOf(hook, point, input, left)
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
          Effect.map(
            answerOf({ ...hook, timeout: abortTimeout }, "on_abort", input, () => Effect.void),
            (answer) =>
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
  input: Inputs[P],
  left: Left
): Effect.fn.Return<Answer<P> | undefined> {
  const handler = handlerOf(hook, point)
  if (handler === undefined) return undefined
  const timeout = Duration.fromInputUnsafe(hook.timeout ?? defaultTimeout)
  const { exit, isLeft } = yield* Effect.suspend(() => handler(input)).pipe(
    Effect.withSpan("hook", { attributes: { hook: hook.name, point } }),
    within(timeout, left(hook.name))
  )
  if (exit === undefined) {
    const rest = isLeft ? ", and did not end when it was interrupted: it was left behind" : ""
    return { problem: `it did not answer within ${Duration.format(timeout)}${rest}` }
  }
  if (exit._tag === "Failure") {
    // An interrupt of the run does not come back here; one that does is the hook's own.
    const failure = Cause.findErrorOption(exit.cause)
    if (failure._tag === "Some") return { problem: failure.value.message }
    yield* Effect.logError("hook broke", { hook: hook.name, point }, exit.cause)
    return { problem: "it broke; this is a defect of the hook" }
  }
  const said = exit.value
  if (said === undefined) return undefined
  const decision = decode(point, said)
  return decision === undefined ? { problem: `what it said is no decision of ${point}` } : { decision }
})

interface Within<A, E> {
  /** Undefined: it took too long. */
  readonly exit: Exit.Exit<A, E> | undefined
  readonly isLeft: boolean
}

/**
 * The work has a Scope of its own, and not that of the run: who closes a Scope waits for what is in it, and a hook may hold
 * out against any interrupt. So this one is not closed: its only fiber is interrupted, at the limit or with the run, and
 * waited for no longer than the grace.
 */
const within =
  (limit: Duration.Duration, left: Effect.Effect<void>) =>
  <A, E>(work: Effect.Effect<A, E>): Effect.Effect<Within<A, E>> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const fiber = yield* Effect.forkIn(work, scope)
        const isLeft = Effect.suspend(() => {
          fiber.interruptUnsafe()
          return Effect.map(Effect.timeoutOption(Fiber.await(fiber), grace), Option.isNone)
        })
        const exit = yield* restore(Effect.timeoutOption(Fiber.await(fiber), limit)).pipe(
          Effect.onInterrupt(() => Effect.flatMap(isLeft, (is) => (is ? left : Effect.void)))
        )
        return Option.isSome(exit) ? { exit: exit.value, isLeft: false } : { exit: undefined, isLeft: yield* isLeft }
      })
    )

/** The first name that two hooks have: of a program, or of it and of the manifest, which has no two of its own. */
export const distinct = (
  own: ReadonlyArray<Hook>,
  commands: ReadonlyArray<{ readonly name: string }>
): Effect.Effect<void, HookDefinitionError> => {
  const seen = new Set(commands.map(({ name }) => name))
  for (const { name } of own) {
    if (!seen.has(name)) seen.add(name)
    else {
      const isCommand = commands.some((command) => command.name === name)
      const problem = isCommand ? "a command of the manifest has this name" : "two of the given hooks have this name"
      return Effect.fail(
        new HookDefinitionError({ reason: "NameTaken", hook: name, problem, hint: "give each one of its own" })
      )
    }
  }
  return Effect.void
}
