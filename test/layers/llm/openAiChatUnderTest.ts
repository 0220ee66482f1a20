import * as Effect from "effect/Effect"
import * as OpenAiChat from "../../../layers/llm/OpenAiChat.ts"
import { fold } from "../../../src/llm/Response.ts"
import { bytes } from "./scenario.ts"
import { collect, setUp, type VendorUnderTest } from "./vendor/UnderTest.ts"

export const openAiChat: VendorUnderTest = {
  name: "openai_chat",
  make: OpenAiChat.make,
  baseUrl: (address) => `${address}/v1`,
  conversation: "messages",
  stopReasons: {
    stop: "end_turn",
    length: "max_tokens",
    content_filter: "refusal",
    tool_calls: "end_turn",
    something_new: "end_turn"
  },
  streamErrors: [
    { type: "rate_limit_exceeded", status: 429 },
    { type: "server_error", status: 500 },
    { type: "some_new_error", status: undefined }
  ],
  overflows: [
    {
      status: 400,
      type: "context_length_exceeded",
      message: "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
    },
    {
      status: 400,
      type: "invalid_request_error",
      message: "Please reduce the length of the messages or completion."
    },
    {
      status: 400,
      type: "exceed_context_size_error",
      message: "the request exceeds the available context size, try increasing it"
    },
    { status: 413, type: "", message: "Payload Too Large" }
  ]
}

/** What comes of these events. */
export const read = (...events: ReadonlyArray<object | string>) =>
  Effect.gen(function* () {
    const { client } = yield* setUp(openAiChat, bytes(...events))
    return fold(yield* collect(client))
  })
export const delta = (change: object, rest: object = {}) => ({ choices: [{ index: 0, delta: change, ...rest }] })
export const call = (piece: object) => delta({ tool_calls: [piece] })
export const end = (reason: string) => delta({}, { finish_reason: reason })
export const calls = (response: { items: () => ReadonlyArray<{ item: object }> }) =>
  response.items().map(({ item }) => {
    const { arguments: args, call_id, name } = item as Record<string, string>
    return [call_id, name, args]
  })
