/**
 * `effect-pod models`: the catalog, what of it is configured, and which model a pod takes that names none.
 *
 * Names of variables are shown, never their values. Nothing is sent anywhere.
 */
import * as Effect from "effect/Effect"
import * as Files from "../../layers/runtime/Files.ts"
import { type Catalog, type CatalogModel, type CatalogProvider, findProvider } from "../manifest/Catalog.ts"
import { catalogFileNames, readCatalog } from "../manifest/CatalogFiles.ts"
import { type Environment, modelFromEnvironment, variable } from "../manifest/Default.ts"
import { resolvePath } from "../manifest/Paths.ts"
import { keyNamesOf } from "../manifest/Model.ts"
import type { Prices } from "../manifest/tables/Prices.ts"
import { ExitCode } from "./CliError.ts"
import { hostFailure } from "./Failures.ts"
import type { Command } from "./Invocation.ts"
import { table } from "./List.ts"
import { directoriesOf } from "./Directories.ts"
import { oneLine } from "./Text.ts"

/** `ready`: a pod may use it now. `no_key`: its variable is not set. `unavailable`: not in this version. */
type Readiness = "ready" | "no_key" | "unavailable"

const describeProvider = (provider: CatalogProvider, env: Environment) => {
  const { auth, baseUrl, capability, contextWindow, id, limits, name, origin, scheme } = provider
  const names = keyNamesOf(provider)
  const set = names.find((each) => variable(env, each) !== undefined)
  const keyName = set ?? names[0]
  const state: Readiness =
    auth.kind === "none" || set !== undefined ? "ready" : auth.kind === "api_key" ? "no_key" : "unavailable"
  return {
    id,
    name,
    scheme,
    ...(baseUrl === undefined ? {} : { base_url: withoutCredentials(baseUrl) }),
    auth: auth.kind,
    ...(keyName === undefined ? {} : { env: keyName, env_set: set !== undefined }),
    state,
    ...(contextWindow === undefined ? {} : { default_context_window: contextWindow }),
    default_capability: capability,
    ...(limits === undefined ? {} : { default_limits: limits }),
    from: origin
  }
}

const describeModel = (model: CatalogModel, catalog: Catalog, defaultRef: string | undefined) => {
  const ref = `${model.provider}/${model.id}`
  const window = model.contextWindow ?? findProvider(catalog, model.provider)?.contextWindow
  return {
    ref,
    provider: model.provider,
    id: model.id,
    ...(window === undefined ? {} : { context_window: window }),
    ...(model.maxContextWindow === undefined ? {} : { max_context_window: model.maxContextWindow }),
    ...(model.capability === undefined ? {} : { capability: model.capability }),
    ...(model.limits === undefined ? {} : { limits: model.limits }),
    ...(model.prices === undefined ? {} : { prices: { currency: "USD" as const, ...model.prices } }),
    default: ref === defaultRef,
    from: model.origin
  }
}

/** A URL may carry a name and a password. */
const withoutCredentials = (url: string): string => url.replace(/:\/\/[^/@\s]*@/g, "://…@")

export const survey = (catalog: Catalog, env: Environment, configDir: string) => {
  const { model, notes } = modelFromEnvironment(env)
  return {
    /** A reference, or the scheme of a model that is embedded. */
    default: { model: model.ref ?? model.scheme ?? "offline", notes },
    files: catalogFileNames.map((name) => resolvePath(configDir, name)),
    providers: catalog.providers.map((provider) => describeProvider(provider, env)),
    models: catalog.models.map((entry) => describeModel(entry, catalog, model.ref))
  }
}

type Survey = ReturnType<typeof survey>

const keyText = ({ env, env_set, state }: Survey["providers"][number]): string => {
  if (state === "unavailable") return "not in this version"
  return env === undefined ? "no key needed" : `${env} is ${env_set === true ? "set" : "not set"}`
}

/** Of what has no price of its own, nothing is said. */
const pricesText = (prices: Prices | undefined): ReadonlyArray<string> =>
  prices === undefined
    ? ["", "", "", "", ""]
    : [prices.input, prices.output, prices.cache_read, prices.cache_write, prices.date].map((cell) =>
        cell === undefined ? "" : String(cell)
      )

const windowText = ({ context_window, max_context_window }: Survey["models"][number]): string =>
  context_window === undefined ? "" : String(Math.min(context_window, max_context_window ?? context_window))

const text = ({ default: chosen, models, providers }: Survey): string =>
  [
    table([
      ["PROVIDER", "SCHEME", "KEY", "ADDRESS", "FROM"],
      ...providers.map((provider) => [
        oneLine(provider.id, 60),
        provider.scheme,
        oneLine(keyText(provider), 80),
        oneLine(provider.base_url ?? "the vendor's", 80),
        provider.from
      ])
    ]),
    "\n",
    table([
      ["MODEL", "WINDOW", "IN", "OUT", "CACHE READ", "CACHE WRITE", "PRICES OF", "FROM"],
      ...models.map((model) => [
        oneLine(model.ref, 80),
        windowText(model),
        ...pricesText(model.prices),
        `${model.from}${model.default ? ", the default" : ""}`
      ])
    ]),
    "\nWindows in tokens, prices in US dollars per million tokens. Models that are not listed work as well.\n",
    `default: ${chosen.model}\n`,
    ...chosen.notes.map((note) => `note: ${note}\n`)
  ].join("")

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, terminal }) {
    const { config } = yield* directoriesOf(env)
    const catalog = yield* readCatalog(config).pipe(Effect.provide(Files.layer), Effect.mapError(hostFailure))
    const report = survey(catalog, env, config)
    yield* terminal.out(flags["json"] === true ? `${JSON.stringify(report)}\n` : text(report))
    return ExitCode.ok
  })
}
