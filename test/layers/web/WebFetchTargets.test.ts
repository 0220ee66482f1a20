/** Where `WebFetch` goes, and where not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as WebClientLive from "../../../layers/web/WebClient.ts"
import { WebClient } from "../../../src/runtime/WebClient.ts"
import { createServer as createSocketServer } from "node:net"
import { closed, fetcher, listening, redirect, refusal, send, serve } from "./WebFetchSupport.ts"

describe("which addresses are spoken to", () => {
  it.effect("none but the public web's, however they are spelt, and nobody hears of it", () =>
    Effect.gen(function* () {
      const { asked, port } = yield* serve(send("secret"))
      const { fetch } = yield* fetcher({
        tool: { privateAddresses: false },
        names: {
          "inside.test": ["127.0.0.1"],
          "both.test": ["8.8.8.8", "127.0.0.1"],
          "six.test": ["::ffff:127.0.0.1"],
          "metadata.test": ["8.8.8.8", "169.254.169.254"]
        }
      })
      // Octal, hexadecimal, one number; mapped, translated, wrapped; of clouds, providers, benchmarks and examples.
      const hosts = `
        127.0.0.1 127.1 127.0.1 127.0.0.1. 2130706433 0x7f000001 0x7F.1 0x7f.0x0.0x0.0x1 017700000001 0177.0.0.1 00000177.1
        0 0x0 00 0.0.0.0 0.0.0.0. 0.1.2.3 127.255.255.254 127%2e0%2e0%2e1 %31%32%37.0.0.1 127。0。0。1 ①②⑦.⓪.⓪.① １２７.0.0.1
        [::] [::1] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:0:127.0.0.1] [::127.0.0.1] [::7f00:1]
        [64:ff9b::7f00:1] [64:ff9b::10.0.0.1] [64:ff9b:1::8.8.8.8] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001:0:53aa:64c:0:fbff:80ff:fffe]
        169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518 [::ffff:a9fe:a9fe] [::a9fe:a9fe] [fd00:ec2::254]
        100.100.100.200 192.0.0.192 168.63.129.16 0xa83f8110 [::ffff:168.63.129.16] 169.254.170.2
        [fe80::1] [febf::1] [fec0::1] [fc00::1] [fd12:3456::1] [ff02::1] [ff05::2]
        10.0.0.1 0xa.1 012.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 192.168.257 100.64.0.1 100.127.255.255 198.18.0.1 198.19.255.255
        255.255.255.255 0xffffffff 4294967295 224.0.0.1 239.255.255.255 240.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1
        [100::1] [2001:db8::1] [2001:2::1] [2001:10::1] [3fff::1] [5f00::1] [4000::1] [::8.8.8.8]
        localhost LOCALHOST LOCALHOST. ｌocalhost local%68ost a.localhost inside.test INSIDE.test. both.test six.test metadata.test
      `
        .trim()
        .split(/\s+/)
      assert.isAtLeast(hosts.length, 99)
      for (const host of hosts) {
        assert.match(yield* refusal(fetch(`http://${host}/`)), /^InvalidArgument: .*(public web|this machine)/, host)
        assert.match(yield* refusal(fetch(`http://${host}:${port}/`)), /^InvalidArgument: /, host)
      }
      for (const host of [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%lo]",
        "256.0.0.1",
        "0x100000000",
        "127.0.0.1%00"
      ]) {
        assert.match(yield* refusal(fetch(`http://${host}/`)), /^InvalidArgument: .*is not a URL/, host)
      }
      for (const url of [
        "http:127.0.0.1",
        "http:\\\\127.0.0.1",
        "\thttp://127.0.\n0.1/ ",
        "http:///127.0.0.1/",
        "HTTP://127.1:80"
      ]) {
        assert.match(yield* refusal(fetch(url)), /^InvalidArgument: 127\.0\.0\.1 is not of the public web/, url)
      }
      assert.strictEqual(asked.length, 0)
    })
  )

  it.effect("the hosts that are named, in whatever spelling", () =>
    Effect.gen(function* () {
      const page = yield* serve(send("read"))
      const here = ["127.0.0.1"]
      const names = {
        "xn--bcher-kva.test": here,
        "www.xn--bcher-kva.test": here,
        "xn--bcher-kva.test.": here,
        "notbücher.test": here
      }
      const asking = [
        "bücher.test",
        "BÜCHER.test",
        "bu\u0308cher.test",
        "xn--bcher-kva.test",
        "www.bücher.test",
        "bücher.test.",
        "b%C3%BCcher.test"
      ]
      for (const host of ["bücher.test", "BÜCHER.TEST", "xn--BCHER-kva.test.", "bücher．test"]) {
        const { fetch } = yield* fetcher({ tool: { hosts: [host] }, names })
        for (const name of asking) assert.include((yield* fetch(page.url("/", name))).content ?? "", "read", name)
        for (const name of ["notbücher.test", "bucher.test", "bücher.test.evil.test", "test"]) {
          assert.match(yield* refusal(fetch(page.url("/", name))), /is not one of the hosts/, name)
        }
      }
      const { fetch } = yield* fetcher({
        tool: { hosts: ["bücher.test:80", "*.test", "https://bücher.test", "", "."] },
        names
      })
      for (const name of asking)
        assert.match(yield* refusal(fetch(page.url("/", name))), /is not one of the hosts/, name)
      const six = yield* fetcher({ tool: { hosts: ["[0::1]", "127.1"] } })
      assert.include((yield* six.fetch(page.url("/", "0x7f000001"))).content ?? "", "read")
      assert.match(yield* refusal(six.fetch("http://[::1]:1/")), /^ExecutionFailed/)
    })
  )

  it.effect("where a redirect leads, also one that is written in bytes", () =>
    Effect.gen(function* () {
      const inner = yield* serve(send("there"))
      const cases: ReadonlyArray<readonly [Uint8Array, string]> = [
        [Buffer.from("/bücher?q=日本", "utf8"), "/b%C3%BCcher?q=%E6%97%A5%E6%9C%AC"],
        [Buffer.from("/b\xfccher", "latin1"), "/b%C3%BCcher"]
      ]
      for (const [path, asked] of cases) {
        const to = Buffer.concat([Buffer.from(`Location: http://bücher.test:${inner.port}`, "utf8"), path])
        const location = asked.includes("?")
          ? to
          : Buffer.concat([Buffer.from(`Location: http://xn--bcher-kva.test:${inner.port}`), path])
        const port = yield* listening(
          createSocketServer((socket) => {
            socket.once("data", () =>
              socket.end(Buffer.concat([Buffer.from("HTTP/1.1 302 Found\r\n"), location, Buffer.from("\r\n\r\n")]))
            )
          }),
          "127.0.0.1"
        )
        const { fetch } = yield* fetcher({ names: { "xn--bcher-kva.test": ["127.0.0.1"] } })
        assert.include((yield* fetch(`http://127.0.0.1:${port}/`)).content ?? "", "there")
        assert.strictEqual(inner.asked.at(-1)?.url, asked)
      }
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
      for (const to of [
        inner.url("/", "other.test"),
        "file:///etc/passwd",
        "http://u:p@pages.test/",
        "gopher://x/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "ftp://pages.test/",
        "ws://pages.test/",
        "about:blank",
        "//u@pages.test/",
        "http://[",
        "//other.test/",
        "\\\\other.test/"
      ]) {
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
        [`http://pages.test/?${"x".repeat(4078)}`, /4097 characters; 4096 are allowed/]
      ]
      for (const [url, expected] of cases) assert.match(yield* refusal(fetch(url)), expected)
      assert.deepStrictEqual(lookups, [])
    })
  )
})
