/** What all vendors' clients promise when it does not work: typed, told in words, and without the key. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { LlmEvent } from "../../../../src/llm/LlmEvent.ts"
import { request } from "../../../llm/fakeClient.ts"
import { failure, page, refusingUrl, type Reply, say, VendorServer } from "../../../support/VendorServer.ts"
import { collect, key, options, setUp, type VendorUnderTest } from "./UnderTest.ts"

const failing = Effect.fnUntraced(function* (vendor: VendorUnderTest, reply: Reply) {
  const { client, server } = yield* setUp(vendor, reply)
  const error = yield* Effect.flip(collect(client))
  assert.notInclude(JSON.stringify(error), key)
  return { error, server }
})

export const failures = (vendor: VendorUnderTest) => {
  describe(`${vendor.name}: an HTTP error`, () => {
    it.effect("is Status with the vendor's words, asked for once", () =>
      Effect.gen(function* () {
        const { error, server } = yield* failing(vendor, failure(529, "overloaded_error", "Overloaded"))
        assert.strictEqual(error.reason, "Status")
        assert.strictEqual(error.status, 529)
        assert.strictEqual(error.retryAfterMs, undefined)
        assert.strictEqual(
          error.message,
          `${vendor.name} at 127.0.0.1:${server.port}: HTTP 529 overloaded_error: Overloaded`
        )
        assert.strictEqual(server.requests.length, 1)
      })
    )

    const asked: ReadonlyArray<[headers: Readonly<Record<string, string>>, millis: number | undefined]> = [
      [{ "retry-after": "7" }, 7000],
      [{ "retry-after": "1.5" }, 1500],
      [{ "retry-after": "Thu, 01 Jan 1970 00:01:30 GMT" }, 90_000],
      [{ "retry-after": "Wed, 31 Dec 1969 23:59:00 GMT" }, 0],
      [{ "retry-after-ms": "250", "retry-after": "7" }, 250],
      [{ "retry-after": "soon" }, undefined]
    ]
    for (const [headers, millis] of asked) {
      it.effect(`with ${JSON.stringify(headers)} asks to wait ${millis ?? "for nothing known"}`, () =>
        Effect.gen(function* () {
          const { error } = yield* failing(vendor, failure(429, "rate_limit_error", "slow down", headers))
          assert.strictEqual(error.retryAfterMs, millis)
        })
      )
    }

    it.effect("401 says where the key comes from, and never what it is", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(vendor, failure(401, "authentication_error", `bad key ${key}`))
        assert.strictEqual(error.status, 401)
        assert.include(error.message, "bad key <key>")
        assert.include(error.hint ?? "", "model.auth.env")
      })
    )

    it.effect("404 points to model and base URL", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(vendor, failure(404, "not_found_error", "model: model-1"))
        assert.include(error.hint ?? "", "model.base_url")
      })
    )

    it.effect("that points to another server does not take the key there", () =>
      Effect.gen(function* () {
        const other = yield* VendorServer.scoped
        const headers = { location: `${vendor.baseUrl(other.anthropicUrl)}/elsewhere` }
        const { error } = yield* failing(vendor, { kind: "whole", status: 307, headers, body: "" })
        assert.strictEqual(error.reason, "Status")
        assert.strictEqual(error.status, 307)
        assert.include(error.hint ?? "", "model.base_url")
        assert.strictEqual(other.connected, 0)
      })
    )

    it.effect("with a page for people is told by its title", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(
          vendor,
          page(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
        )
        assert.strictEqual(error.reason, "Status")
        assert.strictEqual(error.status, 502)
        assert.match(error.message, /HTTP 502 with a web page \(502 Bad Gateway\)$/)
      })
    )

    it.effect("with an endless body is cut to size", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(vendor, failure(500, "api_error", "x".repeat(100_000)))
        assert.isBelow(error.message.length, 2300)
      })
    )

    for (const { message, status, type } of vendor.overflows) {
      it.effect(`"${message.slice(0, 60)}" is Overflow`, () =>
        Effect.gen(function* () {
          const { error } = yield* failing(vendor, failure(status, type, message))
          assert.strictEqual(error.reason, "Overflow")
          assert.strictEqual(error.status, status)
        })
      )
    }

    it.effect("400 for another reason is not Overflow", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(
          vendor,
          failure(400, "invalid_request_error", "messages: at least one message")
        )
        assert.strictEqual(error.reason, "Status")
      })
    )
  })

  describe(`${vendor.name}: nonsense`, () => {
    it.effect("a web page with status 200 is Protocol", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(vendor, page(200, "<!doctype html><title>Sign in</title>"))
        assert.strictEqual(error.reason, "Protocol")
        assert.include(error.message, "a web page (Sign in) where an event stream was expected")
        assert.include(error.hint ?? "", "model.base_url")
      })
    )

    it.effect("an error document with status 200 is Refused, another document is Protocol", () =>
      Effect.gen(function* () {
        const document = (body: unknown): Reply => ({
          kind: "whole",
          status: 200,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body)
        })
        const refused = yield* failing(vendor, document({ error: { message: "no such model" } }))
        assert.strictEqual(refused.error.reason, "Refused")
        assert.include(refused.error.message, "no such model")
        const other = yield* failing(vendor, document({ hello: "world" }))
        assert.strictEqual(other.error.reason, "Protocol")
      })
    )

    it.effect("an event that is not JSON is Protocol, behind what came before it", () =>
      Effect.gen(function* () {
        const { client } = yield* setUp(
          vendor,
          say([{ text: "x" }, { raw: "event: content_block_delta\ndata: {oops\n\n" }])
        )
        const events: Array<LlmEvent> = []
        const error = yield* client.stream(request).pipe(
          Stream.runForEach((event) => Effect.sync(() => events.push(event))),
          Effect.flip
        )
        assert.strictEqual(error.reason, "Protocol")
        assert.include(error.message, "{oops")
        assert.isTrue(events.some((event) => event.type === "delta" && event.text === "x"))
      })
    )

    for (const { status, type } of vendor.streamErrors) {
      it.effect(`${type} inside the stream is Refused with status ${status}`, () =>
        Effect.gen(function* () {
          const { error } = yield* failing(vendor, say([{ text: "x" }, { error: { type, message: "sorry" } }]))
          assert.strictEqual(error.reason, "Refused")
          assert.strictEqual(error.status, status)
          assert.include(error.message, `${type}: sorry`)
        })
      )
    }

    it.effect("a connection that ends in the middle is Cut", () =>
      Effect.gen(function* () {
        const { error, server } = yield* failing(vendor, say([{ text: "x" }, { cut: true }]))
        assert.strictEqual(error.reason, "Cut")
        assert.strictEqual(yield* Effect.promise(() => server.requests[0]?.closed ?? assert.fail()), "server")
      })
    )
  })

  describe(`${vendor.name}: set-up`, () => {
    it.effect("nobody there is Connect, with the host and without the key", () =>
      Effect.gen(function* () {
        const address = yield* Effect.promise(refusingUrl)
        const client = yield* vendor.make({
          apiKey: Redacted.make(key),
          baseUrl: vendor.baseUrl(address),
          model: "m",
          contextWindow: 1000
        })
        const error = yield* Effect.flip(collect(client))
        assert.strictEqual(error.reason, "Connect")
        assert.strictEqual(error.message, `${vendor.name} at ${new URL(address).host}: cannot connect (ECONNREFUSED)`)
        assert.notInclude(JSON.stringify(error), key)
      })
    )

    it.effect("a host that does not exist is Connect", () =>
      Effect.gen(function* () {
        const client = yield* vendor.make({
          apiKey: Redacted.make(key),
          baseUrl: vendor.baseUrl("http://host.invalid"),
          model: "m",
          contextWindow: 1000
        })
        const error = yield* Effect.flip(collect(client))
        assert.strictEqual(error.reason, "Connect")
        assert.include(error.message, "host.invalid")
      })
    )

    it.effect("a server that needs no key gets none", () =>
      Effect.gen(function* () {
        const server = yield* VendorServer.scoped
        server.reply(say([{ text: "x" }]))
        const client = yield* vendor.make({ ...options(vendor, server), apiKey: undefined })
        yield* collect(client)
        const headers = server.requests[0]?.headers ?? {}
        assert.strictEqual(headers["authorization"], undefined)
        assert.strictEqual(headers["x-api-key"], undefined)
        assert.strictEqual(headers["x-goog-api-key"], undefined)
      })
    )

    it.effect("no key and no base URL, a URL that is none, a key with a line break: Config, at once", () =>
      Effect.gen(function* () {
        const base = { model: "m", contextWindow: 1000 }
        const none = yield* Effect.flip(vendor.make({ ...base, apiKey: undefined }))
        assert.strictEqual(none.reason, "Config")
        assert.match(none.hint ?? "", /_API_KEY/)
        const url = yield* Effect.flip(vendor.make({ ...base, apiKey: Redacted.make(key), baseUrl: "localhost" }))
        assert.strictEqual(url.reason, "Config")
        const broken = yield* Effect.flip(vendor.make({ ...base, apiKey: Redacted.make(`${key}\n`) }))
        assert.strictEqual(broken.reason, "Config")
        assert.notInclude(JSON.stringify(broken), key)
      })
    )
  })
}
