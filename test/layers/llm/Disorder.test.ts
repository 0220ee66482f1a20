/**
 * Answers whose events come twice, not at all, or in another order: what is left of them, beside what the vendor's own SDK
 * makes of the same bytes. Most dialects do not number their deltas, so a lost one cannot always be noticed.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../../src/llm/LlmEvent.ts"
import { anthropicEvents, openAiEvents } from "../../support/VendorDialects.ts"
import { geminiEvents } from "../../support/VendorGemini.ts"
import { responsesEvents } from "../../support/VendorResponses.ts"
import { say, VendorServer } from "../../support/VendorServer.ts"
import { bytes } from "./scenario.ts"
import { type Name, names, ourEvents, ourRead, readers } from "./vendor/SdkReaders.ts"

const answer = say([
  { thinking: "Two " },
  { thinking: "files." },
  { signature: "U0lH" },
  { text: "Read" },
  { text: "ing." },
  { tool: "Read", id: "call_a", args: { path: "/a" }, pieces: 2 },
  { tool: "Grep", id: "call_b", args: { pattern: "b" }, pieces: 2 }
])

const events: Readonly<Record<Name, ReadonlyArray<string>>> = {
  anthropic: [...anthropicEvents(answer, "m")].map(String),
  openai_chat: [...openAiEvents(answer, { model: "m", stream_options: { include_usage: true } })].map(String),
  openai_responses: [...responsesEvents(answer, { model: "m" })].map(String),
  gemini: [...geminiEvents(answer, "m")].map(String)
}

type Change = "twice" | "missing" | "swapped"

const changed = (all: ReadonlyArray<string>, change: Change, at: number): ReadonlyArray<string> => {
  const [event, next] = [all[at] ?? "", all[at + 1] ?? ""]
  switch (change) {
    case "twice":
      return all.toSpliced(at, 0, event)
    case "missing":
      return all.toSpliced(at, 1)
    case "swapped":
      return all.toSpliced(at, 2, next, event)
  }
}

/** Each block begins once, nothing is written into one that is not open, and the end is the end. */
const expectOrder = (told: ReadonlyArray<LlmEvent>, where: string) => {
  const open = new Set<number>()
  const seen = new Set<number>()
  for (const [at, event] of told.entries()) {
    switch (event.type) {
      case "text_start":
      case "thinking_start":
      case "tool_call_start":
        assert.isFalse(seen.has(event.index), `${where}: block ${event.index} begins twice`)
        seen.add(event.index)
        open.add(event.index)
        break
      case "delta":
        assert.isTrue(open.has(event.index), `${where}: block ${event.index} is not open`)
        break
      case "block_stop":
        assert.isTrue(open.delete(event.index), `${where}: block ${event.index} is not open`)
        break
      case "stop":
        assert.strictEqual(at, told.length - 1, where)
        assert.strictEqual(open.size, 0, where)
        break
      case "usage":
        break
    }
  }
}

/** A call that came twice is one call to us. */
const distinct = <A>(calls: ReadonlyArray<A>): ReadonlyArray<A> => [
  ...new Map(calls.map((call) => [JSON.stringify(call), call])).values()
]

const ours = (name: Name, server: VendorServer, body: ReadonlyArray<string>, where: string) =>
  Effect.gen(function* () {
    server.reply(bytes(...body))
    const result: Result.Result<ReadonlyArray<LlmEvent>, LlmError> = yield* Effect.result(ourEvents(name, server))
    if (Result.isSuccess(result)) expectOrder(result.success, where)
    else assert.oneOf(result.failure.reason, ["Protocol", "Cut"], where)
    return Result.getSuccess(result)
  })

describe.each(names)("%s", (name) => {
  const whole = events[name]

  it.effect("one event twice, missing or in the wrong place is an error, or what it is to the vendor's SDK", () =>
    Effect.gen(function* () {
      const server = yield* VendorServer.scoped
      for (const change of ["twice", "missing", "swapped"] as const) {
        for (let at = 0; at < whole.length - (change === "swapped" ? 1 : 0); at++) {
          const body = changed(whole, change, at)
          const where = `${change} at ${at}: ${whole[at]}`
          const told = yield* ours(name, server, body, where)
          if (Option.isNone(told)) continue
          server.reply(bytes(...body))
          const theirs = yield* Effect.option(Effect.tryPromise(() => readers[name].read(server)))
          const read = ourRead(told.value)
          if (Option.isSome(theirs)) {
            assert.deepStrictEqual(read.text, theirs.value.text, where)
            assert.deepStrictEqual(read.calls, distinct(theirs.value.calls), where)
          } else assert.include("Reading.", read.text, where)
        }
      }
    })
  )

  it.effect("many of them are never nonsense", () =>
    Effect.gen(function* () {
      const server = yield* VendorServer.scoped
      for (let seed = 0; seed < 200; seed++) {
        const body = yield* Effect.gen(function* () {
          let all = whole
          for (let n = yield* Random.nextIntBetween(2, 6); n > 0; n--) {
            const at = yield* Random.nextIntBetween(0, all.length - 2)
            const change = (["twice", "missing", "swapped"] as const)[yield* Random.nextIntBetween(0, 2)] ?? "twice"
            all = changed(all, change, at)
          }
          return all
        }).pipe(Random.withSeed(seed))
        yield* ours(name, server, body, `seed ${seed}`)
      }
    })
  )
})
