/**
 * A user's `providers.toml` and `models.toml`, laid over the catalog that comes with the program.
 *
 * Entries are told apart by their ids and merged key by key, so that a file may change one window and say nothing
 * else. What is wrong in a file is said all at once, with line and key. Only who has such a file loads this module.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { nearest } from "../protocol/Nearest.ts"
import { type Catalog, type CatalogOrigin, toModel, toProvider } from "./Catalog.ts"
import * as Bundle from "./CatalogBundle.ts"
import { ModelEntry, ProviderEntry } from "./CatalogEntries.ts"
import { ManifestError, type ManifestProblem } from "./ManifestError.ts"
import { parseTomlData } from "./ManifestToml.ts"
import { mergeManifests } from "./Merge.ts"
import { withPlaces } from "./Places.ts"
import { problemsOf } from "./Problems.ts"

export interface CatalogText {
  /** What messages call it: its path. */
  readonly file: string
  readonly text: string
}

export const ProvidersFile = Schema.Struct({ provider: Schema.optionalKey(Schema.Array(ProviderEntry)) })
export const ModelsFile = Schema.Struct({ model: Schema.optionalKey(Schema.Array(ModelEntry)) })

/** Undefined texts are files that are not there. */
export const parseCatalog = Effect.fn("Catalog.parse")(function* (
  providersText: CatalogText | undefined,
  modelsText: CatalogText | undefined
): Effect.fn.Return<Catalog, ManifestError> {
  const ownProviders = providersText === undefined ? [] : ((yield* read(providersText, ProvidersFile)).provider ?? [])
  const ownModels = modelsText === undefined ? [] : ((yield* read(modelsText, ModelsFile)).model ?? [])
  yield* refuse(
    providersText,
    repeated("provider", ownProviders, ({ id }) => id)
  )
  yield* refuse(modelsText, repeated("model", ownModels, referenceOf))

  const providers = layOver(Bundle.providers, ownProviders, ({ id }) => id).map(({ entry, origin, place }) => ({
    provider: toProvider(entry, origin),
    problems: (["scheme", "auth_hint"] as const).flatMap((name) =>
      place === undefined || entry[name] !== undefined ? [] : [incomplete(`provider[${place}].${name}`)]
    )
  }))
  yield* refuse(
    providersText,
    providers.flatMap(({ problems }) => problems)
  )
  const known = providers.flatMap(({ provider }) => provider ?? [])
  const ids = known.map(({ id }) => id)
  yield* refuse(
    modelsText,
    ownModels.flatMap(({ provider }, index) => (ids.includes(provider) ? [] : [unknownProvider(index, provider, ids)]))
  )
  const models = layOver(Bundle.models, ownModels, referenceOf)
  return { providers: known, models: models.map(({ entry, origin }) => toModel(entry, origin)) }
})

const referenceOf = ({ id, provider }: ModelEntry): string => `${provider}/${id}`

const read = <File>(source: CatalogText, schema: Schema.Codec<File, unknown>): Effect.Effect<File, ManifestError> =>
  Effect.flatMap(parseTomlData(source.text, source.file), (data) => {
    const decoded = Schema.decodeUnknownResult(schema)(data, { errors: "all", onExcessProperty: "error" })
    return decoded._tag === "Success"
      ? Effect.succeed(decoded.success)
      : Effect.fail(
          refusal(source, problemsOf(decoded.failure.issue, SchemaAST.toEncoded(schema.ast), data, "catalog"))
        )
  })

const refusal = ({ file, text }: CatalogText, problems: ReadonlyArray<ManifestProblem>): ManifestError =>
  new ManifestError({ subject: file, problems: withPlaces(text, problems) })

/** Only what stands in a file can be wrong in it. */
const refuse = (
  source: CatalogText | undefined,
  problems: ReadonlyArray<ManifestProblem>
): Effect.Effect<void, ManifestError> =>
  source === undefined || problems.length === 0 ? Effect.void : Effect.fail(refusal(source, problems))

interface Layered<Entry> {
  readonly entry: Entry
  readonly origin: CatalogOrigin
  /** Where it stands in the user's file, counted from 0. */
  readonly place: number | undefined
}

const layOver = <Entry extends object>(
  lower: ReadonlyArray<Entry>,
  upper: ReadonlyArray<Entry>,
  idOf: (entry: Entry) => string
): ReadonlyArray<Layered<Entry>> => {
  const all = new Map<string, Layered<Entry>>(
    lower.map((entry) => [idOf(entry), { entry, origin: "bundled", place: undefined }])
  )
  upper.forEach((entry, place) => {
    const id = idOf(entry)
    const under = all.get(id)?.entry
    all.set(
      id,
      under === undefined
        ? { entry, origin: "user", place }
        : { entry: merge(under, entry), origin: "bundled, changed by user", place }
    )
  })
  return [...all.values()]
}

/** Prices are of one list and one day: those of another are not mixed in. */
const merge = <Entry extends object>(under: Entry, entry: Entry): Entry => ({
  ...(mergeManifests(under, entry) as Entry),
  ...("prices" in entry ? { prices: entry.prices } : {})
})

const repeated = <Entry>(
  table: string,
  entries: ReadonlyArray<Entry>,
  idOf: (entry: Entry) => string
): ReadonlyArray<ManifestProblem> => {
  const first = new Map<string, number>()
  return entries.flatMap((entry, index) => {
    const before = first.get(idOf(entry))
    if (before === undefined) {
      first.set(idOf(entry), index)
      return []
    }
    const key = `${table}[${index}].id`
    return [{ key, message: `\`${key}\`: ${table}[${before}] has this id already; make one entry of the two` }]
  })
}

const incomplete = (key: string): ManifestProblem => ({
  key,
  message: `\`${key}\` is required`,
  hint: "it may be left out only for a provider that comes with the program: effect-pod models lists them"
})

const unknownProvider = (index: number, id: string, ids: ReadonlyArray<string>): ManifestProblem => {
  const near = nearest(id, ids)
  return {
    key: `model[${index}].provider`,
    message: `\`model[${index}].provider\`: there is no provider of that name`,
    hint: near === undefined ? `known: ${ids.join(", ")}; others go into providers.toml` : `did you mean "${near}"?`
  }
}
