/** `[budget]`: what one run, and a whole session, may spend before no further model call is made. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { DurationText, optional, Positive } from "../Fields.ts"
import type { ManifestProblem } from "../ManifestError.ts"

const Dollars = Schema.Finite.check(Schema.isGreaterThan(0, { expected: "a number above 0" }))

export const Budget = Schema.Struct({
  tokens: optional(Positive, "Tokens in and out, the cached ones included, as the vendor reports them."),
  cost_usd: optional(Dollars, "US dollars, by the model's prices; a model without prices is refused."),
  turns: optional(Positive, "Model calls."),
  wall_time: optional(DurationText, "Time in which a run goes on; what then waits or works is interrupted.")
})
export type Budget = typeof Budget.Type

export const BudgetTable = Schema.Struct({
  run: optional(Budget, "For one run, over all its legs."),
  session: optional(Budget, "For all runs of the session together, also those that a rewind has hidden.")
})
export type BudgetTable = typeof BudgetTable.Type

/** A budget in dollars that nobody can count against is no budget. */
export const uncountable = (
  budget: BudgetTable | undefined,
  prices: object | undefined
): ManifestProblem | undefined => {
  if (prices !== undefined) return undefined
  const scope = (["run", "session"] as const).find((name) => budget?.[name]?.cost_usd !== undefined)
  return scope === undefined
    ? undefined
    : {
        key: `budget.${scope}.cost_usd`,
        message: `\`budget.${scope}.cost_usd\`: the prices of the model are not known, so its cost cannot be counted`,
        hint: "say them with [model.prices], or limit tokens, turns or wall_time"
      }
}

/** What is left when both hold: of two limits the smaller one. */
export const tighter = (a: BudgetTable | undefined, b: BudgetTable | undefined): BudgetTable | undefined =>
  a === undefined || b === undefined ? (a ?? b) : { ...both("run", a, b), ...both("session", a, b) }

const both = (name: keyof BudgetTable, a: BudgetTable, b: BudgetTable): BudgetTable => {
  const [one, other] = [a[name], b[name]]
  if (one === undefined || other === undefined) {
    const only = one ?? other
    return only === undefined ? {} : { [name]: only }
  }
  const least = (key: "tokens" | "cost_usd" | "turns") => {
    const limit = Math.min(one[key] ?? Number.POSITIVE_INFINITY, other[key] ?? Number.POSITIVE_INFINITY)
    return Number.isFinite(limit) ? { [key]: limit } : {}
  }
  const times = [one.wall_time, other.wall_time].flatMap((time) => time ?? [])
  const shortest = times.length === 0 ? {} : { wall_time: times.reduce(Duration.min) }
  return { [name]: { ...least("tokens"), ...least("cost_usd"), ...least("turns"), ...shortest } }
}
