/** Brave's search service: its web search API, version 1. Redirects are not followed, so the key goes to one host. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { WebClient } from "../runtime/WebClient.ts"
import * as Body from "./Body.ts"
import { headers, ofWeb } from "./Fetch.ts"
import { failed } from "./FetchError.ts"
import { oneLine, plainText } from "./PlainText.ts"
import type { SearchHit, SearchProvider } from "./SearchProvider.ts"
import * as Target from "./Target.ts"

export interface BraveOptions {
  readonly client: WebClient["Service"]
  readonly key: Redacted.Redacted
  /** For one search with everything in it. */
  readonly timeout: Duration.Input
  /** Named by whoever runs the pod, so it may lie in their own network. Absent: Brave's, at a public address. */
  readonly baseUrl: string | undefined
  /** `country`, `search_lang`, `ui_lang`, `safesearch`, as the service knows them. */
  readonly parameters: Readonly<Record<string, string>>
}

const endpoint = "https://api.search.brave.com/res/v1/web/search"
const maxAnswerBytes = 1024 * 1024
const maxErrorText = 500

const nullable = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Result = Schema.Struct({
  title: nullable(Schema.String),
  url: Schema.String,
  description: nullable(Schema.String),
  extra_snippets: nullable(Schema.Array(Schema.String)),
  age: nullable(Schema.String),
  language: nullable(Schema.String)
})
const Answer = Schema.Struct({
  query: nullable(Schema.Struct({ more_results_available: nullable(Schema.Boolean) })),
  web: nullable(Schema.Struct({ results: Schema.Array(Result) }))
})
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

const hitOf = (result: typeof Result.Type): SearchHit => ({
  title: plainText(result.title ?? ""),
  url: result.url,
  snippets: [result.description ?? "", ...(result.extra_snippets ?? [])].map(plainText).filter((text) => text !== ""),
  age: result.age ?? undefined,
  language: result.language ?? undefined
})

export const make = (options: BraveOptions): SearchProvider => {
  const policy: Target.TargetPolicy = { privateAddresses: options.baseUrl !== undefined, hosts: undefined }

  const ask = Effect.fnUntraced(function* (url: URL) {
    const { addresses } = yield* Target.resolve(options.client, policy, url)
    const request = {
      url,
      addresses,
      headers: { ...headers, accept: "application/json", "x-subscription-token": Redacted.value(options.key) }
    }
    const response = yield* Effect.mapError(options.client.get(request), ofWeb)
    const body = yield* Effect.mapError(Body.read(response.body, maxAnswerBytes), ofWeb)
    const text = Body.decode(body, response.headers["content-type"] ?? "")
    if (response.status < 200 || response.status > 299) {
      return yield* failed(`${Target.shown(url)}: HTTP status ${response.status}: ${oneLine(text, maxErrorText)}`)
    }
    if (body.truncated) return yield* failed(`${Target.shown(url)}: the answer is longer than ${maxAnswerBytes} bytes`)
    return text
  })

  return {
    name: "Brave",
    limits: { characters: 400, words: 50, perPage: 20, lastPage: 9 },
    search: Effect.fn("Brave.search")(
      function* ({ limit, page, query }) {
        const url = yield* Target.parse(options.baseUrl ?? endpoint, policy)
        const parameters = { ...options.parameters, q: query, count: String(limit), offset: String(page) }
        for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
        const answer = yield* decode(yield* Effect.scoped(ask(url))).pipe(
          Effect.catchTag("SchemaError", () => failed(`${Target.shown(url)}: the answer is not what was agreed`))
        )
        const hits = (answer.web?.results ?? []).slice(0, limit).map(hitOf)
        // Where the service does not say, a full page may have another behind it.
        return { hits, more: answer.query?.more_results_available ?? hits.length === limit }
      },
      Effect.timeoutOrElse({
        duration: options.timeout,
        orElse: () => failed(`no answer within ${Duration.format(Duration.fromInputUnsafe(options.timeout))}`)
      })
    )
  }
}
