/** `WebFetch` before servers of this machine. Each of them says what it was asked. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import type { AddressInfo, Server } from "node:net"
import * as LauncherLive from "../../../layers/runtime/Launcher.ts"
import * as PageReaderLive from "../../../layers/web/PageReader.ts"
import * as WebClientLive from "../../../layers/web/WebClient.ts"
import { PageReader } from "../../../src/runtime/PageReader.ts"
import { WebClient } from "../../../src/runtime/WebClient.ts"
import * as KnownFiles from "../../../src/tools/KnownFiles.ts"
import * as WebFetch from "../../../src/tools/WebFetch.ts"

export const listening = (server: Server, host: string) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, host, () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () =>
      Effect.callback<void>((resume) => {
        if ("closeAllConnections" in server)
          (server as unknown as { closeAllConnections(): void }).closeAllConnections()
        server.close(() => resume(Effect.void))
      })
  )

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export const serve = Effect.fnUntraced(function* (answer: Answer, host = "127.0.0.1") {
  const asked: Array<IncomingMessage> = []
  const listener: RequestListener = (request, response) => {
    asked.push(request)
    answer(request, response)
  }
  const port = yield* listening(createServer(listener), host)
  return { asked, port, url: (path: string, name = host) => `http://${name}:${port}${path}` }
})

interface Setting {
  readonly names?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly authorities?: ReadonlyArray<string>
  readonly tool?: Partial<Parameters<typeof WebFetch.make>[0]>
  readonly page?: PageReaderLive.PageReaderOptions
}

/** What the tool says of a URL, and every name that was looked up. */
export const fetcher = Effect.fnUntraced(function* ({ authorities, names = {}, page, tool }: Setting = {}) {
  const lookups: Array<string> = []
  const lookup = async (host: string) => {
    lookups.push(host)
    return names[host] ?? []
  }
  const client = yield* Effect.provide(
    WebClient,
    WebClientLive.layer({ lookup, ...(authorities === undefined ? {} : { authorities }) })
  )
  // For as long as the test: a reader starts processes.
  const services = yield* Layer.build(Layer.provide(PageReaderLive.layer(page), LauncherLive.layer))
  const reader = Context.get(services, PageReader)
  const made = WebFetch.make({
    client,
    reader,
    privateAddresses: true,
    hosts: undefined,
    timeout: "20 seconds",
    redirectLimit: 5,
    maxResponseBytes: 2_097_152,
    contentBytes: 60_000,
    ...tool
  })
  const context = {
    callId: "c",
    emitOutput: () => Effect.void,
    tasks: [],
    known: KnownFiles.over(() => undefined),
    unlessRecorded: () => Effect.void
  }
  return {
    lookups,
    tool: made,
    fetch: (url: string, offset?: number) => made.run({ url, ...(offset === undefined ? {} : { offset }) }, context)
  }
})

export const send =
  (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-type": "text/plain", ...headers })
    response.end(body)
  }
export const redirect =
  (to: string, status = 302): Answer =>
  (_, response) => {
    response.writeHead(status, { location: to })
    response.end()
  }
export const open = { tool: {} } as const
export const closed = { tool: { privateAddresses: false } } as const

export const refusal = (effect: ReturnType<Effect.Success<ReturnType<typeof fetcher>>["fetch"]>) =>
  Effect.map(Effect.flip(effect), ({ message, reason }) => `${reason}: ${message}`)
