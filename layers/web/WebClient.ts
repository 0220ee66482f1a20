/**
 * `WebClient` on Node's own HTTP client. It is told the addresses and looks nothing up, takes no proxy from the
 * environment, keeps no connection and no cookie.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ClientRequest, IncomingMessage } from "node:http"
import { isIP, type LookupFunction } from "node:net"
import type { Readable } from "node:stream"
import type * as Zlib from "node:zlib"
import { WebClient, WebError, type WebRequest, type WebResponse } from "../../src/runtime/WebClient.ts"

export interface WebClientOptions {
  /** Who knows the addresses of a name. Default: the system. */
  readonly lookup?: (host: string) => Promise<ReadonlyArray<string>>
  /** Certificates of authorities to trust besides the known ones, in PEM. */
  readonly authorities?: ReadonlyArray<string>
}

const codeOf = (cause: unknown): string => {
  const code = (cause as { readonly code?: unknown } | null)?.code
  return typeof code === "string" ? code : "unknown error"
}

/** A start has no name to look up. */
const system = async (host: string): Promise<ReadonlyArray<string>> => {
  const { lookup } = await import("node:dns/promises")
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

const addressesWith =
  (find: (host: string) => Promise<ReadonlyArray<string>>) =>
  (host: string): Effect.Effect<ReadonlyArray<string>, WebError> =>
    isIP(host) > 0
      ? Effect.succeed([host])
      : Effect.tryPromise({
          try: () => find(host),
          catch: (cause) => new WebError({ reason: "Lookup", message: `${host} has no address (${codeOf(cause)})` })
        }).pipe(
          Effect.filterOrFail(
            (found) => found.length > 0,
            () => new WebError({ reason: "Lookup", message: `${host} has no address` })
          )
        )

/** Gives what was vetted to whoever asks, once or in all. */
const pinned = (addresses: ReadonlyArray<string>): LookupFunction => {
  const all = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_host, options, done) => {
    const family = options.family === 6 || options.family === "IPv6" ? 6 : options.family === 4 ? 4 : 0
    const fitting = all.filter((one) => family === 0 || one.family === family)
    const first = fitting[0]
    if (first === undefined) return done(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), [])
    if (options.all === true) done(null, fitting)
    else done(null, first.address, first.family)
  }
}

const failure = (host: string, cause: unknown): WebError => {
  const code = codeOf(cause)
  if (/CERT|SELF_SIGNED|ALTNAME|UNABLE_TO|ERR_TLS|ERR_SSL/.test(code)) {
    return new WebError({ reason: "Certificate", message: `${host} cannot be trusted: ${code}` })
  }
  if (code.startsWith("HPE_")) {
    return new WebError({ reason: "Garbled", message: `${host} does not speak HTTP as it should: ${code}` })
  }
  return new WebError({ reason: "Connect", message: `${host} cannot be reached: ${code}` })
}

/** Real servers use one. Each costs memory before a byte is read, and a header has room for thousands. */
const maxEncodings = 4

const encodingsOf = (response: IncomingMessage): ReadonlyArray<string> =>
  (response.headers["content-encoding"] ?? "").split(",").map((one) => one.trim().toLowerCase())

/** Undoes the encodings, the last one first. One that is not known leaves the bytes as they are. */
const decoded = (zlib: typeof Zlib, response: IncomingMessage): Readable => {
  let body: Readable = response
  for (const encoding of encodingsOf(response).toReversed()) {
    const next =
      encoding === "gzip" || encoding === "x-gzip" || encoding === "deflate"
        ? zlib.createUnzip()
        : encoding === "br"
          ? zlib.createBrotliDecompress()
          : undefined
    if (next === undefined) continue
    // An error that comes when nobody reads any more has nobody else to hear it, and would end the process.
    next.on("error", () => {})
    body.on("error", (error) => next.destroy(error))
    body = body.pipe(next)
  }
  return body
}

const responseOf = Effect.fnUntraced(function* (host: string, response: IncomingMessage) {
  if (encodingsOf(response).length > maxEncodings) {
    return yield* new WebError({
      reason: "Garbled",
      message: `${host} packed its answer more than ${maxEncodings} times`
    })
  }
  const zlib = yield* Effect.promise(() => import("node:zlib"))
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value
  }
  return {
    status: response.statusCode ?? 0,
    headers,
    body: NodeStream.fromReadable<Uint8Array, WebError>({
      // Only now: nobody reads the body of a redirect, and what is not read is not unpacked.
      evaluate: () => decoded(zlib, response),
      onError: (cause) => new WebError({ reason: "Cut", message: `${host} broke off: ${codeOf(cause)}` })
    })
  } satisfies WebResponse
})

export const layer = (options: WebClientOptions = {}): Layer.Layer<WebClient> => {
  const get = Effect.fnUntraced(function* ({
    addresses,
    headers,
    url
  }: WebRequest): Effect.fn.Return<WebResponse, WebError, Scope.Scope> {
    const isSecure = url.protocol === "https:"
    const known =
      options.authorities === undefined ? [] : (yield* Effect.promise(() => import("node:tls"))).rootCertificates
    const http = yield* Effect.promise(() => (isSecure ? import("node:https") : import("node:http")))
    let request: ClientRequest | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => request?.destroy()))
    const response = yield* Effect.callback<IncomingMessage, WebError>((resume) => {
      request = http.request(url, {
        method: "GET",
        headers: { ...headers },
        // Of its own: the shared one may be told of a proxy by the environment.
        agent: new http.Agent({ keepAlive: false }),
        lookup: pinned(addresses),
        ...(isSecure && options.authorities !== undefined ? { ca: [...known, ...options.authorities] } : {})
      })
      request.once("response", (message) => resume(Effect.succeed(message)))
      // Nobody asked for it. Unheard, it would be no answer at all.
      request.once("upgrade", ({ statusCode }, socket) => {
        socket.destroy()
        resume(Effect.fail(new WebError({ reason: "Garbled", message: `${url.host} answers ${statusCode} to a GET` })))
      })
      // Stays: an error after the response has nobody else to hear it, and would end the process.
      request.on("error", (cause) => resume(Effect.fail(failure(url.host, cause))))
      request.end()
    })
    return yield* responseOf(url.host, response)
  })
  return Layer.succeed(WebClient, { addresses: addressesWith(options.lookup ?? system), get })
}
