/**
 * What a model is told about the arguments of a tool: one self-contained JSON Schema of an object.
 *
 * Vendors want neither a `$ref` at the top nor a separate document of definitions.
 */
import * as Schema from "effect/Schema"

/** Throws for a schema that has no JSON form. */
export const parameterSchema = (schema: Schema.Constraint): Schema.JsonObject => {
  const { definitions, schema: top } = Schema.toJsonSchemaDocument(schema)
  const { $ref, ...own } = top as Schema.JsonObject
  const { [nameOf($ref)]: referred, ...others } = definitions as Readonly<Record<string, Schema.JsonObject>>
  const object = { ...referred, ...own }
  // A definition that refers to itself must stay where it is looked for.
  const named =
    referred === undefined || !JSON.stringify([object, others]).includes(`"${String($ref)}"`) ? others : definitions
  return {
    ...(isEmptyStruct(object) ? { type: "object" } : object),
    // Some servers refuse an object that names none.
    ...(isEmptyStruct(object) || (object["type"] === "object" && object["properties"] === undefined)
      ? { properties: {} }
      : {}),
    ...(Object.keys(named).length === 0 ? {} : { $defs: named as Schema.JsonObject })
  }
}

const nameOf = (ref: Schema.Json | undefined): string =>
  typeof ref === "string" ? (ref.split("/").at(-1) ?? "").replaceAll("~1", "/").replaceAll("~0", "~") : ""

/** A struct without fields is "anything but null" to Effect. */
const isEmptyStruct = (object: Schema.JsonObject): boolean => JSON.stringify(object) === '{"not":{"type":"null"}}'
