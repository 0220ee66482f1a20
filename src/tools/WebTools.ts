/** The web tools that a manifest asks for. Without `[web] enabled = true` there are none. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ManifestError, manifestError } from "../manifest/ManifestError.ts"
import type { WebTable } from "../manifest/tables/Web.ts"
import type { PageReader } from "../runtime/PageReader.ts"
import type { WebClient } from "../runtime/WebClient.ts"
import * as Brave from "../web/Brave.ts"
import type { Tool } from "./Tool.ts"
import * as WebFetch from "./WebFetch.ts"
import * as WebSearch from "./WebSearch.ts"

export interface WebOptions {
  readonly table: WebTable
  readonly client: WebClient["Service"]
  readonly reader: PageReader["Service"]
  /** Where the key of the search service is. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Bulk of one result in bytes. */
  readonly contentBytes: number
}

export const make = Effect.fnUntraced(function* (
  options: WebOptions
): Effect.fn.Return<ReadonlyArray<Tool>, ManifestError> {
  const { fetch, search } = options.table
  if (!options.table.enabled) return []
  return [
    ...(fetch.enabled === false ? [] : [webFetch(options)]),
    ...(search.enabled === false || (search.enabled === undefined && search.api_key_env === undefined)
      ? []
      : [yield* webSearch(options)])
  ]
})

const webFetch = ({ client, contentBytes, reader, table }: WebOptions): Tool =>
  WebFetch.make({
    client,
    reader,
    privateAddresses: table.fetch.allow_private_addresses ?? table.allow_private_addresses,
    hosts: table.fetch.allow_hosts,
    timeout: { seconds: table.fetch.timeout_secs },
    redirectLimit: table.fetch.redirect_limit,
    maxResponseBytes: table.fetch.max_response_bytes,
    contentBytes: Math.min(table.fetch.max_output_bytes, contentBytes)
  })

const webSearch = Effect.fnUntraced(function* ({ client, contentBytes, env, table }: WebOptions) {
  const { search } = table
  const variable = search.api_key_env
  if (variable === undefined) {
    return yield* problem("the search service needs a key", "name the variable that holds it")
  }
  const key = env[variable]?.trim() ?? ""
  if (key === "") return yield* problem(`the variable ${variable} is not set`, "it holds the key of the search service")
  const { base_url, country, safesearch, search_lang, ui_lang } = search
  const given = Object.entries({ country, search_lang, ui_lang, safesearch })
  return WebSearch.make({
    provider: Brave.make({
      client,
      key: Redacted.make(key, { label: variable }),
      timeout: { seconds: search.timeout_secs },
      baseUrl: base_url,
      parameters: Object.fromEntries(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
    }),
    contentBytes
  })
})

const problem = (message: string, hint: string): ManifestError =>
  manifestError("manifest", { key: "web.search.api_key_env", message: `web.search.api_key_env: ${message}`, hint })
