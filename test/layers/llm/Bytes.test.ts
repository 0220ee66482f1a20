/**
 * The bytes of an answer, split and cut in every place: fed to the one reader of all vendors, with each vendor's decoder.
 *
 * The bodies are those that the vendors' test server sends.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Anthropic from "../../../layers/llm/anthropic/Events.ts"
import * as Gemini from "../../../layers/llm/gemini/Events.ts"
import * as OpenAiChat from "../../../layers/llm/openaiChat/Events.ts"
import * as OpenAiResponses from "../../../layers/llm/openaiResponses/Events.ts"
import * as Answer from "../../../layers/llm/vendor/Answer.ts"
import * as CallIds from "../../../layers/llm/vendor/CallIds.ts"
import type { Vendor } from "../../../layers/llm/vendor/Vendor.ts"
import { LlmError } from "../../../src/llm/LlmError.ts"
import type { LlmEvent } from "../../../src/llm/LlmEvent.ts"
import { fold } from "../../../src/llm/Response.ts"
import { request } from "../../llm/fakeClient.ts"
import { anthropicEvents, openAiEvents } from "../../support/VendorDialects.ts"
import { geminiEvents } from "../../support/VendorGemini.ts"
import { responsesEvents } from "../../support/VendorResponses.ts"
import { say } from "../../support/VendorServer.ts"

const vendor: Vendor = { provider: "test", host: "127.0.0.1", key: undefined }

const reply = say(
  [
    { thinking: "Hm 🎉" },
    { signature: "U0lH" },
    { text: "世界, " },
    { ping: true },
    { tool: "Read", id: "c1", args: { a: "ü\n" }, pieces: 2 }
  ],
  { usage: { input: 10, output: 5, cacheRead: 2 } }
)

const dialects = {
  anthropic: { body: [...anthropicEvents(reply, "m")].join(""), decoder: Anthropic.decoder },
  openai_chat: {
    body: [...openAiEvents(reply, { model: "m", stream_options: { include_usage: true } })].join(""),
    decoder: OpenAiChat.decoder
  },
  openai_responses: { body: [...responsesEvents(reply, { model: "m" })].join(""), decoder: OpenAiResponses.decoder },
  gemini: { body: [...geminiEvents(reply, "m")].join(""), decoder: Gemini.decoder }
} as const

const chunked = (chunks: ReadonlyArray<Uint8Array>): Response => {
  let next = 0
  return new Response(
    new ReadableStream({
      pull: (controller) => {
        const chunk = chunks[next++]
        if (chunk === undefined) controller.close()
        else controller.enqueue(chunk)
      }
    })
  )
}

/** What an answer comes to, and how it went wrong. */
const read = async (dialect: keyof typeof dialects, chunks: ReadonlyArray<Uint8Array>) => {
  const events: Array<LlmEvent> = []
  const decoder = dialects[dialect].decoder(vendor, CallIds.forAnswer(request))
  try {
    for await (const some of Answer.read(vendor, chunked(chunks), decoder, () => {})) events.push(...some)
  } catch (error) {
    assert.instanceOf(error, LlmError)
    return Result.fail(error)
  }
  const response = fold(events)
  return Result.succeed({ items: response.items(), usage: response.usage(), stop: response.stop() })
}

describe.each(Object.keys(dialects) as ReadonlyArray<keyof typeof dialects>)("the bytes of %s", (dialect) => {
  const encode = (text: string) => new TextEncoder().encode(text)
  const body = encode(dialects[dialect].body)
  const whole = async () => {
    const result = await read(dialect, [body])
    if (Result.isFailure(result)) throw result.failure
    assert.strictEqual(result.success.stop?.reason, "tool_use")
    return result.success
  }

  it("are the same answer in two pieces, wherever they are split, and one by one", async () => {
    const expected = await whole()
    for (let at = 1; at < body.length; at++) {
      const result = await read(dialect, [body.subarray(0, at), body.subarray(at)])
      assert.deepStrictEqual(Result.getOrThrow(result), expected, `split at ${at}`)
    }
    const single = await read(
      dialect,
      Array.from(body, (byte) => Uint8Array.of(byte))
    )
    assert.deepStrictEqual(Result.getOrThrow(single), expected)
  })

  it("are never an answer, and never nonsense, when they break off before its end", async () => {
    const expected = await whole()
    for (let end = 0; end < body.length; end++) {
      const result = await read(dialect, [body.subarray(0, end)])
      if (Result.isSuccess(result)) {
        // What is missing here says nothing more: usage, or an end behind the reason to stop.
        assert.deepStrictEqual(result.success.items, expected.items, `cut at ${end}`)
        assert.strictEqual(result.success.stop?.reason, "tool_use")
      } else assert.strictEqual(result.failure.reason, "Cut", `cut at ${end}`)
    }
  })

  it("may have other line ends, comments and fields between them", async () => {
    const expected = await whole()
    const text = dialects[dialect].body.replaceAll("\r\n", "\n")
    const variants = [
      text.replaceAll("\n", "\r\n"),
      text.replaceAll("\n", "\r"),
      text.replaceAll("\n\n", "\n\n: a comment\n\n"),
      text.replaceAll(/^data: /gm, "id: 7\nretry: 10\ndata:"),
      `\uFEFF${text}`,
      text.trimEnd()
    ]
    for (const variant of variants) {
      assert.deepStrictEqual(Result.getOrThrow(await read(dialect, [encode(variant)])), expected)
    }
  })
})
