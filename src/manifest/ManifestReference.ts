/** The manifest described: a JSON Schema for editors, and the list of keys that `docs/manifest.md` is made of. */
import * as Schema from "effect/Schema"
import { valueAt } from "./KeyPath.ts"
import { check, Manifest, type ManifestInput, toInput } from "./Manifest.ts"
import { listKeys, type SchemaKey } from "./SchemaKeys.ts"

export interface ManifestKey extends SchemaKey {
  /** The default as it would be written, or undefined: then the key is required or simply has no value. */
  readonly default: Schema.Json | undefined
}

/** The smallest manifest in which every optional table stands, so that all defaults can be seen. */
const sample: ManifestInput = {
  pod: { name: "sample" },
  model: { capability: {} },
  scope: { allow: [{ target: "/", permission: "read" }], deny: [{ target: "/", permission: "read" }] },
  permissions: { default_action: "allow", rule: [{ tool: "Bash", pattern: "*", action: "ask" }] },
  hooks: { command: [{ name: "sample", on: ["on_abort"], command: ["true"] }] },
  compaction: { model: { capability: {} } },
  web: {},
  memory: { extract_model: { capability: {} }, consolidation_model: { capability: {} } },
  skills: {}
}

/** Every key of the manifest, in the order of the tables. */
export const manifestKeys = (): ReadonlyArray<ManifestKey> => {
  const result = check(sample, undefined)
  const full = result._tag === "Success" ? toInput(result.success) : undefined
  return listKeys(Manifest.ast).map((key) => {
    const path = key.key.split(/\.|(?=\[\])/).map((part) => (part === "[]" ? 0 : part))
    const value = key.required || key.table ? undefined : valueAt(full, path)
    // What `toInput` gives is made of TOML values, and those are JSON.
    return { ...key, default: value as Schema.Json | undefined }
  })
}

/** JSON Schema (draft 2020-12) of a manifest file, with descriptions and defaults; unknown keys are refused in it. */
export const manifestJsonSchema = (): Schema.JsonObject => {
  const document = Schema.toJsonSchemaDocument(Manifest)
  const keys = new Map(manifestKeys().map((key) => [key.key, key]))
  const definitions = document.definitions as Schema.JsonObject
  const described = describe(document.schema as Schema.Json, "", keys) as Schema.JsonObject
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "effect-pod manifest",
    ...described,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

const describe = (
  schema: Schema.Json,
  path: string,
  keys: ReadonlyMap<string, ManifestKey>,
  named = true
): Schema.Json => {
  if (!isObject(schema)) return schema
  // The generator puts checks and key descriptions into `allOf`, one each; flat is what people and editors read.
  const { allOf, ...kept } = schema
  const result: Record<string, Schema.Json> = Object.assign({}, ...(Array.isArray(allOf) ? allOf : []), kept)
  const key = named ? keys.get(path) : undefined
  if (key !== undefined && key.description !== "") {
    result["description"] = key.description
    if (key.default !== undefined) result["default"] = key.default
  }
  if (!named) delete result["description"]
  const { anyOf, items, properties } = schema
  if (Array.isArray(anyOf)) result["anyOf"] = anyOf.map((member) => describe(member, path, keys, false))
  if (items !== undefined) result["items"] = describe(items, `${path}[]`, keys, false)
  if (isObject(properties)) {
    result["additionalProperties"] = false
    result["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, inner]) => [
        name,
        describe(inner, path === "" ? name : `${path}.${name}`, keys)
      ])
    )
  }
  return result
}

const isObject = (value: Schema.Json | undefined): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
