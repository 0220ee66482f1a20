/**
 * A page of the web as text: redirects followed one by one, each under the same rules; bounded in bytes; what it says
 * kept as it was said, and markup turned into what a person would read.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PageReader } from "../runtime/PageReader.ts"
import type { WebClient, WebError } from "../runtime/WebClient.ts"
import { version } from "../Version.ts"
import * as Body from "./Body.ts"
import { FetchError, failed } from "./FetchError.ts"
import { plainText } from "./PlainText.ts"
import * as Target from "./Target.ts"

export interface FetchOptions extends Target.TargetPolicy {
  readonly client: WebClient["Service"]
  readonly reader: PageReader["Service"]
  /** For the whole of it: names, connections, redirects, body, reading. */
  readonly timeout: Duration.Input
  readonly redirectLimit: number
  /** Bytes of the body, after decompression. */
  readonly maxResponseBytes: number
}

export interface Fetched {
  /** Where the text came from, after all redirects. */
  readonly url: string
  readonly redirects: ReadonlyArray<string>
  readonly status: number
  readonly contentType: string
  readonly form: "markdown" | "bare text of markup" | "text"
  readonly title: string | undefined
  readonly text: string
  /** The body was longer than what was read of it. */
  readonly truncated: boolean
}

const redirecting = new Set([301, 302, 303, 307, 308])

export const headers = {
  "user-agent": `effect-pod/${version}`,
  accept: "text/html,application/xhtml+xml,text/markdown,text/plain,application/json;q=0.9,*/*;q=0.5",
  "accept-encoding": "gzip, deflate, br"
} as const

export const ofWeb = ({ message }: WebError): FetchError => new FetchError({ reason: "Failed", message })

export const fetch = (options: FetchOptions, text: string): Effect.Effect<Fetched, FetchError> =>
  followed(options, text).pipe(
    Effect.timeoutOrElse({
      duration: options.timeout,
      orElse: () => failed(`nothing whole came within ${Duration.format(Duration.fromInputUnsafe(options.timeout))}`)
    }),
    Effect.withSpan("Web.fetch")
  )

const followed = Effect.fnUntraced(function* (options: FetchOptions, text: string) {
  const redirects: Array<string> = []
  let url = yield* Target.parse(text, options)
  while (true) {
    const step = yield* Effect.scoped(oneHop(options, url))
    if (!("next" in step)) return { ...step, redirects }
    if (redirects.length >= options.redirectLimit) {
      return yield* failed(`more than ${options.redirectLimit} redirects, the last one from ${Target.shown(url)}`)
    }
    url = yield* Effect.mapError(
      Target.parse(step.next, options, url),
      (error) => new FetchError({ reason: error.reason, message: `${Target.shown(url)} redirects: ${error.message}` })
    )
    redirects.push(url.href)
  }
})

const oneHop = Effect.fnUntraced(function* (options: FetchOptions, url: URL) {
  const { addresses } = yield* Target.resolve(options.client, options, url)
  const response = yield* Effect.mapError(options.client.get({ url, addresses, headers }), ofWeb)
  const { status } = response
  if (redirecting.has(status)) {
    const next = response.headers["location"]
    if (next === undefined) return yield* failed(`${Target.shown(url)}: ${status} without a Location`)
    return { next: fromHeader(next) }
  }
  if (status < 200 || status > 299) return yield* failed(`${Target.shown(url)}: HTTP status ${status}`)
  const contentType = response.headers["content-type"] ?? ""
  const body = yield* Effect.mapError(Body.read(response.body, options.maxResponseBytes), ofWeb)
  const kind = Body.kindOf(contentType, body.bytes)
  if (kind === undefined) {
    return yield* failed(`${Target.shown(url)} is ${contentType.slice(0, 100)}, which cannot be shown as text`)
  }
  const decoded = Body.decode(body, contentType)
  if (decoded.includes("\0")) return yield* failed(`${Target.shown(url)} says it is text and is binary`)
  const page = kind === "html" ? yield* readable(options.reader, decoded, url) : plain(decoded)
  return { ...page, url: url.href, status, contentType, truncated: body.truncated }
})

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** A header is bytes, given as one character each. Where they are UTF-8 they are meant so; browsers read them so too. */
const fromHeader = (value: string): string => {
  try {
    return utf8.decode(Uint8Array.from(value, (character) => character.charCodeAt(0)))
  } catch {
    return value
  }
}

type Page = Pick<Fetched, "form" | "title" | "text">

const plain = (text: string): Page => ({ form: "text", title: undefined, text })

const readable = (reader: PageReader["Service"], html: string, url: URL): Effect.Effect<Page> =>
  reader.read(html, url.href).pipe(
    Effect.map(({ markdown, title }): Page => ({ form: "markdown", title, text: markdown })),
    Effect.orElseSucceed((): Page => ({ form: "bare text of markup", title: undefined, text: plainText(html) }))
  )
