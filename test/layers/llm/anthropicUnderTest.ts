import * as Anthropic from "../../../layers/llm/Anthropic.ts"
import type { VendorUnderTest } from "./vendor/UnderTest.ts"

export const anthropic: VendorUnderTest = {
  name: "anthropic",
  make: Anthropic.make,
  baseUrl: (address) => address,
  conversation: "messages",
  stopReasons: {
    end_turn: "end_turn",
    stop_sequence: "end_turn",
    max_tokens: "max_tokens",
    pause_turn: "pause",
    refusal: "refusal",
    model_context_window_exceeded: "context_overflow",
    something_new: "end_turn"
  },
  streamErrors: [
    { type: "overloaded_error", status: 529 },
    { type: "api_error", status: 500 },
    { type: "rate_limit_error", status: 429 },
    { type: "some_new_error", status: undefined }
  ],
  overflows: [
    { status: 400, type: "invalid_request_error", message: "prompt is too long: 208310 tokens > 200000 maximum" },
    {
      status: 400,
      type: "invalid_request_error",
      message: "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"
    },
    { status: 413, type: "request_too_large", message: "Request exceeds the maximum size" }
  ]
}
