/**
 * The providers and models that are known without being told.
 *
 * A model that is not in here works too: it takes what its provider says, and a warning. What comes with the program
 * was made of TOML when it was built; what a user has laid over it is read by `CatalogFiles.ts`. Pure.
 */
import * as Bundle from "./CatalogBundle.ts"
import type { ModelInput, ProviderInput } from "./CatalogEntries.ts"
import type { Auth, Capability, CatalogLimits, Scheme } from "./tables/Model.ts"
import type { Prices } from "./tables/Prices.ts"

/** Who has said something about an entry. */
export type CatalogOrigin = "bundled" | "user" | "bundled, changed by user"

export interface CatalogProvider {
  readonly id: string
  readonly name: string
  readonly scheme: Scheme
  readonly baseUrl?: string
  readonly auth: Auth
  /** Tokens; undefined where neither the provider nor its models say. */
  readonly contextWindow: number | undefined
  readonly capability: Partial<Capability>
  readonly limits?: CatalogLimits
  readonly origin: CatalogOrigin
}

export interface CatalogModel {
  readonly id: string
  readonly provider: string
  /** Tokens; undefined where only the provider says. */
  readonly contextWindow: number | undefined
  /** Keeps requests below a step in the vendor's prices. */
  readonly maxContextWindow?: number
  readonly capability?: Partial<Capability>
  readonly limits?: CatalogLimits
  readonly prices?: Prices
  readonly origin: CatalogOrigin
}

export interface Catalog {
  readonly providers: ReadonlyArray<CatalogProvider>
  readonly models: ReadonlyArray<CatalogModel>
}

/** An entry without `scheme` or `auth_hint` is none that can be used; whoever reads one says so. */
export const toProvider = (entry: ProviderInput, origin: CatalogOrigin): CatalogProvider | undefined =>
  entry.scheme === undefined || entry.auth_hint === undefined
    ? undefined
    : {
        id: entry.id,
        name: entry.display_name ?? entry.id,
        scheme: entry.scheme,
        ...(entry.base_url === undefined ? {} : { baseUrl: entry.base_url }),
        auth: entry.auth_hint,
        contextWindow: entry.default_context_window,
        capability: entry.default_capability ?? {},
        ...(entry.default_limits === undefined ? {} : { limits: entry.default_limits }),
        origin
      }

export const toModel = (entry: ModelInput, origin: CatalogOrigin): CatalogModel => ({
  id: entry.id,
  provider: entry.provider,
  contextWindow: entry.context_window,
  ...(entry.max_context_window === undefined ? {} : { maxContextWindow: entry.max_context_window }),
  ...(entry.capability === undefined ? {} : { capability: entry.capability }),
  ...(entry.limits === undefined ? {} : { limits: entry.limits }),
  ...(entry.prices === undefined ? {} : { prices: entry.prices }),
  origin
})

/** What comes with the program. */
export const bundled: Catalog = {
  providers: Bundle.providers.flatMap((entry) => toProvider(entry, "bundled") ?? []),
  models: Bundle.models.map((entry) => toModel(entry, "bundled"))
}

/** What a pod uses when only a key says which vendor. */
export const defaultModel = { anthropic: "claude-sonnet-5-5", openai: "gpt-5.4", gemini: "gemini-3.8-flash" } as const

export const findProvider = (catalog: Catalog, id: string): CatalogProvider | undefined =>
  catalog.providers.find((provider) => provider.id === id)

export const findModel = (catalog: Catalog, provider: string, id: string): CatalogModel | undefined =>
  catalog.models.find((model) => model.provider === provider && model.id === id)
