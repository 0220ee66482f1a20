/** Images and documents that a tool returned, on the wire of each dialect. */
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "../../../layers/llm/anthropic/Request.ts"
import * as Gemini from "../../../layers/llm/gemini/Request.ts"
import * as OpenAiChat from "../../../layers/llm/openaiChat/Request.ts"
import * as OpenAiResponses from "../../../layers/llm/openaiResponses/Request.ts"
import type { LlmRequest } from "../../../src/llm/LlmRequest.ts"
import { request } from "../../llm/fakeClient.ts"

const png = { type: "image/png", data: "iVBORw==", name: "a.png" }
const pdf = { type: "application/pdf", data: "JVBERi0=", name: "b.pdf" }

const call = (id: string) => ({ kind: "tool_call", id, name: "Read", arguments: "{}" }) as const
const asked: LlmRequest = {
  ...request,
  messages: [
    { role: "user", text: "look" },
    { role: "assistant", blocks: [call("c1"), call("c2")] },
    {
      role: "tool",
      results: [
        { id: "c1", name: "Read", text: "an image", isError: false, media: [png, pdf] },
        { id: "c2", name: "Read", text: "text", isError: false }
      ]
    }
  ]
}
const options = (vision: boolean | undefined, documents?: boolean) => ({
  apiKey: undefined,
  model: "m",
  contextWindow: 200_000,
  capability: { vision, documents }
})

describe("what a tool shows", () => {
  it("goes to Anthropic inside the result", () => {
    const [, , results] = Anthropic.build(options(true), asked).body.messages
    assert.deepInclude(results?.content[0], {
      type: "tool_result",
      tool_use_id: "c1",
      content: [
        { type: "text", text: "an image" },
        { type: "image", source: { type: "base64", media_type: "image/png", data: png.data } },
        { type: "document", source: { type: "base64", media_type: "application/pdf", data: pdf.data } }
      ]
    })
    assert.deepInclude(results?.content[1], { type: "tool_result", tool_use_id: "c2", content: "text" })
  })

  it("goes to OpenAI Responses inside the output", () => {
    const { input } = OpenAiResponses.build(options(true), asked).body
    assert.deepInclude(input?.at(-2), {
      type: "function_call_output",
      call_id: "c1",
      output: [
        { type: "input_text", text: "an image" },
        { type: "input_image", image_url: "data:image/png;base64,iVBORw==", detail: "auto" },
        { type: "input_file", filename: "b.pdf", file_data: "data:application/pdf;base64,JVBERi0=" }
      ]
    })
    assert.deepInclude(input?.at(-1), { call_id: "c2", output: "text" })
  })

  it("goes to Chat Completions as the user's, behind all results", () => {
    const { messages } = OpenAiChat.build(options(true), asked).body
    assert.deepStrictEqual(messages.slice(-3), [
      { role: "tool", tool_call_id: "c1", content: "an image" },
      { role: "tool", tool_call_id: "c2", content: "text" },
      {
        role: "user",
        content: [
          { type: "text", text: "[What the tools above returned besides text.]" },
          { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw==" } },
          { type: "file", file: { filename: "b.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } }
        ]
      }
    ])
  })

  it("goes to Gemini behind the responses", () => {
    const parts = Gemini.build(options(true), asked).contents.at(-1)?.parts ?? []
    assert.deepStrictEqual(parts.slice(2), [
      { inlineData: { mimeType: "image/png", data: png.data } },
      { inlineData: { mimeType: "application/pdf", data: pdf.data } }
    ])
    assert.deepStrictEqual(parts[0]?.functionResponse?.response, { output: "an image" })
  })

  it("is left out for a model that cannot see, which is told", () => {
    const bodies = [
      Anthropic.build(options(false), asked).body,
      OpenAiResponses.build(options(false), asked).body,
      OpenAiChat.build(options(false), asked).body,
      Gemini.build(options(false), asked)
    ].map((body) => JSON.stringify(body))
    for (const body of bodies) {
      assert.notInclude(body, png.data)
      assert.notInclude(body, pdf.data)
      assert.include(body, "Not shown here: a.png, b.pdf. This model cannot see it.")
    }
  })

  it("is left out alone where a model sees images and no documents", () => {
    const bodies = [
      Anthropic.build(options(true, false), asked).body,
      OpenAiResponses.build(options(true, false), asked).body,
      OpenAiChat.build(options(true, false), asked).body,
      Gemini.build(options(true, false), asked)
    ].map((body) => JSON.stringify(body))
    for (const body of bodies) {
      assert.include(body, png.data)
      assert.notInclude(body, pdf.data)
      assert.include(body, "Not shown here: b.pdf. This model cannot see it.")
    }
  })
})
