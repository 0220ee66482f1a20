import { assert, describe, it } from "@effect/vitest"
import * as Settings from "../../../layers/llm/vendor/Settings.ts"

const place = Symbol.for("undici.globalDispatcher.1")

describe("the connection pool", () => {
  it("is one without time limits of its own, where the program has put none in place", () => {
    assert.isDefined(Settings.fetchOptions().dispatcher)
  })

  it("that the program has put in place stays", () => {
    const original: unknown = Reflect.get(globalThis, place)
    class ProxyAgent {
      readonly proxy = "http://127.0.0.1:3128"
    }
    try {
      Reflect.set(globalThis, place, new ProxyAgent())
      assert.deepStrictEqual(Settings.fetchOptions(), {})
    } finally {
      Reflect.set(globalThis, place, original)
    }
  })
})

describe("a lazy load", () => {
  it("happens once, and again after it failed", async () => {
    let loads = 0
    const load = Settings.once(async () => {
      loads++
      if (loads === 1) throw new Error("not yet")
      return loads
    })
    const first = await load().catch((error: Error) => error.message)
    assert.strictEqual(first, "not yet")
    assert.deepStrictEqual(await Promise.all([load(), load()]), [2, 2])
  })
})
