/**
 * A JSON Schema in the words that Gemini's API takes for a function's parameters.
 *
 * The API refuses a declaration with a keyword outside of its list. What has an equal there is rewritten (`const`, `allOf`,
 * an exclusive bound of an integer); other keywords are left out, which only widens what the model may send: arguments
 * are checked against the tool's own schema anyway.
 */
import type * as Schema from "effect/Schema"

/** https://ai.google.dev/api/generate-content: what `parametersJsonSchema` supports, beside the nested schemas below. */
const plain = new Set([
  "$anchor",
  "$id",
  "$ref",
  "type",
  "format",
  "title",
  "description",
  "enum",
  "minItems",
  "maxItems",
  "minimum",
  "maximum",
  "required"
])

const lists = new Set(["anyOf", "oneOf", "prefixItems"])
const maps = new Set(["$defs", "properties"])

export const project = (schema: Schema.JsonObject): Schema.JsonObject => {
  const out: Record<string, Schema.Json> = {}
  for (const [key, value] of Object.entries(flat(schema))) {
    if (plain.has(key)) out[key] = value
    else if (lists.has(key) && isArray(value)) out[key] = value.map(nested)
    else if (maps.has(key) && isObject(value)) out[key] = mapValues(value, nested)
    else if (key === "items") out[key] = nested(value)
    else if (key === "additionalProperties") out[key] = nested(value)
    else if (key === "const") out["enum"] = [value]
    else if (key === "exclusiveMinimum" && isInteger(schema, value)) out["minimum"] = value + 1
    else if (key === "exclusiveMaximum" && isInteger(schema, value)) out["maximum"] = value - 1
  }
  return out
}

/** `allOf` spread out: later words win, which is right for schemas that say each thing once. */
const flat = (schema: Schema.JsonObject): Schema.JsonObject => {
  const { allOf, ...own } = schema
  if (!isArray(allOf)) return own
  return Object.assign({}, own, ...allOf.filter(isObject).map(flat)) as Schema.JsonObject
}

/** `true` and `false` are schemas too. */
const nested = (value: Schema.Json): Schema.Json => (isObject(value) ? project(value) : value)

const isObject = (value: Schema.Json | undefined): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isArray = (value: Schema.Json | undefined): value is ReadonlyArray<Schema.Json> => Array.isArray(value)

const isInteger = (schema: Schema.JsonObject, value: Schema.Json): value is number =>
  schema["type"] === "integer" && Number.isSafeInteger(value)

const mapValues = (value: Schema.JsonObject, change: (inner: Schema.Json) => Schema.Json): Schema.JsonObject =>
  Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]))
