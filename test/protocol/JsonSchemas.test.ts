/** The JSON Schemas that other programs get: one file each, and right about every example line. */
import { assert, describe, it } from "@effect/vitest"
import * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import { jsonSchemas } from "../../src/protocol/JsonSchemas.ts"
import { fixture } from "./fixture.ts"

const schemas = jsonSchemas()

/** A validator built from the printed text alone. It cannot express `not`, which stands in one place only. */
const validator = (schema: Schema.JsonObject): ((value: unknown) => boolean) => {
  const printed = JSON.parse(JSON.stringify(schema)) as JsonSchema.JsonSchema
  const read = SchemaRepresentation.fromJsonSchemaDocument(JsonSchema.fromSchemaDraft2020_12(printed), {
    onEnter: (node) => Object.fromEntries(Object.entries(node).filter(([keyword]) => keyword !== "not"))
  })
  return Schema.is(read as Schema.Codec<unknown, unknown>)
}

/** Strings below a key, at any depth. */
const valuesOf = (key: string, node: unknown): ReadonlyArray<unknown> =>
  typeof node !== "object" || node === null
    ? []
    : Object.entries(node).flatMap(([name, value]) => [...(name === key ? [value] : []), ...valuesOf(key, value)])

describe("effect-pod schema", () => {
  it("names the protocols and has one object each", () => {
    assert.deepStrictEqual(Object.keys(schemas), ["protocol", "method", "event", "log_entry"])
    assert.deepStrictEqual(schemas.protocol, [1, 2])
  })

  for (const name of ["method", "event", "log_entry"] as const) {
    it(`${name} stands on its own`, () => {
      const schema = schemas[name]
      assert.strictEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
      const definitions = Object.keys((schema["$defs"] ?? {}) as object)
      for (const reference of valuesOf("$ref", schema)) {
        assert.match(String(reference), /^#\/\$defs\//)
        assert.include(definitions, String(reference).slice("#/$defs/".length))
      }
    })
  }

  const accepted: ReadonlyArray<readonly ["method" | "event" | "log_entry", ReadonlyArray<string>]> = [
    ["method", ["seed-methods", "native-methods"]],
    ["event", ["seed-events", "native-events"]],
    ["log_entry", ["log-entries", "native-entries"]]
  ]
  for (const [name, files] of accepted) {
    it(`${name} accepts every example line`, () => {
      const isValid = validator(schemas[name])
      for (const line of files.flatMap(fixture)) {
        assert.isTrue(isValid(JSON.parse(line)), line)
        assert.isTrue(isValid({ ...(JSON.parse(line) as object), added_later: { a: [1] } }), `${line} with a new key`)
      }
    })
  }

  it("refuses what a reader would refuse", () => {
    const method = validator(schemas.method)
    assert.isFalse(method({ method: "rum" }))
    assert.isFalse(method({ method: "run" }))
    assert.isFalse(method({ method: "resume", params: {} }))
    assert.isFalse(method({ method: "resume", id: "" }))
    assert.isFalse(method({ method: "read_entries", params: { from: 0, limit: 1001 } }))
    const event = validator(schemas.event)
    assert.isFalse(event({ event: "rumour" }))
    assert.isFalse(event({ event: "status", data: { status: "sleeping" } }))
    assert.isFalse(event({ event: "turn_start", data: { turn: -1 } }))
    const entry = validator(schemas.log_entry)
    assert.isFalse(entry({ kind: "turn_end", ts: 1 }))
    assert.isFalse(entry({ kind: "rumour", ts: 1 }))
  })

  it("a segment of a known kind is not an unknown one", () => {
    assert.deepStrictEqual(valuesOf("not", schemas.method), [
      { enum: ["text", "paste", "file_ref", "knowledge_ref", "workflow_invoke"] }
    ])
  })
})
