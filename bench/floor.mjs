/**
 * The floor: the least that an agent on Node can be, with no dependency and no care. It is what Node itself costs, and
 * what the pod is measured beside; it is not a product.
 *
 * One conversation, one JSON-lines journal (written and synced record by record, synchronously, which is the fastest
 * way on a disk that does nothing else), one Unix socket with JSON lines, a streamed model, two tools. It checks
 * nothing, bounds nothing, retries nothing and fences nothing.
 *
 *   FLOOR_DIR=… FLOOR_MODEL_URL=… node bench/floor.mjs
 */
import { spawn } from "node:child_process"
import { fdatasyncSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"

const directory = process.env.FLOOR_DIR
const modelUrl = process.env.FLOOR_MODEL_URL

mkdirSync(directory, { recursive: true })
const journal = openSync(join(directory, "journal.jsonl"), "a+")
const messages = []

const remember = (entry) => {
  if (entry.kind === "message") messages.push(entry.message)
}

const commit = (entry) => {
  writeSync(journal, `${JSON.stringify(entry)}\n`)
  fdatasyncSync(journal)
  remember(entry)
}

for (const line of readFileSync(journal, "utf8").split("\n")) if (line !== "") remember(JSON.parse(line))

const clients = new Set()
const broadcast = (event, data) => {
  const line = `${JSON.stringify({ event, data })}\n`
  for (const client of clients) client.write(line)
}

const tools = {
  Bash: ({ command }) =>
    new Promise((resolve) => {
      const child = spawn("bash", ["-c", command], { stdio: ["ignore", "pipe", "pipe"] })
      let output = ""
      child.stdout.on("data", (piece) => (output += piece))
      child.stderr.on("data", (piece) => (output += piece))
      child.on("close", (code) => resolve(`exit ${code}\n${output}`))
    }),
  Read: async ({ file_path }) =>
    (await readFile(file_path, "utf8"))
      .split("\n")
      .map((line, index) => `${index + 1}\t${line}`)
      .join("\n")
}

const definitions = [
  { name: "Bash", input_schema: { type: "object", properties: { command: { type: "string" } } } },
  { name: "Read", input_schema: { type: "object", properties: { file_path: { type: "string" } } } }
]

/** One answer of the model, as content blocks. */
const ask = async (signal) => {
  const response = await fetch(`${modelUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": "none", "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ model: "bench-1", max_tokens: 8192, stream: true, tools: definitions, messages }),
    signal
  })
  const text = new TextDecoder()
  const blocks = []
  let rest = ""
  const take = (event) => {
    const data = JSON.parse(event.slice(event.indexOf("data: ") + 6))
    if (data.type === "content_block_start") blocks[data.index] = { ...data.content_block, json: "" }
    if (data.type !== "content_block_delta") return
    const block = blocks[data.index]
    if (data.delta.type === "input_json_delta") block.json += data.delta.partial_json
    if (data.delta.type !== "text_delta") return
    block.text += data.delta.text
    broadcast("text_delta", { text: data.delta.text })
  }
  for await (const bytes of response.body) {
    const events = (rest + text.decode(bytes, { stream: true })).split("\n\n")
    rest = events.pop()
    for (const event of events) take(event)
  }
  return blocks.map(({ json, ...block }) => (block.type === "tool_use" ? { ...block, input: JSON.parse(json) } : block))
}

const call = async ({ id, input, name }) => {
  commit({ kind: "tool_started", id })
  const content = await tools[name](input)
  commit({ kind: "tool_ended", id })
  broadcast("tool_result", { id, output: content })
  return { type: "tool_result", tool_use_id: id, content }
}

let running

const run = async (input) => {
  running = new AbortController()
  let result = "finished"
  try {
    commit({ kind: "message", message: { role: "user", content: input.map(({ content }) => content).join("") } })
    for (;;) {
      const content = await ask(running.signal)
      commit({ kind: "message", message: { role: "assistant", content } })
      const calls = content.filter((block) => block.type === "tool_use")
      if (calls.length === 0) break
      commit({ kind: "message", message: { role: "user", content: await Promise.all(calls.map(call)) } })
    }
  } catch (error) {
    result = running.signal.aborted ? "cancelled" : `failed: ${error.message}`
  }
  commit({ kind: "run_end", result })
  broadcast("run_end", { result })
}

const methods = {
  run: ({ input }) => void run(input),
  cancel: () => running?.abort()
}

const socket = join(directory, "sock")
rmSync(socket, { force: true })
createServer((client) => {
  clients.add(client)
  let rest = ""
  client.setEncoding("utf8")
  client.on("data", (piece) => {
    const lines = (rest + piece).split("\n")
    rest = lines.pop()
    for (const line of lines) {
      const { id, method, params } = JSON.parse(line)
      if (method === "hello") client.write(`${JSON.stringify({ event: "welcome", data: { reply_to: id } })}\n`)
      else methods[method](params)
    }
  })
  client.on("close", () => clients.delete(client))
  client.on("error", () => {})
}).listen(socket, () => process.stderr.write(`POD-READY\tfloor\t${socket}\n`))
