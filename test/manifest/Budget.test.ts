import { describe, expect, it } from "vitest"
import * as Duration from "effect/Duration"
import { tighter, uncountable } from "../../src/manifest/tables/Budget.ts"

describe("two budgets", () => {
  it("both hold: of each limit the smaller one, and what only one of them says", () => {
    const a = { run: { tokens: 10, turns: 5, wall_time: Duration.minutes(2) }, session: { cost_usd: 3 } }
    const b = { run: { tokens: 20, turns: 1, wall_time: Duration.minutes(1) } }
    const both = { run: { tokens: 10, turns: 1, wall_time: Duration.minutes(1) }, session: { cost_usd: 3 } }
    expect(tighter(a, b)).toEqual(both)
    expect(tighter(b, a)).toEqual(both)
    expect(tighter(a, undefined)).toEqual(a)
    expect(tighter(undefined, a)).toEqual(a)
    expect(tighter(undefined, undefined)).toBeUndefined()
  })
})

describe("a budget in dollars", () => {
  it("needs prices; other budgets do not", () => {
    expect(uncountable({ run: { cost_usd: 1 } }, undefined)?.key).toBe("budget.run.cost_usd")
    expect(uncountable({ run: { cost_usd: 1 } }, { input: 0, output: 0 })).toBeUndefined()
    expect(uncountable({ run: { tokens: 1 }, session: { turns: 1 } }, undefined)).toBeUndefined()
    expect(uncountable(undefined, undefined)).toBeUndefined()
  })
})
