/**
 * A model server for measurements: Anthropic's Messages API as a stream, in a process of its own, so that what it costs
 * is not counted.
 *
 * It is told over the IPC channel of `fork` what to answer next, one answer per request, and keeps when each request
 * came in, when its last byte went out and when its connection was closed. Times are milliseconds of the clock that all
 * processes of a machine share.
 *
 *   { play: [answer, ...] }  -> { playing: n }        answers for the requests to come; those not used yet are dropped
 *   { take: n }              -> { records: [...] }    the n oldest records, as soon as all of them are complete
 */
import { createServer } from "node:http"
import { ending, event, messageStart } from "./anthropicEvents.mjs"

const now = () => Number(process.hrtime.bigint()) / 1e6

const closing = (reason) => event("content_block_stop", { index: 0 }) + ending(reason)

/** What agents say has lines, quotes and now and then a character of its own. */
const prose =
  'The function `price(item)` returns "net", not gross: 3 callers rely on it.\n\tconst total = net * (1 + rate)\n'

const block = (content, index = 0) => event("content_block_start", { index, content_block: content })
const delta = (piece, index = 0) => event("content_block_delta", { index, delta: piece })
const textBlock = block({ type: "text", text: "" })
const word = (text) => Buffer.from(delta({ type: "text_delta", text }))

const breath = () => new Promise((resolve) => setImmediate(resolve))

/** As many events as fill a network packet or two, then the next: a fast model, not one large file. */
const eventsPerBurst = 20

const answers = {
  text: (response, record) => {
    response.write(messageStart + textBlock + delta({ type: "text_delta", text: "All is well." }))
    record.lastByte = now()
    response.end(closing("end_turn"))
  },
  tool: (response, record, { id, name, args }) => {
    response.write(messageStart + block({ type: "tool_use", id, name, input: {} }))
    response.write(delta({ type: "input_json_delta", partial_json: JSON.stringify(args) }))
    record.lastByte = now()
    response.end(closing("tool_use"))
  },
  work: async (response, record, { bytes, id, steps }) => {
    const text = prose.repeat(Math.ceil(bytes / prose.length)).slice(0, bytes)
    response.write(messageStart)
    for (let step = 0; step < steps; step++) {
      const [said, called] = [2 * step, 2 * step + 1]
      const pieces = [
        block({ type: "text", text: "" }, said),
        delta({ type: "text_delta", text }, said),
        event("content_block_stop", { index: said }),
        block({ type: "tool_use", id: `${id}_${step}`, name: "Unknown", input: {} }, called),
        delta({ type: "input_json_delta", partial_json: JSON.stringify({ step, text }) }, called),
        event("content_block_stop", { index: called })
      ]
      if (!response.write(pieces.join(""))) await new Promise((resolve) => response.once("drain", resolve))
    }
    record.lastByte = now()
    response.end(ending("tool_use"))
  },
  deltas: async (response, record, { count }) => {
    const words = Array.from({ length: count }, (_, index) => word(`word${index} `))
    record.firstByte = now()
    response.write(messageStart + textBlock)
    for (const [index, bytes] of words.entries()) {
      if (index % eventsPerBurst === 0) await breath()
      response.write(bytes)
    }
    record.lastByte = now()
    response.end(closing("end_turn"))
  },
  hang: (response) => {
    response.write(messageStart + textBlock)
    response.write(word("still "))
  }
}

let plan = []
let records = []
let waiting

const settle = () => {
  if (waiting === undefined || records.length < waiting) return
  const ready = records.slice(0, waiting)
  // What was hung up on has no last byte, and what has one may stay connected.
  if (ready.some((record) => record.lastByte === undefined && record.closed === undefined)) return
  records = records.slice(waiting)
  waiting = undefined
  process.send({ records: ready })
}

const server = createServer((request, response) => {
  request.on("data", () => {})
  request.on("end", async () => {
    const record = { arrived: now() }
    const answer = plan.shift()
    response.on("close", () => {
      record.closed = now()
      settle()
    })
    response.on("error", () => {})
    records.push(record)
    if (answer === undefined) {
      record.lastByte = now()
      response.writeHead(400, { "content-type": "application/json" })
      response.end('{"type":"error","error":{"type":"invalid_request_error","message":"no answer is planned"}}')
      return
    }
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })
    await answers[answer.kind](response, record, answer)
    settle()
  })
})
// A connection that is given up between two turns would look like a slow one.
server.keepAliveTimeout = 600_000

process.on("message", (message) => {
  if (message.play !== undefined) {
    plan = message.play
    records = []
    waiting = undefined
    process.send({ playing: plan.length })
    return
  }
  waiting = message.take
  settle()
})
process.on("disconnect", () => process.exit())

server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }))
