import { describe, expect, it } from "vitest"
import { costOf } from "../../src/llm/Cost.ts"
import { addCall } from "../../src/llm/Usage.ts"
import { noUsage } from "../../src/protocol/LogEntry.ts"
import { addUsage } from "../../src/protocol/Spending.ts"

const prices = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 }

describe("the cost of a call", () => {
  it("counts each part of the prompt at its own price", () => {
    const usage = { inputTokens: 1_000_000, cacheReadTokens: 600_000, cacheWriteTokens: 100_000, outputTokens: 200_000 }
    // 300,000 fresh, 600,000 read, 100,000 written, 200,000 said.
    expect(costOf(prices, usage)).toBe(0.9 + 0.18 + 0.375 + 3)
  })

  it("counts cached parts as the rest of the prompt where they have no price of their own", () => {
    const usage = { inputTokens: 1_000, cacheReadTokens: 900, cacheWriteTokens: 50, outputTokens: 0 }
    expect(costOf({ input: 2, output: 8 }, usage)).toBe(0.002)
  })

  it("is not known without prices, without a report, and beyond what the prices hold for", () => {
    expect(costOf(undefined, { inputTokens: 1, outputTokens: 1 })).toBeUndefined()
    expect(costOf(prices, {})).toBeUndefined()
    expect(costOf({ ...prices, up_to: 100 }, { inputTokens: 100, outputTokens: 0 })).toBe(0.0003)
    expect(costOf({ ...prices, up_to: 100 }, { inputTokens: 101, outputTokens: 0 })).toBeUndefined()
  })

  it("is never negative, whatever a server reports as cached", () => {
    expect(costOf(prices, { inputTokens: 10, cacheReadTokens: 1_000, outputTokens: 0 })).toBe(0.0003)
  })

  it("has no dust of binary fractions in it, however often it is added", () => {
    let sum = noUsage
    for (let i = 0; i < 10; i++) sum = addCall(sum, { inputTokens: 1 }, 0.1)
    expect(sum).toMatchObject({ llm_calls: 10, cost_usd: 1 })
  })
})

describe("a sum over calls", () => {
  const priced = addCall(noUsage, { inputTokens: 10, outputTokens: 5 }, 0.5)
  const unpriced = addCall(noUsage, { inputTokens: 10, outputTokens: 5 })

  it("says so when it leaves a call out, in whatever order", () => {
    expect(addUsage(priced, unpriced)).toMatchObject({ llm_calls: 2, cost_usd: 0.5, cost_partial: true })
    expect(addUsage(unpriced, priced)).toMatchObject({ cost_usd: 0.5, cost_partial: true })
    expect(addUsage(addUsage(unpriced, priced), priced)).toMatchObject({ cost_usd: 1, cost_partial: true })
  })

  it("is whole beside calls that used nothing, and absent where nothing has a price", () => {
    expect(addUsage(priced, addCall(noUsage, {}))).not.toHaveProperty("cost_partial")
    expect(addUsage(unpriced, unpriced)).not.toHaveProperty("cost_usd")
  })
})
