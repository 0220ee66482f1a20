/** How Anthropic's Messages API begins and ends a stream, for the model servers of the measurements. */

export const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

export const messageStart = event("message_start", {
  message: {
    id: "msg_01",
    type: "message",
    role: "assistant",
    model: "bench-1",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 }
  }
})

export const ending = (reason) =>
  event("message_delta", { delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 20 } }) +
  event("message_stop", {})
