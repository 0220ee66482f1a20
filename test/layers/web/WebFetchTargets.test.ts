/** Where `WebFetch` goes, and where not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as WebClientLive from "../../../layers/web/WebClient.ts"
import { WebClient } from "../../../src/runtime/WebClient.ts"
import { closed, fetcher, redirect, refusal, send, serve } from "./WebFetchSupport.ts"

describe("which addresses are spoken to", () => {
  it.effect("none but the public web's, however they are spelt, and nobody hears of it", () =>
    Effect.gen(function* () {
      const { asked, port } = yield* serve(send("secret"))
      const { fetch } = yield* fetcher({
        tool: { privateAddresses: false },
        names: { "inside.test": ["127.0.0.1"], "both.test": ["8.8.8.8", "127.0.0.1"], "six.test": ["::ffff:127.0.0.1"] }
      })
      const hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "inside.test",
        "inside.test.",
        "both.test",
        "six.test",
        "１２７.0.0.1"
      ]
      for (const host of hosts) {
        assert.match(yield* refusal(fetch(`http://${host}/`)), /^InvalidArgument: .*(public web|this machine)/, host)
        assert.match(yield* refusal(fetch(`http://${host}:${port}/`)), /^InvalidArgument: /, host)
      }
      assert.strictEqual(asked.length, 0)
    })
  )

  it.effect("the one that was judged: a name is looked up once for each request", () =>
    Effect.gen(function* () {
      const good = yield* serve(send("good"), "127.0.0.2")
      let turn = 0
      const client = yield* Effect.provide(
        WebClient,
        // The second answer leads elsewhere, as that of somebody would who lies in wait for it.
        WebClientLive.layer({ lookup: async () => [turn++ === 0 ? "127.0.0.2" : "127.0.0.3"] })
      )
      const addresses = yield* client.addresses("rebind.test")
      const url = new URL(good.url("/", "rebind.test"))
      const response = yield* client.get({ url, addresses, headers: {} })
      assert.strictEqual(response.status, 200)
      assert.strictEqual(turn, 1)
      assert.strictEqual(good.asked[0]?.headers.host, `rebind.test:${good.port}`)
    })
  )

  it.effect("the same rules for every redirect", () =>
    Effect.gen(function* () {
      const inner = yield* serve(send("secret"))
      const { fetch } = yield* fetcher({
        tool: { hosts: ["pages.test"] },
        names: { "pages.test": ["127.0.0.1"], "other.test": ["127.0.0.1"] }
      })
      for (const to of [inner.url("/", "other.test"), "file:///etc/passwd", "http://u:p@pages.test/", "gopher://x/"]) {
        const outer = yield* serve(redirect(to))
        assert.match(
          yield* refusal(fetch(outer.url("/", "pages.test"))),
          /^InvalidArgument: http:\/\/pages\.test:\d+\/ redirects: /
        )
      }
      assert.strictEqual(inner.asked.length, 0)
      const below = yield* serve(redirect(inner.url("/x", "www.pages.test")))
      assert.match(yield* refusal(fetch(below.url("/", "pages.test"))), /www\.pages\.test has no address/)
    })
  )

  it.effect("no other scheme, no password, no odd port, no endless URL", () =>
    Effect.gen(function* () {
      const { fetch, lookups } = yield* fetcher(closed)
      const cases: ReadonlyArray<readonly [string, RegExp]> = [
        ["ftp://pages.test/", /ftp: URLs are not fetched/],
        ["javascript:alert(1)", /javascript: URLs/],
        ["not a url", /not a URL/],
        ["http://user@pages.test/", /user name or a password/],
        ["http://pages.test:22/", /port 22 of pages\.test/],
        [`http://pages.test/?${"x".repeat(5000)}`, /5\d\d\d characters; 4096 are allowed/]
      ]
      for (const [url, expected] of cases) assert.match(yield* refusal(fetch(url)), expected)
      assert.deepStrictEqual(lookups, [])
    })
  )
})
