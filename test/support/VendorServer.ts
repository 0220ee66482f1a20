/**
 * A model server on 127.0.0.1 that speaks Anthropic Messages, OpenAI Chat Completions, OpenAI Responses and Gemini as the
 * real ones do.
 *
 * Which one is asked for is told by the path. Replies are played in the
 * order they were given, one per request; a request too many gets a 500 that says so.
 *
 *   const server = await VendorServer.start()            // or `yield* VendorServer.scoped` in an Effect test
 *   server.reply(say([{ text: "Hel" }, { text: "lo" }]), failure(529, "overloaded_error", "Overloaded"))
 *   … point model.base_url at server.anthropicUrl or server.openAiUrl and run …
 *   const first = await server.request(0)                // waits until it has come in whole
 *   first.body; first.headers
 *   await first.closed                                   // "client" or "server": who ended the connection
 *   await server.stop()
 *
 * A `Gate` in a reply holds it there: `await gate.reached`, do something, `gate.open()`. A server that hangs is a gate
 * that nobody opens; one that refuses connections is `refusingUrl()`. Nothing in here waits for time.
 */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { anthropicEvents, openAiEvents, type Wire } from "./VendorDialects.ts"
import { geminiEvents } from "./VendorGemini.ts"
import { responsesEvents } from "./VendorResponses.ts"

export class Gate {
  readonly reached: Promise<void>
  readonly opened: Promise<void>
  private markReached = () => {}
  private markOpened = () => {}

  constructor() {
    this.reached = new Promise((resolve) => (this.markReached = resolve))
    this.opened = new Promise((resolve) => (this.markOpened = resolve))
  }

  open(): void {
    this.markOpened()
  }

  async pass(): Promise<void> {
    this.markReached()
    await this.opened
  }
}

/** One thing that a streamed answer does. Neighbouring text, and neighbouring thinking, are deltas of one block. */
export type Step =
  | { readonly text: string }
  | { readonly thinking: string }
  /** Ends the thinking with its signature (Anthropic) or encrypted content (Responses); Gemini signs the next part. */
  | { readonly signature: string }
  /** A whole block of hidden thinking (Anthropic, Responses). */
  | { readonly redacted: string }
  | { readonly refusal: string }
  /** `args`: a value to be sent as JSON, or a string that is sent as it is. */
  | { readonly tool: string; readonly id: string; readonly args: unknown; readonly pieces?: number }
  | { readonly ping: true }
  | { readonly gate: Gate }
  /** An error event inside the open stream. */
  | { readonly error: { readonly type: string; readonly message: string } }
  /** Bytes as they are. */
  | { readonly raw: string }
  /** The connection is torn down. */
  | { readonly cut: true }

export interface Usage {
  readonly input: number
  readonly output: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
}

export interface Streamed {
  readonly kind: "stream"
  readonly steps: ReadonlyArray<Step>
  /** Held before the headers are sent. */
  readonly beforeHeaders?: Gate
  /** Held after the headers, before the first event. */
  readonly afterHeaders?: Gate
  readonly usage?: Usage
  /** The vendor's word for why it ended; by default what the steps come to. */
  readonly stop?: string
}

export interface Whole {
  readonly kind: "whole"
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Takes the place of the body, in the form that the vendor gives to its errors. */
  readonly error?: { readonly type: string; readonly message: string }
}

export type Reply = Streamed | Whole

export const say = (steps: ReadonlyArray<Step>, options: Omit<Streamed, "kind" | "steps"> = {}): Streamed => ({
  kind: "stream",
  steps,
  ...options
})

/** An HTTP error, in the vendor's shape. */
export const failure = (
  status: number,
  type: string,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): Whole => ({
  kind: "whole",
  status,
  headers: { "content-type": "application/json", ...headers },
  body: "",
  error: { type, message }
})

const errorBody = (dialect: Dialect, status: number, { message, type }: NonNullable<Whole["error"]>): object => {
  switch (dialect) {
    case "anthropic":
      return { type: "error", error: { type, message }, request_id: "req_1" }
    case "openai":
    case "responses":
      return { error: { message, type, param: null, code: type } }
    case "gemini":
      return { error: { code: status, message, status: type } }
  }
}

export const page = (status: number, html: string): Whole => ({
  kind: "whole",
  status,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: html
})

export type Dialect = "anthropic" | "openai" | "responses" | "gemini"

export interface Received {
  readonly dialect: Dialect
  readonly path: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
  /** Connections are counted from 0; requests over the same one share it. */
  readonly connection: number
  /** Settles when the connection's answer is over: who ended it. */
  readonly closed: Promise<"client" | "server">
}

export class VendorServer {
  readonly requests: Array<Received> = []
  /** Answers what no reply was given for. */
  otherwise: ((received: Received) => Reply) | undefined
  /** How many connections there were, whatever was asked over them. */
  connected = 0
  private readonly replies: Array<Reply> = []
  private readonly waiting = new Map<number, Array<(received: Received) => void>>()
  private readonly connections = new WeakMap<object, number>()
  private readonly http: Http.Server

  private constructor() {
    this.http = Http.createServer((request, response) => {
      // A client that goes away while it still sends is no concern of the server.
      this.serve(request, response).catch(() => response.destroy())
    })
    this.http.on("connection", (socket) => this.connections.set(socket, this.connected++))
  }

  static async start(): Promise<VendorServer> {
    const server = new VendorServer()
    await new Promise<void>((resolve) => server.http.listen(0, "127.0.0.1", resolve))
    return server
  }

  static readonly scoped = Effect.acquireRelease(
    Effect.promise(() => VendorServer.start()),
    (server) => Effect.promise(() => server.stop())
  )

  get port(): number {
    return (this.http.address() as AddressInfo).port
  }

  /** What `model.base_url` is for the schemes `anthropic` and `gemini`. */
  get anthropicUrl(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What `model.base_url` is for the schemes `openai_chat` and `openai_responses`. */
  get openAiUrl(): string {
    return `http://127.0.0.1:${this.port}/v1`
  }

  reply(...replies: ReadonlyArray<Reply>): void {
    this.replies.push(...replies)
  }

  /** Takes back the replies that have not been played. */
  forget(): void {
    this.replies.length = 0
  }

  /** The n-th request (from 0), as soon as it has come in. */
  request(n: number): Promise<Received> {
    const received = this.requests[n]
    if (received !== undefined) return Promise.resolve(received)
    return new Promise((resolve) => this.waiting.set(n, [...(this.waiting.get(n) ?? []), resolve]))
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections()
    await new Promise<void>((resolve) => this.http.close(() => resolve()))
  }

  private async serve(request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> {
    const dialect = dialectOf(request.url ?? "")
    if (dialect === undefined) {
      response.writeHead(404, { "content-type": "application/json" })
      response.end(JSON.stringify({ type: "error", error: { type: "not_found_error", message: "Not Found" } }))
      return
    }
    const cut = { byUs: false }
    const closed = new Promise<"client" | "server">((resolve) =>
      response.on("close", () => resolve(response.writableEnded || cut.byUs ? "server" : "client"))
    )
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const received: Received = {
      dialect,
      path: request.url ?? "",
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>,
      connection: this.connections.get(request.socket) ?? -1,
      closed
    }
    const n = this.requests.push(received) - 1
    for (const resolve of this.waiting.get(n) ?? []) resolve(received)
    const reply =
      this.replies.shift() ??
      this.otherwise?.(received) ??
      failure(500, "api_error", `no reply is scripted for request ${n}`)
    await (reply.kind === "whole"
      ? this.whole(response, received.dialect, reply)
      : this.stream(response, received, reply, cut))
  }

  private whole(response: Http.ServerResponse, dialect: Dialect, { body, error, headers, status }: Whole): void {
    response.writeHead(status, headers)
    response.end(error === undefined ? body : JSON.stringify(errorBody(dialect, status, error)))
  }

  private async stream(
    response: Http.ServerResponse,
    received: Received,
    reply: Streamed,
    cut: { byUs: boolean }
  ): Promise<void> {
    await reply.beforeHeaders?.pass()
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "request-id": "req_1"
    })
    response.flushHeaders()
    await reply.afterHeaders?.pass()
    for (const event of eventsOf(received, reply)) {
      if (event === "cut") {
        cut.byUs = true
        // Everything written so far arrives, and then the connection ends without the answer's last chunk.
        response.socket?.end()
        return
      }
      if (event instanceof Gate) await event.pass()
      // As bytes: Node 26.10 counts a text with more bytes than characters wrongly, and then says no "drain".
      else if (!response.write(Buffer.from(event))) await drained(response)
    }
    response.end()
  }
}

/** A reader that is slow, or gone, fills no memory here. */
const drained = (response: Http.ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    if (response.destroyed) return resolve()
    const done = () => {
      response.off("drain", done)
      response.off("close", done)
      resolve()
    }
    response.on("drain", done)
    response.on("close", done)
  })

const eventsOf = ({ body, dialect, path }: Received, reply: Streamed): Iterable<Wire> => {
  switch (dialect) {
    case "anthropic":
      return anthropicEvents(reply, String(body["model"]))
    case "openai":
      return openAiEvents(reply, body)
    case "responses":
      return responsesEvents(reply, body)
    case "gemini":
      return geminiEvents(reply, geminiPath.exec(path)?.[1] ?? "")
  }
}

const geminiPath = /^\/v1beta\/models\/([^/:]+):streamGenerateContent\?alt=sse$/

const dialectOf = (url: string): Dialect | undefined => {
  if (url.startsWith("/v1/messages")) return "anthropic"
  if (url.startsWith("/v1/chat/completions")) return "openai"
  if (url.startsWith("/v1/responses")) return "responses"
  if (geminiPath.test(url)) return "gemini"
  return undefined
}

/** An address on which nothing listens. */
export const refusingUrl = async (): Promise<string> => {
  const server = Http.createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return `http://127.0.0.1:${port}`
}
