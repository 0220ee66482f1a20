/**
 * The paths inside a manifest, made absolute before anything else looks at them.
 *
 * Text only: links are resolved where a path is used. `~` and variables mean nothing here.
 */
import * as Lexical from "../scope/Lexical.ts"
import { formatKeyPath, type KeyPath } from "./KeyPath.ts"
import type { ManifestProblem } from "./ManifestError.ts"

/** `path` seen from the absolute directory `base`, in normal form. */
export const resolvePath = (base: string, path: string): string =>
  Lexical.normalize(Lexical.isAbsolute(path) ? path : `${base}/${path}`)

/** Where paths stand. `*` is every element of an array, `first` its first one. */
const model = [["auth", "file"], ["script"]]
const places: ReadonlyArray<ReadonlyArray<string>> = [
  ["pod", "prompt_pack"],
  ...model.map((key) => ["model", ...key]),
  ...model.map((key) => ["compaction", "model", ...key]),
  ...model.map((key) => ["memory", "extract_model", ...key]),
  ...model.map((key) => ["memory", "consolidation_model", ...key]),
  ["scope", "allow", "*", "target"],
  ["scope", "deny", "*", "target"],
  ["memory", "workspace_root"],
  ["skills", "directories", "*"]
]
/** The same for programs: without a slash it is a name that is looked for in PATH. */
const programs: ReadonlyArray<ReadonlyArray<string>> = [["hooks", "command", "*", "command", "first"]]

/**
 * A copy with every path absolute. A relative path without a base, `~` and NUL are problems; what is not a string
 * is left for the decoder to refuse.
 */
export const rebase = (
  input: unknown,
  base: string | undefined
): { readonly value: unknown; readonly problems: ReadonlyArray<ManifestProblem> } => {
  const problems: Array<ManifestProblem> = []
  const one = (path: KeyPath, text: string): string => {
    const key = formatKeyPath(path)
    if (text.includes("\0")) problems.push({ key, message: `\`${key}\` has a NUL character in it; expected a path` })
    else if (text === "~" || text.startsWith("~/")) {
      problems.push({ key, message: `\`${key}\` starts with ~, which is not expanded; write the whole path` })
    } else if (text === "") return text
    else if (Lexical.isAbsolute(text) || base !== undefined) return resolvePath(base ?? "/", text)
    else problems.push({ key, message: `\`${key}\` is a relative path; expected an absolute one` })
    return text
  }
  const walk = (
    value: unknown,
    rest: ReadonlyArray<string>,
    path: KeyPath,
    isPath: (text: string) => boolean
  ): unknown => {
    const [key, ...deeper] = rest
    if (key === undefined) return typeof value === "string" && isPath(value) ? one(path, value) : value
    if (key === "*" || key === "first") {
      return Array.isArray(value)
        ? value.map((item, index) => (key === "*" || index === 0 ? walk(item, deeper, [...path, index], isPath) : item))
        : value
    }
    if (!isTable(value) || !(key in value)) return value
    return { ...value, [key]: walk(value[key], deeper, [...path, key], isPath) }
  }
  const withPaths = places.reduce((value, place) => walk(value, place, [], () => true), input)
  return { value: programs.reduce((value, place) => walk(value, place, [], hasSlash), withPaths), problems }
}

const hasSlash = (text: string): boolean => text.includes("/")

export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
