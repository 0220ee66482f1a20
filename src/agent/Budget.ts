/**
 * Whether a run may go on: what it and its session have spent, against what they may spend.
 *
 * What was spent before this leg is what the journal says, so a pause, a restart or a rewind gives nothing back. It is
 * looked at before each model call; a call that crosses a limit is the last one. Time also ends what is under way.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Budget, BudgetTable } from "../manifest/tables/Budget.ts"
import { addSpending, noSpending, type Spending } from "../protocol/Spending.ts"
import type { SessionState } from "../session/Fold.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"

export interface Limit {
  /** The key of the manifest that says so: `budget.run.tokens`. */
  readonly limit: string
  readonly hint: string
}

type Scope = keyof BudgetTable
type State = Readonly<Pick<SessionState, "run" | "spent">>

/** `leg`: what the open leg has used so far, also in calls that were cut. `now` in Unix milliseconds. */
const spending = ({ run, spent }: State, leg: Spending["usage"], now: number): { readonly [S in Scope]: Spending } => {
  const current = { usage: leg, wall_ms: run === undefined ? 0 : Math.max(0, now - run.startedMs) }
  return { session: addSpending(spent, current), run: addSpending(run?.spent ?? noSpending, current) }
}

/** The session first: a run's budget begins anew with the next run, this one does not. */
const scopes = ["session", "run"] as const

/** The first limit that is reached. */
export const reached = (
  budget: BudgetTable | undefined,
  state: State,
  leg: Spending["usage"],
  now: number
): Limit | undefined => {
  if (budget === undefined) return undefined
  const spent = spending(state, leg, now)
  for (const scope of scopes) {
    const key = budget[scope] === undefined ? undefined : firstOver(budget[scope], spent[scope])
    if (key !== undefined) return limitOf(scope, key)
  }
  return undefined
}

/** The limit that leaves a leg no further model call. */
export const usedUp = (services: LegServices, progress: LegProgress): Effect.Effect<Limit | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) => reached(services.budget, services.journal.state, progress.usage, now))

const firstOver = (budget: Budget, { usage, wall_ms }: Spending): keyof Budget | undefined => {
  if (usage.input_tokens + usage.output_tokens >= (budget.tokens ?? Infinity)) return "tokens"
  if ((usage.cost_usd ?? 0) >= (budget.cost_usd ?? Infinity)) return "cost_usd"
  if (usage.llm_calls >= (budget.turns ?? Infinity)) return "turns"
  return wall_ms >= millisOf(budget) ? "wall_time" : undefined
}

const millisOf = ({ wall_time }: Budget): number =>
  wall_time === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(wall_time)

/** How long the leg may still go on, and which limit it then has reached; undefined without a limit of time. */
export const timeLeft = (
  budget: BudgetTable | undefined,
  state: State,
  leg: Spending["usage"],
  now: number
): (Limit & { readonly millis: number }) | undefined => {
  const spent = spending(state, leg, now)
  const [shortest] = scopes
    .map((scope) => ({ scope, millis: millisOf(budget?.[scope] ?? {}) - spent[scope].wall_ms }))
    .filter(({ millis }) => Number.isFinite(millis))
    .toSorted((a, b) => a.millis - b.millis)
  return shortest === undefined ? undefined : { ...limitOf(shortest.scope, "wall_time"), millis: shortest.millis }
}

const limitOf = (scope: Scope, key: keyof Budget): Limit => ({
  limit: `budget.${scope}.${key}`,
  hint:
    scope === "session"
      ? `the session has used up its budget: start the pod with a larger budget.session.${key}, or begin a new session`
      : "the next run has a budget of its own"
})
