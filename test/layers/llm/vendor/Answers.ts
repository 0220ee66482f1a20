/** What all vendors' clients promise of an answer: its content, its end, and that it can be left at any time. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { defaultLimits } from "../../../../src/llm/Limits.ts"
import type { LlmEvent } from "../../../../src/llm/LlmEvent.ts"
import { patient } from "../../../../src/llm/Patience.ts"
import { fold } from "../../../../src/llm/Response.ts"
import { transcript } from "../../../../src/llm/Transcript.ts"
import { message } from "../../../../src/protocol/Item.ts"
import { request } from "../../../llm/fakeClient.ts"
import { failure, Gate, type Reply, say, type Step } from "../../../support/VendorServer.ts"
import { collect, setUp, type VendorUnderTest } from "./UnderTest.ts"

export const answers = (vendor: VendorUnderTest) => {
  describe(`${vendor.name}: an answer`, () => {
    it.effect("of text comes in the deltas that were sent", () =>
      Effect.gen(function* () {
        const { client } = yield* setUp(vendor, say([{ text: "Hel" }, { text: "lo" }]))
        const events = yield* collect(client)
        assert.deepStrictEqual(
          events.filter(({ type }) => type !== "usage"),
          [
            { type: "text_start", index: 0 },
            { type: "delta", index: 0, text: "Hel" },
            { type: "delta", index: 0, text: "lo" },
            { type: "block_stop", index: 0 },
            { type: "stop", reason: "end_turn" }
          ]
        )
      })
    )

    it.effect("with several tool calls has each with its id and whole arguments, piece by piece", () =>
      Effect.gen(function* () {
        const { client } = yield* setUp(
          vendor,
          say([
            { text: "Looking." },
            { tool: "Read", id: "call_a", args: { file_path: "/a" }, pieces: 4 },
            { tool: "Grep", id: "call_b", args: { pattern: 'ü\n"' } },
            { tool: "List", id: "call_c", args: {} },
            { tool: "None", id: "call_d", args: "" }
          ])
        )
        const events = yield* collect(client)
        const pieces = events.filter((event) => event.type === "delta" && event.index === 1).length
        if (vendor.wholeArguments === true) assert.strictEqual(pieces, 1)
        else assert.isAbove(pieces, 2)
        const response = fold(events)
        assert.deepStrictEqual(
          response.items().map(({ item }) => item),
          [
            { kind: "message", role: "assistant", content: [{ kind: "text", text: "Looking." }] },
            { kind: "tool_call", call_id: "call_a", name: "Read", arguments: '{"file_path":"/a"}' },
            { kind: "tool_call", call_id: "call_b", name: "Grep", arguments: JSON.stringify({ pattern: 'ü\n"' }) },
            { kind: "tool_call", call_id: "call_c", name: "List", arguments: "{}" },
            { kind: "tool_call", call_id: "call_d", name: "None", arguments: "{}" }
          ]
        )
        assert.deepStrictEqual(response.stop(), { type: "stop", reason: "tool_use" })
      })
    )

    it.effect("with thinking and tools goes back as it came, also when the journal is read again", () =>
      Effect.gen(function* () {
        const { client, server } = yield* setUp(
          vendor,
          say([
            { thinking: "Two " },
            { thinking: "files." },
            { signature: "c2lnbmF0dXJl+/==" },
            { tool: "Read", id: "call_a", args: { file_path: "/ü" } },
            { tool: "Read", id: "call_b", args: {} },
            { tool: "Read", id: "call_c", args: { n: [1, 2.5, null] } }
          ]),
          say([{ text: "One." }]),
          say([{ text: "Two." }])
        )
        const items = fold(yield* collect(client)).items()
        const history = [
          { item: message("user", "hi") },
          ...items.map(({ item }) => ({ item, turn: 1 })),
          ...["call_c", "call_a", "call_b"].map((call_id) => ({
            item: { kind: "tool_result", call_id, summary: `of ${call_id}` } as const
          }))
        ]
        yield* Stream.runDrain(client.stream({ ...request, messages: transcript(history) }))
        const journalled = JSON.parse(JSON.stringify(history)) as typeof history
        const longer = [
          ...journalled,
          { item: message("assistant", "One."), turn: 2 },
          { item: message("user", "go on") }
        ]
        yield* Stream.runDrain(client.stream({ ...request, messages: transcript(longer) }))
        const [, second, third] = server.requests.map(({ body }) =>
          (body[vendor.conversation] as ReadonlyArray<object>).map((each) =>
            // A mark for the vendor's cache moves on with the conversation.
            JSON.stringify(each, (name, value: unknown) => (name === "cache_control" ? undefined : value))
          )
        )
        assert.deepStrictEqual(third?.slice(0, second?.length), second)
        assert.strictEqual(
          (second?.join().match(/c2lnbmF0dXJl\+\/==/g) ?? []).length,
          vendor.name === "openai_chat" ? 0 : 1
        )
        // In call order, each with its own call, whatever the order in which they ended.
        const results = [...(second?.join("\n").matchAll(/of (call_.)/g) ?? [])].map(([, id]) => id)
        assert.deepStrictEqual(results, ["call_a", "call_b", "call_c"])
      })
    )

    it.effect("that is long is whole", () =>
      Effect.gen(function* () {
        const words = Array.from({ length: 5000 }, (_, n) => `${n} wörter, `)
        const { client } = yield* setUp(vendor, say(words.map((text) => ({ text }))))
        const [item] = fold(yield* collect(client)).items()
        assert.deepStrictEqual(item?.item, message("assistant", words.join("")))
      })
    )

    it.effect("that is a refusal ends as one", () =>
      Effect.gen(function* () {
        const { client } = yield* setUp(vendor, say([{ refusal: "I will not." }]))
        const response = fold(yield* patient(client, defaultLimits, () => Effect.void)(request).pipe(Stream.runCollect))
        assert.strictEqual(response.stop()?.reason, "refusal")
        assert.strictEqual(response.items().length, vendor.silentRefusal === true ? 0 : 1)
      })
    )

    it.effect("with nothing in it is asked for once more, and is then an error", () =>
      Effect.gen(function* () {
        const { client, server } = yield* setUp(vendor, say([]), say([]))
        const waiting = yield* Deferred.make<number>()
        const fiber = yield* patient(client, defaultLimits, ({ waitMs }) => Deferred.succeed(waiting, waitMs))(
          request
        ).pipe(Stream.runDrain, Effect.flip, Effect.forkChild)
        yield* TestClock.adjust(yield* Deferred.await(waiting))
        assert.strictEqual((yield* Fiber.join(fiber)).reason, "Empty")
        assert.strictEqual(server.requests.length, 2)
      })
    )

    it.effect("reports the whole prompt as input, cached parts included and told apart", () =>
      Effect.gen(function* () {
        const { client } = yield* setUp(
          vendor,
          say([{ text: "x" }], { usage: { input: 10, output: 7, cacheRead: 100 } })
        )
        const { cacheReadTokens, inputTokens, outputTokens } = fold(yield* collect(client)).usage()
        assert.deepStrictEqual(
          { cacheReadTokens, inputTokens, outputTokens },
          {
            cacheReadTokens: 100,
            inputTokens: 110,
            outputTokens: 7
          }
        )
      })
    )

    for (const [word, reason] of Object.entries(vendor.stopReasons)) {
      it.effect(`that ends with ${word} ends with ${reason}`, () =>
        Effect.gen(function* () {
          const { client } = yield* setUp(vendor, say([{ text: "x" }], { stop: word }))
          assert.strictEqual(fold(yield* collect(client)).stop()?.reason, reason)
        })
      )
    }

    it.effect("split at any byte is the same answer", () =>
      Effect.gen(function* () {
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
      })
    )

    it.effect("says that the connection lives when the headers come, before any event", () =>
      Effect.gen(function* () {
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
      })
    )

    it.effect("says that the connection lives at keep-alives", () =>
      Effect.gen(function* () {
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
            event.type === "delta" ? Deferred.succeed(texts, undefined) : Effect.void
          )
        )
        yield* Deferred.await(texts)
        pinged = yield* Deferred.make<void>()
        const earlier = signs
        before.open()
        yield* Deferred.await(pinged)
        assert.isAbove(signs, earlier)
        after.open()
        yield* Fiber.join(fiber)
      })
    )

    it.effect("leaves the connection open for the next one", () =>
      Effect.gen(function* () {
        const { client, server } = yield* setUp(vendor, say([{ text: "one" }]), say([{ text: "two" }]))
        yield* collect(client)
        // Node's pool has the connection back one turn of the event loop after the last byte.
        yield* Effect.promise(() => server.requests[0]?.closed ?? assert.fail())
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* collect(client)
        assert.deepStrictEqual(
          server.requests.map(({ connection }) => connection),
          [0, 0]
        )
      })
    )
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
        Effect.gen(function* () {
          const [gate, reply] = phases()[phase] ?? assert.fail()
          const { client, server } = yield* setUp(vendor, reply)
          const fiber = yield* Effect.forkChild(collect(client))
          yield* Effect.promise(() => gate.reached)
          yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
          const received = yield* Effect.promise(() => server.request(0))
          assert.strictEqual(yield* Effect.promise(() => received.closed), "client")
        })
      )
    }

    it.effect("by a reader that has enough closes the connection", () =>
      Effect.gen(function* () {
        const { client, server } = yield* setUp(vendor, say([{ text: "x" }, { gate: new Gate() }]))
        yield* client.stream(request).pipe(
          Stream.takeUntil((event) => event.type === "delta"),
          Stream.runDrain
        )
        const received = yield* Effect.promise(() => server.request(0))
        assert.strictEqual(yield* Effect.promise(() => received.closed), "client")
      })
    )
  })

  describe(`${vendor.name}: with patience`, () => {
    it.effect("an overloaded server is waited for as long as it asks, and the reader sees one answer", () =>
      Effect.gen(function* () {
        const { client, server } = yield* setUp(
          vendor,
          failure(529, "overloaded_error", "Overloaded", { "retry-after": "60" }),
          say([{ text: "Hello" }])
        )
        const waiting = yield* Deferred.make<number>()
        const fiber = yield* patient(client, defaultLimits, ({ waitMs }) => Deferred.succeed(waiting, waitMs))(
          request
        ).pipe(Stream.runCollect, Effect.forkChild)
        assert.strictEqual(yield* Deferred.await(waiting), 60_000)
        yield* TestClock.adjust("60 seconds")
        const response = fold(yield* Fiber.join(fiber))
        assert.strictEqual(response.items().length, 1)
        assert.strictEqual(server.requests.length, 2)
      })
    )

    it.effect("a server that hangs is left when its time is up, and the connection is closed", () =>
      Effect.gen(function* () {
        const beforeHeaders = new Gate()
        const { client, server } = yield* setUp(vendor, say([{ text: "x" }], { beforeHeaders }), say([{ text: "y" }]))
        const waiting = yield* Deferred.make<string>()
        const fiber = yield* patient(client, defaultLimits, ({ error }) => Deferred.succeed(waiting, error))(
          request
        ).pipe(Stream.runCollect, Effect.forkChild)
        yield* Effect.promise(() => beforeHeaders.reached)
        yield* TestClock.adjust("20 seconds")
        assert.include(yield* Deferred.await(waiting), "no answer for 20 s")
        const first = yield* Effect.promise(() => server.request(0))
        assert.strictEqual(yield* Effect.promise(() => first.closed), "client")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(fold(yield* Fiber.join(fiber)).items().length, 1)
      })
    )
  })
}
