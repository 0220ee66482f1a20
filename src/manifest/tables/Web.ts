/** `[web]`: searching and reading the web. Off unless it says otherwise. */
import * as Schema from "effect/Schema"
import { hostName } from "../../runtime/HostName.ts"
import { Count, defaulted, oneOf, optional, Positive, Text } from "../Fields.ts"

const Search = Schema.Struct({
  enabled: optional(Schema.Boolean, "Default: as `web.enabled`."),
  provider: defaulted(oneOf("brave"), "brave", "The search service."),
  api_key_env: optional(Text, "Variable that holds the service's key. Needed."),
  timeout_secs: defaulted(Positive, 15, "Seconds."),
  base_url: optional(Text, "Another address of the service; it may lie in your own network."),
  country: optional(Text, "Passed to the service."),
  search_lang: optional(Text, "Passed to the service."),
  ui_lang: optional(Text, "Passed to the service."),
  safesearch: optional(Text, "Passed to the service.")
})

const Host = Schema.String.check(
  Schema.makeFilter((text: string) => hostName(text) !== undefined, {
    expected: 'a host such as "effect.website", without scheme, port, path and wildcard'
  })
)

const Fetch = Schema.Struct({
  enabled: optional(Schema.Boolean, "Default: as `web.enabled`."),
  allow_hosts: optional(
    Schema.Array(Host),
    'Only these hosts and the names below them, e.g. `["effect.website"]`. Absent: any public one.'
  ),
  timeout_secs: defaulted(Positive, 20, "Seconds for the whole fetch."),
  redirect_limit: defaulted(Count, 5, "Redirects that are followed."),
  max_response_bytes: defaulted(Positive, 2_097_152, "Bytes of a page that are read, after decompression."),
  max_output_bytes: defaulted(
    Positive,
    65_536,
    "Bytes of its text that one call returns; the rest is read by `offset`."
  ),
  allow_private_addresses: optional(Schema.Boolean, "Default: as `web.allow_private_addresses`.")
})

export const WebTable = Schema.Struct({
  enabled: defaulted(Schema.Boolean, false, "Whether the pod has web tools."),
  allow_private_addresses: defaulted(
    Schema.Boolean,
    false,
    "Whether addresses of this machine and its network may be read, at any port."
  ),
  search: defaulted(Search, {}, "`WebSearch`."),
  fetch: defaulted(Fetch, {}, "`WebFetch`.")
})
export type WebTable = typeof WebTable.Type
