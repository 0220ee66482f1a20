import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Scripted from "../../../layers/llm/Scripted.ts"
import { defaultLimits } from "../../../src/llm/Limits.ts"
import { LlmClient } from "../../../src/llm/LlmClient.ts"
import type { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../../src/llm/LlmEvent.ts"
import { patient } from "../../../src/llm/Patience.ts"
import { fold } from "../../../src/llm/Response.ts"
import { request } from "../../llm/fakeClient.ts"

const collect = (client: LlmClient["Service"]): Effect.Effect<ReadonlyArray<LlmEvent>, LlmError> =>
  Stream.runCollect(client.stream(request))

const tempFile = (content: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = await mkdtemp(join(tmpdir(), "script-"))
      const path = join(directory, "play.jsonl")
      await writeFile(path, content)
      return { directory, path }
    }),
    ({ directory }) => Effect.promise(() => rm(directory, { recursive: true }))
  ).pipe(Effect.map(({ path }) => path))

describe("a script", () => {
  it.effect("in a file is played call by call, with waits on the clock", () =>
    Effect.gen(function* () {
      const path = yield* tempFile(
        `{"steps":[{"thinking":"hm","signature":"SIG"},{"text":"Hel"},{"wait":"2 seconds"},{"text":"lo"},` +
          `{"tool":"Read","id":"a","args":{"file_path":"/a"}},{"usage":{"input":10,"output":5,"cache_read":3}}]}\n\n` +
          `{"steps":[{"text":"Done."}]}\n`
      )
      const { client } = yield* Scripted.fromFile(path)
      const fiber = yield* Effect.forkChild(Effect.map(collect(client), (events) => events))
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 millis")
      const response = fold(yield* Fiber.join(fiber))
      assert.deepStrictEqual(
        response.items().map(({ item }) => item),
        [
          { kind: "reasoning", text: "hm", signature: "SIG" },
          { kind: "message", role: "assistant", content: [{ kind: "text", text: "Hello" }] },
          { kind: "tool_call", call_id: "a", name: "Read", arguments: '{"file_path":"/a"}' }
        ]
      )
      assert.deepStrictEqual(response.usage(), { inputTokens: 10, outputTokens: 5, cacheReadTokens: 3 })
      assert.strictEqual(response.stop()?.reason, "tool_use")
      assert.strictEqual(fold(yield* collect(client)).stop()?.reason, "end_turn")
    })
  )

  it.effect("past its end fails and names file and call", () =>
    Effect.gen(function* () {
      const path = yield* tempFile(`{"steps":[{"text":"x"}]}\n`)
      const { client } = yield* Scripted.fromFile(path)
      yield* collect(client)
      const error = yield* Effect.flip(collect(client))
      assert.strictEqual(error.reason, "Config")
      assert.strictEqual(error.message, `${path}: the script has 1 call, and call 2 was made`)
    })
  )

  it.effect("expects what the user says", () =>
    Effect.gen(function* () {
      const calls = yield* Scripted.fromText(`\n{"steps":[{"text":"x"}],"expect":{"user_contains":"hello"}}`, "s.jsonl")
      const { client } = yield* Scripted.make(calls, { name: "s.jsonl" })
      const error = yield* Effect.flip(collect(client))
      assert.strictEqual(
        error.message,
        `s.jsonl:2: call 1 expects the user's last message to contain "hello", but it is "hi"`
      )
      const met = yield* Scripted.fromText(`{"steps":[{"text":"x"}],"expect":{"user_contains":"h"}}`)
      yield* collect((yield* Scripted.make(met)).client)
    })
  )

  const mistakes: ReadonlyArray<[line: string, message: RegExp]> = [
    ["{", /^s:2: not valid JSON/],
    ["[]", /^s:2: /],
    ['{"step":[]}', /^s:2: .*"step"/],
    ['{"steps":[{}]}', /^s:2: step 1: expected exactly one of text, thinking, .*; found nothing$/],
    ['{"steps":[{"text":"a"},{"txt":"b"}]}', /^s:2: step 2: expected exactly one of .*; found txt$/],
    ['{"steps":[{"text":1}]}', /^s:2: step 1: .*string/],
    ['{"steps":[{"text":"a","more":1}]}', /^s:2: step 1: .*more/],
    ['{"steps":[{"wait":"soon"}]}', /^s:2: step 1: .*a duration such as/],
    ['{"steps":[{"cut":false}]}', /^s:2: step 1: .*true/],
    ['{"steps":[{"usage":{"input":-1}}]}', /^s:2: step 1: /],
    ['{"steps":[{"tool":"X","args":[1]}]}', /^s:2: step 1: /]
  ]
  for (const [line, message] of mistakes) {
    it.effect(`with the line ${line} is refused with file and line`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Scripted.fromText(`{"steps":[]}\n${line}\n`, "s"))
        assert.strictEqual(error.reason, "Config")
        assert.match(error.message, message)
        assert.notInclude(error.message, "\n")
      })
    )
  }

  it.effect("that is not there is refused with its path", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Scripted.fromFile("/nowhere/play.jsonl"))
      assert.strictEqual(error.reason, "Config")
      assert.include(error.message, "/nowhere/play.jsonl: the script cannot be read")
    })
  )
})

describe("a failure in a script", () => {
  const failing = Effect.fnUntraced(function* (line: string) {
    const { client } = yield* Scripted.make(yield* Scripted.fromText(line))
    return yield* Effect.flip(collect(client))
  })

  it.effect("is an HTTP error before the answer, and the vendor's word inside it", () =>
    Effect.gen(function* () {
      const before = yield* failing(`{"steps":[{"fail":{"status":529,"retry_after":"3 seconds"}}]}`)
      assert.deepInclude({ ...before }, { reason: "Status", status: 529, retryAfterMs: 3000 })
      const inside = yield* failing(`{"steps":[{"text":"x"},{"fail":{"status":529}}]}`)
      assert.deepInclude({ ...inside }, { reason: "Refused", status: 529 })
    })
  )

  it.effect("without a status is a broken connection", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failing(`{"steps":[{"fail":{}}]}`)).reason, "Connect")
      assert.strictEqual((yield* failing(`{"steps":[{"text":"x"},{"fail":{}}]}`)).reason, "Cut")
      assert.strictEqual((yield* failing(`{"steps":[{"text":"x"},{"cut":true},{"text":"y"}]}`)).reason, "Cut")
    })
  )

  it.effect("is waited out by patience: minutes of back-off in no time", () =>
    Effect.gen(function* () {
      const { client, script } = yield* Scripted.make([
        { steps: [{ fail: { status: 529, retry_after: "4 minutes" } }] },
        { steps: [{ fail: { status: 503, retry_after: "3 minutes" } }] },
        { steps: [{ text: "Hello" }] }
      ])
      const fiber = yield* patient(
        client,
        defaultLimits,
        () => Effect.void
      )(request).pipe(Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust("7 minutes")
      assert.strictEqual(fold(yield* Fiber.join(fiber)).items().length, 1)
      assert.strictEqual(yield* Clock.currentTimeMillis, 7 * 60_000)
      assert.strictEqual((yield* script.requests).length, 3)
    })
  )
})

describe("in a program", () => {
  it.effect("requests can be looked at, and gates hold the model", () =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const program = Effect.gen(function* () {
        const client = yield* LlmClient
        const script = yield* Scripted.Script
        const heard: Array<string> = []
        const fiber = yield* client.stream(request).pipe(
          Stream.runForEach((event) => Effect.sync(() => event.type === "delta" && heard.push(event.text))),
          Effect.forkChild
        )
        yield* Deferred.await(reached)
        assert.deepStrictEqual(heard, ["a"])
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(heard, ["a", "b"])
        assert.deepStrictEqual(yield* script.requests, [request])
        assert.strictEqual(yield* script.remaining, 1)
      })
      const gate = Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(go))
      yield* program.pipe(
        Effect.provide(Scripted.layer([{ steps: [{ text: "a" }, { gate }, { text: "b" }] }, { steps: [] }]))
      )
    })
  )

  it.effect("bad arguments are sent as they are, ids are made up, the end can be named", () =>
    Effect.gen(function* () {
      const { client } = yield* Scripted.make([
        {
          steps: [{ tool: "Read", args: '{"half' }, { tool: "Read" }, { stop: "max_tokens" }]
        }
      ])
      const response = fold(yield* collect(client))
      const [half, whole] = response.items()
      assert.isDefined(half?.badArguments)
      assert.deepStrictEqual(half?.item, { kind: "tool_call", call_id: "call_1", name: "Read", arguments: "{}" })
      assert.deepStrictEqual(whole?.item, { kind: "tool_call", call_id: "call_2", name: "Read", arguments: "{}" })
      assert.strictEqual(response.stop()?.reason, "max_tokens")
    })
  )
})
