/** What both vendors' clients promise, shown against a server that speaks their dialect. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type { VendorOptions } from "../../../layers/llm/vendor/Vendor.ts"
import { defaultLimits } from "../../../src/llm/Limits.ts"
import type { LlmClient } from "../../../src/llm/LlmClient.ts"
import type { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent, StopReason } from "../../../src/llm/LlmEvent.ts"
import { patient } from "../../../src/llm/Patience.ts"
import { fold } from "../../../src/llm/Response.ts"
import { request } from "../../llm/fakeClient.ts"
import { failure, Gate, page, refusingUrl, type Reply, say, type Step, VendorServer } from "../../support/VendorServer.ts"

export const key = "sk-secret-0123456789"

export interface VendorUnderTest {
  readonly name: string
  readonly make: (options: VendorOptions) => Effect.Effect<LlmClient["Service"], LlmError>
  /** The base URL of a server whose address is `http://host:port`. */
  readonly baseUrl: (address: string) => string
  readonly stopReasons: Readonly<Record<string, StopReason>>
  /** The statuses of these two error types inside a stream. */
  readonly streamErrors: ReadonlyArray<{ readonly type: string; readonly status: number | undefined }>
  readonly overflows: ReadonlyArray<{ readonly status: number; readonly type: string; readonly message: string }>
}

export const options = (vendor: VendorUnderTest, server: VendorServer): VendorOptions => ({
  apiKey: Redacted.make(key),
  baseUrl: vendor.baseUrl(server.anthropicUrl),
  model: "model-1",
  contextWindow: 100_000
})

export const setUp = Effect.fnUntraced(function*(vendor: VendorUnderTest, ...replies: ReadonlyArray<Reply>) {
  const server = yield* VendorServer.scoped
  server.reply(...replies)
  return { server, client: yield* vendor.make(options(vendor, server)) }
})

export const collect = (client: LlmClient["Service"]): Effect.Effect<ReadonlyArray<LlmEvent>, LlmError> =>
  Stream.runCollect(client.stream(request))

const failing = Effect.fnUntraced(function*(vendor: VendorUnderTest, reply: Reply) {
  const { client, server } = yield* setUp(vendor, reply)
  const error = yield* Effect.flip(collect(client))
  assert.notInclude(JSON.stringify(error), key)
  return { error, server }
})

export const contract = (vendor: VendorUnderTest) => {
  describe(`${vendor.name}: an answer`, () => {
    it.effect("of text comes in the deltas that were sent", () =>
      Effect.gen(function*() {
        const { client } = yield* setUp(vendor, say([{ text: "Hel" }, { text: "lo" }]))
        const events = yield* collect(client)
        assert.deepStrictEqual(events.filter(({ type }) => type !== "usage"), [
          { type: "text_start", index: 0 },
          { type: "delta", index: 0, text: "Hel" },
          { type: "delta", index: 0, text: "lo" },
          { type: "block_stop", index: 0 },
          { type: "stop", reason: "end_turn" }
        ])
      }))

    it.effect("with several tool calls has each with its id and whole arguments, piece by piece", () =>
      Effect.gen(function*() {
        const { client } = yield* setUp(
          vendor,
          say([
            { text: "Looking." },
            { tool: "Read", id: "call_a", args: { file_path: "/a" }, pieces: 4 },
            { tool: "Grep", id: "call_b", args: { pattern: "ü\n\"" } },
            { tool: "List", id: "call_c", args: {} },
            { tool: "None", id: "call_d", args: "" }
          ])
        )
        const events = yield* collect(client)
        assert.isAbove(events.filter((event) => event.type === "delta" && event.index === 1).length, 2)
        const response = fold(events)
        assert.deepStrictEqual(response.items().map(({ item }) => item), [
          { kind: "message", role: "assistant", content: [{ kind: "text", text: "Looking." }] },
          { kind: "tool_call", call_id: "call_a", name: "Read", arguments: "{\"file_path\":\"/a\"}" },
          { kind: "tool_call", call_id: "call_b", name: "Grep", arguments: JSON.stringify({ pattern: "ü\n\"" }) },
          { kind: "tool_call", call_id: "call_c", name: "List", arguments: "{}" },
          { kind: "tool_call", call_id: "call_d", name: "None", arguments: "{}" }
        ])
        assert.deepStrictEqual(response.stop(), { type: "stop", reason: "tool_use" })
      }))

    it.effect("reports the whole prompt as input, cached parts included and told apart", () =>
      Effect.gen(function*() {
        const { client } = yield* setUp(
          vendor,
          say([{ text: "x" }], { usage: { input: 10, output: 7, cacheRead: 100 } })
        )
        const { cacheReadTokens, inputTokens, outputTokens } = fold(yield* collect(client)).usage()
        assert.deepStrictEqual({ cacheReadTokens, inputTokens, outputTokens }, {
          cacheReadTokens: 100,
          inputTokens: 110,
          outputTokens: 7
        })
      }))

    for (const [word, reason] of Object.entries(vendor.stopReasons)) {
      it.effect(`that ends with ${word} ends with ${reason}`, () =>
        Effect.gen(function*() {
          const { client } = yield* setUp(vendor, say([{ text: "x" }], { stop: word }))
          assert.strictEqual(fold(yield* collect(client)).stop()?.reason, reason)
        }))
    }

    it.effect("split at any byte is the same answer", () =>
      Effect.gen(function*() {
        const gate = new Gate()
        const { client } = yield* setUp(
          vendor,
          say([{ text: "a" }, { raw: ": half a com" }, { gate }, { raw: "ment\n\n" }, { text: "grüße 🎉" }])
        )
        const fiber = yield* Effect.forkChild(collect(client))
        yield* Effect.promise(() => gate.reached)
        gate.open()
        const [item] = fold(yield* Fiber.join(fiber)).items()
        assert.deepStrictEqual(item?.item, {
          kind: "message",
          role: "assistant",
          content: [{ kind: "text", text: "agrüße 🎉" }]
        })
      }))

    it.effect("says that the connection lives when the headers come, before any event", () =>
      Effect.gen(function*() {
        const afterHeaders = new Gate()
        const { client } = yield* setUp(vendor, say([{ text: "x" }], { afterHeaders }))
        const alive = yield* Deferred.make<void>()
        const events: Array<LlmEvent> = []
        const stream = client.stream(request, () => Deferred.doneUnsafe(alive, Exit.void))
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(stream, (event) => Effect.sync(() => events.push(event)))
        )
        yield* Deferred.await(alive)
        assert.deepStrictEqual(events, [])
        afterHeaders.open()
        yield* Fiber.join(fiber)
      }))

    it.effect("says that the connection lives at keep-alives", () =>
      Effect.gen(function*() {
        const before = new Gate()
        const after = new Gate()
        const { client } = yield* setUp(vendor, say([{ text: "x" }, { gate: before }, { ping: true }, { gate: after }]))
        let signs = 0
        let pinged: Deferred.Deferred<void> | undefined
        const stream = client.stream(request, () => {
          signs++
          if (pinged !== undefined) Deferred.doneUnsafe(pinged, Exit.void)
        })
        const texts = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(stream, (event) =>
            event.type === "delta" ? Deferred.succeed(texts, undefined) : Effect.void)
        )
        yield* Deferred.await(texts)
        pinged = yield* Deferred.make<void>()
        const earlier = signs
        before.open()
        yield* Deferred.await(pinged)
        assert.isAbove(signs, earlier)
        after.open()
        yield* Fiber.join(fiber)
      }))

    it.effect("leaves the connection open for the next one", () =>
      Effect.gen(function*() {
        const { client, server } = yield* setUp(vendor, say([{ text: "one" }]), say([{ text: "two" }]))
        yield* collect(client)
        // Node's pool has the connection back one turn of the event loop after the last byte.
        yield* Effect.promise(() => server.requests[0]?.closed ?? assert.fail())
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* collect(client)
        assert.deepStrictEqual(server.requests.map(({ connection }) => connection), [0, 0])
      }))
  })

  describe(`${vendor.name}: cancelling`, () => {
    const phases = (): Readonly<Record<string, readonly [Gate, Reply]>> => {
      const gates = [new Gate(), new Gate(), new Gate(), new Gate()] as const
      const tool: Step = { tool: "Read", id: "c", args: { a: 1 } }
      return {
        "before the headers": [gates[0], say([{ text: "x" }], { beforeHeaders: gates[0] })],
        "before the first event": [gates[1], say([{ text: "x" }], { afterHeaders: gates[1] })],
        "in the middle of text": [gates[2], say([{ text: "x" }, { gate: gates[2] }])],
        "after a tool call": [gates[3], say([tool, { gate: gates[3] }])]
      }
    }
    for (const phase of Object.keys(phases())) {
      it.effect(`${phase} closes the connection`, () =>
        Effect.gen(function*() {
          const [gate, reply] = phases()[phase] ?? assert.fail()
          const { client, server } = yield* setUp(vendor, reply)
          const fiber = yield* Effect.forkChild(collect(client))
          yield* Effect.promise(() => gate.reached)
          yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
          const received = yield* Effect.promise(() => server.request(0))
          assert.strictEqual(yield* Effect.promise(() => received.closed), "client")
        }))
    }

    it.effect("by a reader that has enough closes the connection", () =>
      Effect.gen(function*() {
        const { client, server } = yield* setUp(vendor, say([{ text: "x" }, { gate: new Gate() }]))
        yield* client.stream(request).pipe(Stream.takeUntil((event) => event.type === "delta"), Stream.runDrain)
        const received = yield* Effect.promise(() => server.request(0))
        assert.strictEqual(yield* Effect.promise(() => received.closed), "client")
      }))
  })

  describe(`${vendor.name}: an HTTP error`, () => {
    it.effect("is Status with the vendor's words, asked for once", () =>
      Effect.gen(function*() {
        const { error, server } = yield* failing(vendor, failure(529, "overloaded_error", "Overloaded"))
        assert.strictEqual(error.reason, "Status")
        assert.strictEqual(error.status, 529)
        assert.strictEqual(error.retryAfterMs, undefined)
        assert.strictEqual(
          error.message,
          `${vendor.name} at 127.0.0.1:${server.port}: HTTP 529 overloaded_error: Overloaded`
        )
        assert.strictEqual(server.requests.length, 1)
      }))

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
        Effect.gen(function*() {
          const { error } = yield* failing(vendor, failure(429, "rate_limit_error", "slow down", headers))
          assert.strictEqual(error.retryAfterMs, millis)
        }))
    }

    it.effect("401 says where the key comes from, and never what it is", () =>
      Effect.gen(function*() {
        const { error } = yield* failing(vendor, failure(401, "authentication_error", `bad key ${key}`))
        assert.strictEqual(error.status, 401)
        assert.include(error.message, "bad key <key>")
        assert.include(error.hint ?? "", "model.auth.env")
      }))

    it.effect("404 points to model and base URL", () =>
      Effect.gen(function*() {
        const { error } = yield* failing(vendor, failure(404, "not_found_error", "model: model-1"))
        assert.include(error.hint ?? "", "model.base_url")
      }))

    it.effect("with a page for people is told by its title", () =>
      Effect.gen(function*() {
        const { error } = yield* failing(
          vendor,
          page(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
        )
        assert.strictEqual(error.reason, "Status")
        assert.strictEqual(error.status, 502)
        assert.match(error.message, /HTTP 502 with a web page \(502 Bad Gateway\)$/)
      }))

    it.effect("with an endless body is cut to size", () =>
      Effect.gen(function*() {
        const { error } = yield* failing(vendor, failure(500, "api_error", "x".repeat(100_000)))
        assert.isBelow(error.message.length, 2300)
      }))

    for (const { message, status, type } of vendor.overflows) {
      it.effect(`"${message.slice(0, 60)}" is Overflow`, () =>
        Effect.gen(function*() {
          const { error } = yield* failing(vendor, failure(status, type, message))
          assert.strictEqual(error.reason, "Overflow")
          assert.strictEqual(error.status, status)
        }))
    }

    it.effect("400 for another reason is not Overflow", () =>
      Effect.gen(function*() {
        const { error } = yield* failing(vendor, failure(400, "invalid_request_error", "messages: at least one message"))
        assert.strictEqual(error.reason, "Status")
      }))
  })

  describe(`${vendor.name}: nonsense`, () => {
    it.effect("a web page with status 200 is Protocol", () =>
      Effect.gen(function*() {
        const { error } = yield* failing(vendor, page(200, "<!doctype html><title>Sign in</title>"))
        assert.strictEqual(error.reason, "Protocol")
        assert.include(error.message, "a web page (Sign in) where an event stream was expected")
        assert.include(error.hint ?? "", "model.base_url")
      }))

    it.effect("an error document with status 200 is Refused, another document is Protocol", () =>
      Effect.gen(function*() {
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
      }))

    it.effect("an event that is not JSON is Protocol, behind what came before it", () =>
      Effect.gen(function*() {
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
      }))

    for (const { status, type } of vendor.streamErrors) {
      it.effect(`${type} inside the stream is Refused with status ${status}`, () =>
        Effect.gen(function*() {
          const { error } = yield* failing(vendor, say([{ text: "x" }, { error: { type, message: "sorry" } }]))
          assert.strictEqual(error.reason, "Refused")
          assert.strictEqual(error.status, status)
          assert.include(error.message, `${type}: sorry`)
        }))
    }

    it.effect("a connection that ends in the middle is Cut", () =>
      Effect.gen(function*() {
        const { error, server } = yield* failing(vendor, say([{ text: "x" }, { cut: true }]))
        assert.strictEqual(error.reason, "Cut")
        assert.strictEqual(yield* Effect.promise(() => server.requests[0]?.closed ?? assert.fail()), "server")
      }))
  })

  describe(`${vendor.name}: set-up`, () => {
    it.effect("nobody there is Connect, with the host and without the key", () =>
      Effect.gen(function*() {
        const address = yield* Effect.promise(refusingUrl)
        const client = yield* vendor.make({
          apiKey: Redacted.make(key),
          baseUrl: vendor.baseUrl(address),
          model: "m",
          contextWindow: 1000
        })
        const error = yield* Effect.flip(collect(client))
        assert.strictEqual(error.reason, "Connect")
        assert.strictEqual(
          error.message,
          `${vendor.name} at ${new URL(address).host}: cannot connect (ECONNREFUSED)`
        )
        assert.notInclude(JSON.stringify(error), key)
      }))

    it.effect("a host that does not exist is Connect", () =>
      Effect.gen(function*() {
        const client = yield* vendor.make({
          apiKey: Redacted.make(key),
          baseUrl: vendor.baseUrl("http://host.invalid"),
          model: "m",
          contextWindow: 1000
        })
        const error = yield* Effect.flip(collect(client))
        assert.strictEqual(error.reason, "Connect")
        assert.include(error.message, "host.invalid")
      }))

    it.effect("a server that needs no key gets none", () =>
      Effect.gen(function*() {
        const server = yield* VendorServer.scoped
        server.reply(say([{ text: "x" }]))
        const client = yield* vendor.make({ ...options(vendor, server), apiKey: undefined })
        yield* collect(client)
        const headers = server.requests[0]?.headers ?? {}
        assert.strictEqual(headers["authorization"], undefined)
        assert.strictEqual(headers["x-api-key"], undefined)
      }))

    it.effect("no key and no base URL, a URL that is none, a key with a line break: Config, at once", () =>
      Effect.gen(function*() {
        const base = { model: "m", contextWindow: 1000 }
        const none = yield* Effect.flip(vendor.make({ ...base, apiKey: undefined }))
        assert.strictEqual(none.reason, "Config")
        assert.match(none.hint ?? "", /_API_KEY/)
        const url = yield* Effect.flip(vendor.make({ ...base, apiKey: Redacted.make(key), baseUrl: "localhost" }))
        assert.strictEqual(url.reason, "Config")
        const broken = yield* Effect.flip(vendor.make({ ...base, apiKey: Redacted.make(`${key}\n`) }))
        assert.strictEqual(broken.reason, "Config")
        assert.notInclude(JSON.stringify(broken), key)
      }))
  })

  describe(`${vendor.name}: with patience`, () => {
    it.effect("overload, a refused connection's worth of waiting, then the answer: one stream", () =>
      Effect.gen(function*() {
        const { client, server } = yield* setUp(
          vendor,
          failure(529, "overloaded_error", "Overloaded", { "retry-after": "60" }),
          say([{ text: "Hello" }])
        )
        const waiting = yield* Deferred.make<number>()
        const fiber = yield* patient(client, defaultLimits, ({ waitMs }) => Deferred.succeed(waiting, waitMs))(request)
          .pipe(Stream.runCollect, Effect.forkChild)
        assert.strictEqual(yield* Deferred.await(waiting), 60_000)
        yield* TestClock.adjust("60 seconds")
        const response = fold(yield* Fiber.join(fiber))
        assert.strictEqual(response.items().length, 1)
        assert.strictEqual(server.requests.length, 2)
      }))

    it.effect("a server that hangs is left when its time is up, and the connection is closed", () =>
      Effect.gen(function*() {
        const beforeHeaders = new Gate()
        const { client, server } = yield* setUp(vendor, say([{ text: "x" }], { beforeHeaders }), say([{ text: "y" }]))
        const waiting = yield* Deferred.make<string>()
        const fiber = yield* patient(client, defaultLimits, ({ error }) => Deferred.succeed(waiting, error))(request)
          .pipe(Stream.runCollect, Effect.forkChild)
        yield* Effect.promise(() => beforeHeaders.reached)
        yield* TestClock.adjust("20 seconds")
        assert.include(yield* Deferred.await(waiting), "no answer for 20 s")
        const first = yield* Effect.promise(() => server.request(0))
        assert.strictEqual(yield* Effect.promise(() => first.closed), "client")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(fold(yield* Fiber.join(fiber)).items().length, 1)
      }))
  })
}
