/**
 * What stands in the files of a catalog: `providers.toml` and `models.toml`, the bundled ones and those of a user.
 *
 * Every key but the id may be left out, because an entry may lie over another of the same id and change one thing.
 */
import * as Schema from "effect/Schema"
import { optional, Positive, required, Text } from "./Fields.ts"
import { Capability, CatalogLimits, HttpUrl, Scheme } from "./tables/Model.ts"
import { Prices } from "./tables/Prices.ts"

const PartialCapability = Schema.Struct({
  ...Capability.fields,
  vision: optional(Schema.Boolean, "It can see images.")
})

/** Names of variables only: a key never stands in a catalog, nor where a file with one lies. */
const AuthHint = Schema.Union([
  Schema.Struct({ kind: Schema.tag("none") }),
  Schema.Struct({ kind: Schema.tag("api_key"), env: optional(Text, "Variable that holds the key.") }),
  Schema.Struct({ kind: Schema.tag("codex_oauth") })
])

const ProviderId = Schema.String.check(
  Schema.isPattern(/^[^/\s]+$/, { expected: "a name without slashes and white space" })
)

export const ProviderEntry = Schema.Struct({
  id: required(ProviderId, "The part of a reference before its first slash."),
  display_name: optional(Text, "For people."),
  scheme: optional(Scheme, "The dialect that the server speaks."),
  base_url: optional(HttpUrl, "Where the server is. Default: the vendor's own address."),
  auth_hint: optional(AuthHint, "How one authenticates."),
  default_context_window: optional(Positive, "Tokens, for models that say nothing else."),
  default_capability: optional(PartialCapability, "What its models can do, where they say nothing else."),
  default_limits: optional(CatalogLimits, "How long to wait for its models, where they say nothing else.")
})
export type ProviderEntry = typeof ProviderEntry.Type

export const ModelEntry = Schema.Struct({
  provider: required(ProviderId, "The id of a provider."),
  id: required(Text, "The vendor's name of the model."),
  context_window: optional(Positive, "Tokens."),
  max_context_window: optional(Positive, "Upper bound of the above, for example below a price step."),
  capability: optional(PartialCapability, "What it can do, where it differs from its provider's."),
  limits: optional(CatalogLimits, "How long to wait for it, where that differs from its provider's."),
  prices: optional(Prices, "Per million tokens.")
})
export type ModelEntry = typeof ModelEntry.Type

/** The same in the form in which it is written. */
export type ProviderInput = typeof ProviderEntry.Encoded
export type ModelInput = typeof ModelEntry.Encoded
