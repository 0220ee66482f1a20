/**
 * From the `[model]` table to a model that can be called: catalog, environment and key file put together.
 *
 * What is written in the manifest wins over the catalog, the model over its provider, the provider over its scheme.
 * The key leaves this file only as `Redacted`; messages name variables and files, never what is in them.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { nearest } from "../protocol/Nearest.ts"
import { bundled, type Catalog, type CatalogProvider, findModel, findProvider } from "./Catalog.ts"
import { readCatalog } from "./CatalogFiles.ts"
import { type Environment, geminiKeyVariables, modelFromEnvironment, variable } from "./Default.ts"
import { ManifestError, type ManifestProblem } from "./ManifestError.ts"
import { withPlaces } from "./Places.ts"
import {
  type Auth,
  type Capability,
  type CatalogLimits,
  ModelLimits,
  type ModelTable,
  type Scheme
} from "./tables/Model.ts"
import type { Prices } from "./tables/Prices.ts"
import { readTextFile } from "./TextFile.ts"

/** Those that speak HTTP. */
type VendorScheme = Exclude<Scheme, "offline" | "scripted">

export interface ResolvedModel {
  readonly scheme: Scheme
  readonly modelId: string
  /** Set for every scheme that speaks HTTP. */
  readonly baseUrl?: string
  /** Undefined for a server that wants none. */
  readonly apiKey: Redacted.Redacted<string> | undefined
  /** Tokens. */
  readonly contextWindow: number
  /** Undefined if nobody has said them: then there is no cost to tell. */
  readonly prices?: Prices
  /** Absolute; set for `scripted`. */
  readonly script?: string
  /** What is not in here is as it always is. */
  readonly limits: ModelLimits
  readonly capability: Capability
  /** What a person should know: guesses that were made, keys that lie open. */
  readonly notes: ReadonlyArray<string>
}

export interface ResolveOptions {
  readonly env: Environment
  /**
   * Absolute directory whose `providers.toml` and `models.toml` are laid over the catalog; read only for a model that
   * is named by reference. Default: the catalog as it comes with the program.
   */
  readonly configDir?: string
  /** Where the table stands, for messages. Default `model`. */
  readonly key?: string
  /** How long to wait where neither the table nor the catalog says. */
  readonly limits?: ModelLimits
  /** What messages call the manifest. */
  readonly subject?: string
  /** The TOML text that the table was read from: problems then have the line of their key. */
  readonly source?: string
}

/** Names the line too, if there is a text in which the key stands. */
export const modelError = (
  problem: ManifestProblem,
  { source, subject = "manifest" }: Pick<ResolveOptions, "source" | "subject">
): ManifestError =>
  new ManifestError({ subject, problems: source === undefined ? [problem] : withPlaces(source, [problem]) })

const unknownContextWindow = 200_000
const keyFileBytes = 64 * 1024

/** Reads the catalog's files, if it has to, and at most one key file. A table that names no model and no server takes the model of the environment. */
export const resolveModel = Effect.fn("Model.resolve")(function* (
  table: ModelTable,
  options: ResolveOptions
): Effect.fn.Return<ResolvedModel, ManifestError, FileSystem.FileSystem> {
  const key = options.key ?? "model"
  const fail = (problem: ManifestProblem) => modelError(problem, options)
  const planned = planModel(table, options.env, key, yield* catalogFor(table, options), options.limits)
  if (planned._tag === "Failure") return yield* fail(planned.failure)
  const { credential, ...plan } = planned.success
  if (credential.kind !== "file") return { ...plan, apiKey: credential.kind === "key" ? credential.key : undefined }
  const place = `${key}.auth.file`
  const file = yield* readTextFile(credential.path, keyFileBytes).pipe(
    Effect.mapError((error) =>
      fail({ key: place, message: `\`${place}\`: ${error.message}`, hint: `or set the variable ${credential.env}` })
    )
  )
  const text = file.text.trim()
  if (text === "" || file.cut) {
    const wrong = file.cut ? "is too long to hold a key" : "is empty"
    return yield* fail({ key: place, message: `\`${place}\`: ${credential.path} ${wrong}` })
  }
  const open =
    (file.mode & 0o077) === 0 ? [] : [`${credential.path} holds a key and others may read it: chmod 600 is safer.`]
  return { ...plan, apiKey: Redacted.make(text), notes: [...plan.notes, ...open] }
})

/** The catalog that `planModel` needs for this table: a user's broken files are no matter for who names no model of it. */
export const catalogFor = (
  table: ModelTable,
  { configDir, env }: Pick<ResolveOptions, "configDir" | "env">
): Effect.Effect<Catalog, ManifestError, FileSystem.FileSystem> => {
  const isReferred = table.ref !== undefined || (isUnset(table) && modelFromEnvironment(env).model.ref !== undefined)
  return isReferred && configDir !== undefined ? readCatalog(configDir) : Effect.succeed(bundled)
}

const isUnset = ({ auth, base_url, model_id, ref, scheme, script }: ModelTable): boolean =>
  [ref, scheme, model_id, auth, base_url, script].every((value) => value === undefined)

export type Credential =
  | { readonly kind: "none" }
  | { readonly kind: "key"; readonly key: Redacted.Redacted<string> }
  /** `env` is the variable that would have been used instead. */
  | { readonly kind: "file"; readonly path: string; readonly env: string }

export interface ModelPlan extends Omit<ResolvedModel, "apiKey"> {
  readonly credential: Credential
}

/** Everything but reading the key file: pure, for listings and checks. */
export const planModel = (
  given: ModelTable,
  env: Environment,
  key = "model",
  catalog: Catalog = bundled,
  limits: ModelLimits = {}
): Result.Result<ModelPlan, ManifestProblem> => {
  const choice = isUnset(given) ? modelFromEnvironment(env) : undefined
  const table = { ...given, ...(choice === undefined ? {} : { ref: choice.model.ref, scheme: choice.model.scheme }) }
  const notes = [...(choice?.notes ?? [])]

  const slash = table.ref?.indexOf("/") ?? -1
  const providerId = table.ref?.slice(0, slash)
  const provider = providerId === undefined ? undefined : findProvider(catalog, providerId)
  if (providerId !== undefined && provider === undefined) return Result.fail(unknownProvider(providerId, key, catalog))

  const scheme = table.scheme ?? provider?.scheme
  const embedded = scheme === "offline" || scheme === "scripted"
  const modelId = table.model_id ?? table.ref?.slice(slash + 1) ?? (embedded ? scheme : undefined)
  const auth: Auth | undefined = embedded ? { kind: "none" } : (table.auth ?? provider?.auth)
  if (scheme === undefined) return Result.fail(missing(`${key}.scheme`))
  if (modelId === undefined) return Result.fail(missing(`${key}.model_id`))
  if (auth === undefined) return Result.fail(missing(`${key}.auth`))
  if (scheme === "scripted" && table.script === undefined) return Result.fail(missing(`${key}.script`))

  const credential = credentialFrom(auth, provider, scheme, env, key)
  if (credential._tag === "Failure") return Result.fail(credential.failure)

  const known = provider === undefined ? undefined : findModel(catalog, provider.id, modelId)
  const window = table.context_window ?? known?.contextWindow ?? provider?.contextWindow ?? unknownContextWindow
  if (table.context_window === undefined && known === undefined && !embedded) {
    notes.push(
      `The model ${modelId} is not in the catalog: a context window of ${window} tokens is assumed. ` +
        `Set ${key}.context_window if it differs.`
    )
  }
  const prices = table.prices ?? known?.prices ?? (scheme === "offline" ? nothing : undefined)
  const base = embedded ? undefined : baseUrlOf(table, provider, scheme, env)
  if (base?.note !== undefined) notes.push(base.note)
  return Result.succeed({
    scheme,
    modelId,
    ...(base === undefined ? {} : { baseUrl: base.url }),
    ...(scheme === "scripted" && table.script !== undefined ? { script: table.script } : {}),
    contextWindow: Math.min(window, table.max_context_window ?? known?.maxContextWindow ?? Number.POSITIVE_INFINITY),
    ...(prices === undefined ? {} : { prices }),
    limits: { ...limits, ...limitsOf(provider?.limits), ...limitsOf(known?.limits), ...table.limits },
    capability: table.capability ?? {
      vision: false,
      ...schemeCapability,
      ...provider?.capability,
      ...known?.capability
    },
    notes,
    credential: credential.success
  })
}

const decodeLimits = Schema.decodeSync(ModelLimits)

/** Of the catalog, which is checked when it is read. */
const limitsOf = (limits: CatalogLimits | undefined): ModelLimits => (limits === undefined ? {} : decodeLimits(limits))

/** What the embedded model costs. */
const nothing: Prices = { input: 0, output: 0 }

const schemeCapability = { tool_calling: "parallel" } as const

const vendorUrl: Readonly<Record<VendorScheme, string>> = {
  anthropic: "https://api.anthropic.com",
  openai_chat: "https://api.openai.com/v1",
  openai_responses: "https://api.openai.com/v1",
  gemini: "https://generativelanguage.googleapis.com"
}
const vendorUrlVariable: Readonly<Record<VendorScheme, string>> = {
  anthropic: "ANTHROPIC_BASE_URL",
  openai_chat: "OPENAI_BASE_URL",
  openai_responses: "OPENAI_BASE_URL",
  gemini: "GOOGLE_GEMINI_BASE_URL"
}

/**
 * The vendors' own variables move the vendor's own address only: neither an address in the manifest nor another
 * provider's, so that a key never goes where nobody sent it.
 */
const baseUrlOf = (
  table: Pick<ModelTable, "base_url">,
  provider: CatalogProvider | undefined,
  scheme: VendorScheme,
  env: Environment
): { readonly url: string; readonly note?: string } => {
  const given = table.base_url ?? provider?.baseUrl
  if (given !== undefined) return { url: given }
  const name = vendorUrlVariable[scheme]
  const moved = variable(env, name)
  return moved === undefined
    ? { url: vendorUrl[scheme] }
    : { url: moved, note: `The model's address comes from ${name}.` }
}

/** The first one that is set counts, as for the vendor's own tools. */
const keyVariables: Readonly<Record<VendorScheme, readonly [string, ...Array<string>]>> = {
  anthropic: ["ANTHROPIC_API_KEY"],
  openai_chat: ["OPENAI_API_KEY"],
  openai_responses: ["OPENAI_API_KEY"],
  gemini: geminiKeyVariables
}

/** The variables that may hold a provider's key; the first one that is set counts. None if it wants no key. */
export const keyNamesOf = ({ auth, scheme }: Pick<CatalogProvider, "auth" | "scheme">): ReadonlyArray<string> => {
  if (auth.kind !== "api_key" || scheme === "offline" || scheme === "scripted") return []
  return auth.env === undefined ? keyVariables[scheme] : [auth.env]
}

const credentialFrom = (
  auth: Auth,
  provider: CatalogProvider | undefined,
  scheme: Scheme,
  env: Environment,
  key: string
): Result.Result<Credential, ManifestProblem> => {
  if (auth.kind === "none" || scheme === "offline" || scheme === "scripted") return Result.succeed({ kind: "none" })
  if (auth.kind !== "api_key") {
    return Result.fail({
      key: `${key}.auth.kind`,
      message: `\`${key}.auth.kind\` = "${auth.kind}" is not available in this version`,
      hint: 'there are "api_key" and "none"'
    })
  }
  // A provider's own variable before the scheme's: OpenRouter speaks OpenAI's dialect and must not get OpenAI's key.
  const own = provider?.auth.kind === "api_key" ? provider.auth.env : undefined
  const named = auth.env ?? own
  const [name, ...others] = named === undefined ? keyVariables[scheme] : [named]
  const value = [name, ...others].map((each) => variable(env, each)).find((each) => each !== undefined)
  if (value !== undefined) return Result.succeed({ kind: "key", key: Redacted.make(value) })
  if (auth.file !== undefined) return Result.succeed({ kind: "file", path: auth.file, env: name })
  const isWritten = auth.env !== undefined && auth !== provider?.auth
  return Result.fail({
    key: isWritten ? `${key}.auth.env` : `${key}.auth`,
    message: `\`${isWritten ? `${key}.auth.env` : key}\`: the variable ${name} is not set`,
    hint:
      `set it, or name another with ${key}.auth.env, or a file with ${key}.auth.file; ` +
      'a server that wants no key: auth = { kind = "none" }'
  })
}

const unknownProvider = (id: string, key: string, { providers }: Catalog): ManifestProblem => {
  const ids = providers.map((provider) => provider.id)
  const near = nearest(id, ids)
  return {
    key: `${key}.ref`,
    message: `\`${key}.ref\`: there is no provider of that name`,
    hint:
      near === undefined ? `known: ${ids.join(", ")}; or use scheme, model_id and auth` : `did you mean "${near}/…"?`
  }
}

const missing = (key: string): ManifestProblem => ({
  key,
  message: `\`${key}\` is required`,
  hint: key.endsWith(".script")
    ? "the file that the scripted model plays"
    : `or name a model of the catalog with ref = "${bundled.models[0]?.provider}/${bundled.models[0]?.id}"`
})
