/**
 * One request to the web, and the addresses behind a name. Which of them may be spoken to is decided above: a request
 * goes to the addresses that it is given and asks nobody again.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"

/** `message` names the host and never the query: a query may hold what is not for a log. */
export class WebError extends Schema.TaggedError<WebError>()("WebError", {
  reason: Schema.Literals(["Lookup", "Connect", "Certificate", "Cut", "Garbled"]),
  message: Schema.String
}) {}

export interface WebRequest {
  /** `http:` or `https:`. */
  readonly url: URL
  /** The only addresses that may be connected to, in order of preference. Not empty. */
  readonly addresses: ReadonlyArray<string>
  readonly headers: Readonly<Record<string, string>>
}

export interface WebResponse {
  readonly status: number
  /** Names in lower case; several of one name are joined with a comma. A value has a character for each byte. */
  readonly headers: Readonly<Record<string, string>>
  /** With `Content-Encoding` undone. Read only as far as it is asked for. */
  readonly body: Stream.Stream<Uint8Array, WebError>
}

export class WebClient extends Context.Service<
  WebClient,
  {
    /** All addresses of a name, IPv4 and IPv6 as text; a literal is its own. Not empty. */
    readonly addresses: (host: string) => Effect.Effect<ReadonlyArray<string>, WebError>
    /** GET, without redirects, cookies and proxies. The connection ends with the Scope. */
    readonly get: (request: WebRequest) => Effect.Effect<WebResponse, WebError, Scope.Scope>
  }
>()("effect-pod/runtime/WebClient") {}
