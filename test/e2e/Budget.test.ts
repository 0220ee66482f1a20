import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

/** 100 tokens in, 80 of them from the cache, and 10 out: 20 × 10 + 80 × 1 + 10 × 50 millionths of a dollar. */
const answer = [{ text: "ok" }, { usage: { input: 100, cache_read: 80, output: 10 } }]
const prices = "[model.prices]\ninput = 10\noutput = 50\ncache_read = 1"

const usageOf = async (name: string): Promise<unknown> => {
  const { stdout } = await run(place, ["status", name, "--json"])
  return (JSON.parse(stdout) as { readonly usage?: unknown }).usage
}

describe("cost and budget over processes", () => {
  it("a run tells its cost, the session adds it up, and status says it of a pod that is not running", async () => {
    const manifest = scriptedManifest(place.cwd, [answer, answer], prices)
    const first = await run(place, ["run", "--manifest", manifest, "one"])
    assert.match(first.stderr, /^· finished \(1 model call, 100 tokens in, 10 out, \$0\.00078\)$/m)
    await run(place, ["run", "--manifest", manifest, "two"])
    assert.deepStrictEqual(await usageOf("scripted"), {
      llm_calls: 2,
      input_tokens: 200,
      output_tokens: 20,
      cache_read_input_tokens: 160,
      cache_write_input_tokens: 0,
      cost_usd: 0.00156
    })
    const status = await run(place, ["status", "scripted"])
    assert.match(status.stdout, /^used +2 model calls, 200 tokens in, 20 out, \$0\.00156$/m)
  })

  it("a session's budget ends the run that finds it used up, with code 3 and what to do about it", async () => {
    const manifest = scriptedManifest(place.cwd, [answer, answer], `${prices}\n[budget.session]\ncost_usd = 0.0007`)
    assert.strictEqual((await run(place, ["run", "--manifest", manifest, "one"])).code, 0)
    const second = await run(place, ["run", "--manifest", manifest, "two"])
    assert.deepStrictEqual([second.code, second.stdout], [3, ""])
    assert.match(
      second.stderr,
      /^· stopped at its limit: budget\.session\.cost_usd\n {2}hint: .*larger budget\.session\.cost_usd/m
    )
    const raised = scriptedManifest(place.cwd, [answer], `${prices}\n[budget.session]\ncost_usd = 1`)
    assert.strictEqual((await run(place, ["run", "--manifest", raised, "three"])).code, 0)
  })

  it("a budget in dollars for a model without prices is refused with its line, by doctor too", async () => {
    const manifest = scriptedManifest(place.cwd, [answer], "[budget.run]\ncost_usd = 1")
    const where = /line 10: `budget\.run\.cost_usd`: the prices of the model are not known/
    const refused = await run(place, ["run", "--manifest", manifest, "one"])
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stderr, where)
    assert.match((await run(place, ["doctor", "--manifest", manifest])).stdout, where)
  })

  it("a budget that is none is refused with its line and key", async () => {
    const manifest = scriptedManifest(place.cwd, [answer], "[budget.run]\nmax_tokens = 5\nturns = 0\nwall_time = 5")
    const { code, stderr } = await run(place, ["run", "--manifest", manifest, "one"])
    assert.strictEqual(code, 1)
    assert.match(stderr, /line 10: `budget\.run\.max_tokens` is not a key of \[budget\.run\]/)
    assert.match(stderr, /line 11: `budget\.run\.turns`: expected an integer of at least 1, got 0/)
    assert.match(stderr, /line 12: `budget\.run\.wall_time`: expected a duration/)
  })
})
