/**
 * What was used: tokens as vendors report them, what they cost, and time. Sums of it, for runs and for sessions.
 *
 * What a vendor does not report, or has no known price, counts as nothing in a sum. A cost that leaves calls out for
 * that reason says so (`cost_partial`): a part must not look like the whole.
 */
import * as Schema from "effect/Schema"
import { Count } from "./Fields.ts"
import { noUsage, RunUsage } from "./LogEntry.ts"

/** `wall_ms`: milliseconds in which a leg was open. The time between legs is nobody's. */
export const Spending = Schema.Struct({ usage: RunUsage, wall_ms: Count })
export type Spending = typeof Spending.Type

export const noSpending: Spending = { usage: noUsage, wall_ms: 0 }

export const addUsage = (a: RunUsage, b: RunUsage): RunUsage => ({
  llm_calls: a.llm_calls + b.llm_calls,
  input_tokens: a.input_tokens + b.input_tokens,
  output_tokens: a.output_tokens + b.output_tokens,
  cache_read_input_tokens: a.cache_read_input_tokens + b.cache_read_input_tokens,
  cache_write_input_tokens: a.cache_write_input_tokens + b.cache_write_input_tokens,
  ...costOf(a, b)
})

export const addSpending = (a: Spending, b: Spending): Spending => ({
  usage: addUsage(a.usage, b.usage),
  wall_ms: a.wall_ms + b.wall_ms
})

const costOf = (a: RunUsage, b: RunUsage): Pick<RunUsage, "cost_usd" | "cost_partial"> => {
  if (a.cost_usd === undefined && b.cost_usd === undefined) return {}
  const cost_usd = dollars((a.cost_usd ?? 0) + (b.cost_usd ?? 0))
  return isPartial(a) || isPartial(b) ? { cost_usd, cost_partial: true } : { cost_usd }
}

const isPartial = ({ cost_partial, cost_usd, input_tokens, output_tokens }: RunUsage): boolean =>
  cost_partial === true || (cost_usd === undefined && input_tokens + output_tokens > 0)

/** Without the dust of binary fractions: no price list goes below a millionth of a millionth. */
export const dollars = (amount: number): number => Math.round(amount * 1e12) / 1e12

/** What has reached such a limit reaches it again at once: nothing starts by itself until a person has raised it. */
export const isSessionLimit = (limit: string | undefined): boolean => limit?.startsWith("budget.session.") === true
