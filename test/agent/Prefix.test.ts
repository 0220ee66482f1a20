/** The same history gives the same bytes: what a vendor has cached is found again. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { build as anthropic } from "../../layers/llm/anthropic/Request.ts"
import { build as gemini } from "../../layers/llm/gemini/Request.ts"
import { build as openAi } from "../../layers/llm/openaiChat/Request.ts"
import { build as openAiResponses } from "../../layers/llm/openaiResponses/Request.ts"
import type { LlmRequest } from "../../src/llm/LlmRequest.ts"
import { prefixOf } from "../../src/llm/Prefix.ts"
import { counting } from "../support/benchTools.ts"
import { fileOf, isEvent, isStatus, open, until } from "../support/podBench.ts"

const vendor = { apiKey: undefined, baseUrl: "http://h", model: "m", contextWindow: 100_000 }

/** The bytes of a request up to its end, in each dialect; marks move with the end and are no part of the prefix. */
const bytes = (request: LlmRequest): ReadonlyArray<string> => {
  const unmarked = JSON.parse(
    JSON.stringify(anthropic(vendor, request).body, (key, value: unknown) =>
      key === "cache_control" ? undefined : value
    )
  ) as { system?: unknown; tools?: unknown; messages: ReadonlyArray<{ role: string; content: ReadonlyArray<unknown> }> }
  const chat = openAi(vendor, request).body
  const responses = openAiResponses(vendor, request).body
  const google = gemini({ ...vendor, model: "gemini-3.8-flash" }, request)
  expect([chat.prompt_cache_key, responses.prompt_cache_key]).toEqual([undefined, request.cacheKey])
  return [
    JSON.stringify([request.system, request.tools, ...request.messages]).slice(0, -1),
    // Messages of one role are joined, so the last one may still grow.
    JSON.stringify([unmarked.system, unmarked.tools]) +
      unmarked.messages
        .map(({ content, role }) => role + content.map((part) => JSON.stringify(part)).join(""))
        .join(""),
    JSON.stringify([chat.tools, ...chat.messages]).slice(0, -1),
    JSON.stringify([responses.instructions, responses.tools, responses.input]).slice(0, -2),
    JSON.stringify([google.config]) +
      google.contents
        .map(({ parts = [], role = "" }) => role + parts.map((part) => JSON.stringify(part)).join(""))
        .join("")
  ]
}

const Move = Schema.Literals(["text", "tools", "notify", "restart", "pause", "fork"])

describe("a longer history", () => {
  it.effect.prop(
    "begins with the bytes of the shorter one: over turns, notifications, pauses, restarts and forks",
    [Schema.Array(Move).check(Schema.isMinLength(3), Schema.isMaxLength(12)), Schema.Int],
    ([moves, seed]) =>
      Effect.gen(function* () {
        const memory = MemoryStore.make()
        const act = counting("Act")
        const options = { tools: [act.tool] }
        const attached = Effect.fnUntraced(function* (name?: string) {
          const bench = yield* open(memory, { ...options, ...(name === undefined ? {} : { name }) })
          return { ...bench, take: (yield* bench.handle.attach).take }
        })
        let name: string | undefined
        let bench = yield* attached()
        const requests: Array<LlmRequest> = []
        const next = Effect.suspend(() =>
          Effect.tap(bench.model.next, ({ request }) => Effect.sync(() => requests.push(request)))
        )
        let said = 0
        const finish = Effect.gen(function* () {
          yield* Effect.flatMap(next, (call) => call.answer(`answer ${said}`))
          yield* until(bench.take, isStatus("idle"))
        })
        for (const move of moves) {
          said += 1
          switch (move) {
            case "text":
              yield* bench.handle.run(`say ${said}`)
              yield* finish
              break
            case "tools":
              yield* bench.handle.run(`do ${said}`)
              yield* Effect.flatMap(next, (call) =>
                call.callTools({ id: `c${said}`, name: "Act", args: { b: 1, a: "ü" } })
              )
              yield* finish
              break
            case "notify":
              yield* bench.handle.notify(`heard ${said}`)
              yield* finish
              break
            case "pause":
              yield* bench.handle.run(`wait ${said}`)
              yield* Effect.flatMap(next, (call) => call.callTools({ id: `p${said}`, name: "Act", args: {} }))
              yield* next
              yield* bench.handle.pause
              yield* until(bench.take, isStatus("paused"))
              yield* bench.handle.resume
              yield* finish
              break
            case "restart":
              bench = yield* attached(name)
              break
            case "fork":
              // Nothing was said yet: there is nothing to go on from.
              if (requests.length === 0) break
              yield* bench.handle.fork(`copy-${said}`)
              name = `copy-${said}`
              bench = yield* attached(name)
              break
          }
        }
        yield* bench.handle.run("and at last")
        yield* finish
        for (const [n, request] of requests.entries()) {
          const before = requests[n - 1]
          if (before === undefined) continue
          for (const [dialect, earlier] of bytes(before).entries()) {
            expect((bytes(request)[dialect] ?? "").startsWith(earlier), `request ${n}, dialect ${dialect}`).toBe(true)
          }
        }
        const alerts = (yield* bench.handle.attach).alerts
        expect(alerts.map(({ data }) => data.message)).toEqual([])
      }).pipe(Effect.scoped, Random.withSeed(seed)),
    { arbitrary: { runs: 25 }, timeout: 60_000 }
  )
})

describe("a prefix", () => {
  const request = (system: string, ...texts: ReadonlyArray<string>): LlmRequest => ({
    system,
    messages: texts.map((text) => ({ role: "user", text })),
    tools: [],
    config: { max_tokens: null, temperature: null, top_p: null, top_k: null, stop_sequences: [], reasoning: null },
    cacheKey: "k"
  })

  it("is that of the longer request, cut to the same length; any other byte changes it", () => {
    const short = prefixOf(request("s", "a", "b"))
    expect(prefixOf(request("s", "a", "b", "c"), 2)).toEqual(short)
    expect(prefixOf(request("s", "a"), 2)).toBeUndefined()
    for (const other of [
      request("S", "a", "b"),
      request("s", "b", "a"),
      request("s", "a", "b "),
      request("s", "ab", "")
    ]) {
      expect(prefixOf(other, 2)?.hash).not.toBe(short?.hash)
    }
  })
})

describe("a request that begins otherwise than the last one", () => {
  it.effect("is told, once; the journal has what it began with", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory, { tools: [counting("Act").tool] })
      const { take } = yield* first.handle.attach
      yield* first.handle.run("go")
      yield* Effect.flatMap(first.model.next, (call) => call.answer("done"))
      yield* until(take, isStatus("idle"))
      const usage = fileOf(memory, first.ref).find(({ kind }) => kind === "llm_usage")
      expect(usage).toMatchObject({ prefix: { messages: 1, hash: expect.stringMatching(/^[0-9a-f]{16}$/) } })
      const again = yield* open(memory, { tools: [counting("Other").tool] })
      const later = yield* again.handle.attach
      for (let n = 0; n < 2; n++) {
        yield* again.handle.run("more")
        yield* Effect.flatMap(again.model.next, (call) => call.answer("done"))
        const seen = yield* until(later.take, isStatus("idle"))
        expect(seen.filter(isEvent("alert")).length, `run ${n}`).toBe(n === 0 ? 1 : 0)
      }
    }).pipe(Effect.scoped)
  )
})
