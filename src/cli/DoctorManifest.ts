/**
 * Checks of `doctor` on the manifest: does it hold, what does each key come to and where from, is there a key for the
 * model. Names of variables only; nothing is sent anywhere.
 */
import * as Effect from "effect/Effect"
import * as Files from "../../layers/runtime/Files.ts"
import type { Catalog } from "../manifest/Catalog.ts"
import { variable } from "../manifest/Default.ts"
import { formatKeyPath, type KeyPath } from "../manifest/KeyPath.ts"
import { toInput } from "../manifest/Manifest.ts"
import { catalogFor, modelError, type ModelPlan, planModel } from "../manifest/Model.ts"
import { notYet } from "../manifest/NotYet.ts"
import { uncountable } from "../manifest/tables/Budget.ts"
import { isTable } from "../manifest/Paths.ts"
import { tomlPositions } from "../manifest/TomlPositions.ts"
import { checkHooks } from "./DoctorPrograms.ts"
import { checkSandbox } from "./DoctorSandbox.ts"
import { fail, type Finding, ok, warn } from "./Finding.ts"
import type { Invocation } from "./Invocation.ts"
import { hostFailure } from "./Failures.ts"
import { directoriesOf } from "./Directories.ts"
import { origin, prepare, type Prepared } from "./Prepare.ts"

export interface ManifestValue {
  readonly key: string
  readonly value: string
  /** `default`, `environment`, `directory`, `--pod`, or file and line. */
  readonly source: string
}

export interface ManifestReport {
  readonly findings: ReadonlyArray<Finding>
  readonly values: ReadonlyArray<ManifestValue>
}

const keyVariables = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"]

const leaves = (value: unknown, path: KeyPath): ReadonlyArray<readonly [KeyPath, unknown]> => {
  if (isTable(value)) return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
  if (Array.isArray(value) && value.some(isTable))
    return value.flatMap((inner, index) => leaves(inner, [...path, index]))
  return [[path, value]]
}

/** A URL may carry a name and a password. */
const shown = (value: unknown): string => JSON.stringify(value).replace(/:\/\/[^/@"\s]*@/g, "://…@")

const sourceOf = ({ file, invocation, text }: Prepared): ((key: string) => string) => {
  const { flags } = invocation
  if (text === undefined) {
    return (key) =>
      key === "pod.name"
        ? flags["pod"] === undefined
          ? "directory"
          : "--pod"
        : key.startsWith("scope.allow")
          ? "directory"
          : key === "model.ref" || key === "model.scheme"
            ? "environment"
            : "default"
  }
  const positions = tomlPositions(text)
  return (key) => {
    if (key === "pod.name" && flags["pod"] !== undefined) return "--pod"
    const position = positions.get(key)
    return position === undefined ? "default" : `${file}:${position.line}`
  }
}

/** The catalog as this user has it, if the manifest needs it. */
const catalogOf = ({ invocation: { env }, manifest: { model } }: Prepared) =>
  Effect.flatMap(directoriesOf(env), ({ config }) => {
    const [referred] = model.fallback ?? []
    return catalogFor(referred === undefined ? model : { ...model, ref: referred }, { env, configDir: config })
  }).pipe(
    Effect.mapError((error) => (error._tag === "ManifestError" ? hostFailure(error) : error)),
    Effect.provide(Files.layer)
  )

const described = ({ baseUrl, credential, modelId, scheme }: ModelPlan): string => {
  if (baseUrl === undefined) return `${scheme}, embedded, needs no network`
  const key =
    credential.kind === "none"
      ? "no key needed"
      : credential.kind === "file"
        ? `key from ${credential.path}`
        : "key from the environment"
  return `${scheme} ${modelId} at ${shown(baseUrl).slice(1, -1)}, ${key}`
}

const modelFinding = (prepared: Prepared, catalog: Catalog): ReadonlyArray<Finding> => {
  const { env } = prepared.invocation
  const set = keyVariables.filter((name) => variable(env, name) !== undefined)
  const keys =
    set.length === 0
      ? warn("model keys", "none is set", `set one of ${keyVariables.slice(0, 3).join(", ")} to use a real model`)
      : ok("model keys", `set: ${set.join(", ")}`)
  const plan = planModel(prepared.manifest.model, env, "model", catalog)
  if (plan._tag === "Failure") return [keys, fail("model", modelError(plan.failure, origin(prepared)).message)]
  const { notes, prices } = plan.success
  const uncounted = uncountable(prepared.manifest.budget, prices)
  return [
    keys,
    ok("model", described(plan.success)),
    ...(uncounted === undefined ? [] : [fail("budget", modelError(uncounted, origin(prepared)).message)]),
    ...notes.map((note) => warn("model", note))
  ]
}

/** What the search service needs, when there is to be one. */
const webFindings = ({ invocation: { env }, manifest: { web } }: Prepared): ReadonlyArray<Finding> => {
  const name = web?.search.api_key_env
  if (web?.enabled !== true || web.search.enabled === false || name === undefined) return []
  return [
    variable(env, name) === undefined
      ? fail("web search", `${name} is not set`, "set it, or take [web.search] out of the manifest")
      : ok("web search", `key from ${name}`)
  ]
}

/** A fallback that cannot be had keeps a pod from starting, like the model itself. */
const fallbackFindings = (prepared: Prepared, catalog: Catalog): ReadonlyArray<Finding> => {
  const { budget, model } = prepared.manifest
  return (model.fallback ?? []).flatMap((ref, n) => {
    const key = `model.fallback[${n}]`
    const plan = planModel({ ref, limits: {} }, prepared.invocation.env, key, catalog)
    if (plan._tag === "Failure") return [fail(key, modelError(plan.failure, origin(prepared)).message)]
    const { notes, prices } = plan.success
    const uncounted = uncountable(budget, prices)
    return [
      ok(key, described(plan.success)),
      ...(uncounted === undefined ? [] : [fail(key, modelError(uncounted, origin(prepared)).message)]),
      ...notes.map((note) => warn(key, note))
    ]
  })
}

const modelFindings = (prepared: Prepared): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(catalogOf(prepared), {
    onFailure: ({ hint, message }) => [fail("model catalog", message, hint)],
    onSuccess: (catalog) => [...modelFinding(prepared, catalog), ...fallbackFindings(prepared, catalog)]
  })

export const examineManifest = (invocation: Invocation): Effect.Effect<ManifestReport> =>
  prepare(invocation).pipe(
    Effect.flatMap((prepared) =>
      Effect.map(
        Effect.all([modelFindings(prepared), checkSandbox(prepared), checkHooks(invocation.env, prepared.manifest)]),
        (findings) => [prepared, findings.flat()] as const
      )
    ),
    Effect.map(([prepared, findings]): ManifestReport => {
      const { file, manifest, name, unused } = prepared
      const source = sourceOf(prepared)
      return {
        findings: [
          ok("manifest", `${file ?? "the built-in default"}, pod ${name}`),
          ...(unused === undefined ? [] : [warn("manifest", unused)]),
          ...notYet(manifest).map((line) => warn("manifest", line)),
          ...findings,
          ...webFindings(prepared)
        ],
        values: leaves(toInput(manifest), []).map(([path, value]) => {
          const key = formatKeyPath(path)
          return { key, value: shown(value), source: source(key) }
        })
      }
    }),
    Effect.catch(({ hint, message }) => Effect.succeed({ findings: [fail("manifest", message, hint)], values: [] }))
  )
