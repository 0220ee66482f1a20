/**
 * A model server for measurements that speaks all four dialects and says one thing: as many pieces of text as the request
 * asks for with its limit of output tokens. In a process of its own, so that what it costs is not counted.
 *
 * It tells its port over the IPC channel of `fork`, and ends with it.
 */
import { createServer } from "node:http"
import { ending, event, messageStart } from "./anthropicEvents.mjs"

const data = (value) => `data: ${JSON.stringify(value)}\n\n`

/** What stands around the pieces of a text, and how one of them is told. */
const dialects = {
  "/v1/messages": {
    wanted: (body) => body.max_tokens,
    opening: messageStart + event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    piece: (text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    closing: () => event("content_block_stop", { index: 0 }) + ending("end_turn")
  },
  "/v1/chat/completions": {
    wanted: (body) => body.max_completion_tokens,
    opening: data(chunk({ delta: { role: "assistant", content: "", refusal: null } })),
    piece: (text) => data(chunk({ delta: { content: text } })),
    closing: () =>
      data(chunk({ delta: {}, finish_reason: "stop" })) +
      data({ ...chunk({}), choices: [], usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } }) +
      "data: [DONE]\n\n"
  },
  "/v1/responses": {
    wanted: (body) => body.max_output_tokens,
    opening:
      event("response.created", { sequence_number: 0, response: whole("in_progress", []) }) +
      event("response.output_item.added", {
        sequence_number: 1,
        output_index: 0,
        item: { id: "msg_0", type: "message", status: "in_progress", role: "assistant", content: [] }
      }),
    piece: (delta, at) =>
      event("response.output_text.delta", {
        sequence_number: 2 + at,
        item_id: "msg_0",
        output_index: 0,
        content_index: 0,
        delta,
        logprobs: [],
        obfuscation: "xYz"
      }),
    closing: (text) => {
      const content = [{ type: "output_text", annotations: [], logprobs: [], text }]
      const item = { id: "msg_0", type: "message", status: "completed", role: "assistant", content }
      const where = { item_id: "msg_0", output_index: 0, content_index: 0 }
      return (
        event("response.output_text.done", { ...where, text, logprobs: [] }) +
        event("response.output_item.done", { output_index: 0, item }) +
        event("response.completed", { response: whole("completed", [item]) })
      )
    }
  },
  "/v1beta/models/bench-1:streamGenerateContent": {
    wanted: (body) => body.generationConfig.maxOutputTokens,
    opening: "",
    piece: (text) => data(part([{ text }])),
    closing: () => data(part([], { finishReason: "STOP" }))
  }
}

function chunk(choice) {
  return {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "bench-1",
    choices: [{ index: 0, logprobs: null, finish_reason: null, ...choice }]
  }
}

function whole(status, output) {
  const usage = status === "completed" ? { input_tokens: 100, output_tokens: 20, total_tokens: 120 } : null
  return { id: "resp_1", object: "response", created_at: 1, status, error: null, model: "bench-1", output, usage }
}

function part(parts, more = {}) {
  return {
    candidates: [{ content: { parts, role: "model" }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 20, totalTokenCount: 120 },
    modelVersion: "bench-1"
  }
}

const breath = () => new Promise((resolve) => setImmediate(resolve))

/** As many events as fill a network packet or two, then the next: a fast model, not one large file. */
const perBurst = 20

/** Made once for each dialect and length: making them must not be what is waited for. */
const made = new Map()

const burstsOf = (path, { closing, opening, piece }, count) => {
  const key = `${path} ${count}`
  const known = made.get(key)
  if (known !== undefined) return known
  const words = Array.from({ length: count }, (_, index) => `word${index} `)
  const pieces = words.map(piece)
  const bursts = [Buffer.from(opening)]
  for (let at = 0; at < count; at += perBurst) bursts.push(Buffer.from(pieces.slice(at, at + perBurst).join("")))
  bursts.push(Buffer.from(closing(words.join(""))))
  made.set(key, bursts)
  return bursts
}

const server = createServer((request, response) => {
  const chunks = []
  response.on("error", () => {})
  request.on("data", (bytes) => chunks.push(bytes))
  request.on("end", async () => {
    const [path] = request.url.split("?")
    const dialect = dialects[path]
    const count = dialect?.wanted(JSON.parse(Buffer.concat(chunks).toString("utf8")))
    if (!Number.isInteger(count)) {
      response.writeHead(400, { "content-type": "application/json" })
      response.end('{"error":{"type":"invalid_request_error","message":"no such dialect, or no limit of tokens"}}')
      return
    }
    const bursts = burstsOf(path, dialect, count)
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })
    for (const bytes of bursts) {
      if (response.destroyed) return
      if (!response.write(bytes)) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve))
      await breath()
    }
    response.end()
  })
})
server.keepAliveTimeout = 600_000

process.on("disconnect", () => process.exit())

server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }))
