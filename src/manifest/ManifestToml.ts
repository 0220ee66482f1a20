/**
 * A manifest as TOML text: read with the line of every problem, and written out whole.
 *
 * The parser is Effect's; it knows where a text stops being TOML but not where a value stands, so places come from
 * `Places.ts`.
 */
import * as Effect from "effect/Effect"
import * as Toml from "effect/encoding/Toml"
import * as Result from "effect/Result"
import { formatKeyPath, type KeyPath } from "./KeyPath.ts"
import { check, type Manifest, toInput } from "./Manifest.ts"
import { ManifestError, manifestError, type ManifestProblem } from "./ManifestError.ts"
import { mergeManifests } from "./Merge.ts"
import { isTable } from "./Paths.ts"
import { withPlaces } from "./Places.ts"

export interface TomlOptions {
  /** What messages call it: the path as the user gave it. */
  readonly file: string
  /** Absolute directory that relative paths start from: the file's own. */
  readonly baseDir: string
  /** Laid under and over the file: for a name that it need not give, for what a flag says. Their paths are absolute. */
  readonly defaults?: unknown
  readonly overrides?: unknown
}

export const parseToml = (text: string, options: TomlOptions): Effect.Effect<Manifest, ManifestError> =>
  Effect.flatMap(parseTomlData(text, options.file), (data) => {
    const merged = mergeManifests(mergeManifests(options.defaults, data), options.overrides)
    const result = check(merged, options.baseDir)
    if (result._tag === "Success") return Effect.succeed(result.success)
    return Effect.fail(new ManifestError({ subject: options.file, problems: withPlaces(text, result.failure) }))
  })

/** The bare values of a TOML text, for merging before they are decoded. Fails on the first syntax error only. */
export const parseTomlData = (text: string, file: string): Effect.Effect<unknown, ManifestError> =>
  Effect.suspend(() =>
    Result.match(Toml.parse(text), {
      onSuccess: Effect.succeed,
      onFailure: (error) => Effect.fail(manifestError(file, syntaxProblem(error.message)))
    })
  )

/** The parser quotes the text it stumbled over, which may be a key that somebody pasted without quotes. */
const syntaxProblem = (message: string): ManifestProblem => {
  const place = /^(.*?) at line (\d+), column (\d+)$/s.exec(message)
  const reason = (place?.[1] ?? message).replace(/^(Invalid value|Integer out of range|Invalid date-time) '.*'$/s, "$1")
  return {
    key: "",
    message: `not valid TOML: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`,
    ...(place === null ? {} : { line: Number(place[2]), column: Number(place[3]) }),
    ...(reason === "Invalid value" ? { hint: "text needs quotes" } : {})
  }
}

/** The whole manifest, defaults spelled out. `parseToml` reads the same manifest back. */
export const formatToml = (manifest: Manifest): string =>
  `${formatTable(toInput(manifest), []).join("\n").trimStart()}\n`

const formatTable = (table: object, path: KeyPath): ReadonlyArray<string> => {
  const own: Array<string> = []
  const below: Array<string> = []
  for (const [key, value] of Object.entries(table)) {
    const inner = [...path, key]
    if (isTable(value)) below.push(...formatTable(value, inner))
    else if (Array.isArray(value) && value.length > 0 && value.every(isTable)) {
      for (const element of value) below.push("", `[[${formatKeyPath(inner)}]]`, ...formatTable(element, []))
    } else own.push(`${formatKeyPath([key])} = ${formatValue(value)}`)
  }
  return [...(path.length > 0 && own.length > 0 ? ["", `[${formatKeyPath(path)}]`] : []), ...own, ...below]
}

const formatValue = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(formatValue).join(", ")}]`
  if (typeof value === "string") return JSON.stringify(value.toWellFormed()).replaceAll("\u007F", "\\u007F")
  return String(value)
}
