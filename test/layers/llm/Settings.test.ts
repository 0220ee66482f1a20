import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Settings from "../../../layers/llm/vendor/Settings.ts"

/** Newer versions of Node's client keep an older place as well. */
const places = () =>
  Object.getOwnPropertySymbols(globalThis).filter(({ description }) =>
    description?.startsWith("undici.globalDispatcher")
  )

describe("the connection pool", () => {
  it("is one without time limits of its own, where the program has put none in place", () => {
    assert.isDefined(Settings.fetchOptions().dispatcher)
  })

  it("is one that Node's own client can use", async () => {
    const server = createServer((_, response) => response.end("hello"))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    try {
      const { port } = server.address() as AddressInfo
      const response = await fetch(`http://127.0.0.1:${port}/`, Settings.fetchOptions())
      assert.strictEqual(await response.text(), "hello")
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it("that the program has put in place stays", () => {
    const originals = places().map((place) => [place, Reflect.get(globalThis, place) as unknown] as const)
    assert.isNotEmpty(originals)
    class ProxyAgent {
      readonly proxy = "http://127.0.0.1:3128"
    }
    try {
      for (const [place] of originals) Reflect.set(globalThis, place, new ProxyAgent())
      assert.deepStrictEqual(Settings.fetchOptions(), { redirect: "manual" })
    } finally {
      for (const [place, original] of originals) Reflect.set(globalThis, place, original)
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
