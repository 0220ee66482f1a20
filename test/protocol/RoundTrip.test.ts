/** Whatever the schemas can hold travels: value → line → bytes in pieces → line → the same value. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Event } from "../../src/protocol/Event.ts"
import * as Lines from "../../src/protocol/Lines.ts"
import { LogEntry } from "../../src/protocol/LogEntry.ts"
import { Method } from "../../src/protocol/Method.ts"
import { PodRegistry } from "../../src/protocol/PodRegistry.ts"
import { SeedStatusFile, SpawnedPodsFile } from "../../src/protocol/RuntimeFiles.ts"
import { SeedEvent } from "../../src/protocol/SeedEvent.ts"
import { SpawnConfig } from "../../src/protocol/SpawnConfig.ts"
import { decodeMethod, encodeLine } from "../../src/protocol/Wire.ts"

/** JSON knows no -0 and a line holds no lone surrogate: in every other way the value has to come back as it was. */
const asWritten = (value: unknown): unknown =>
  typeof value === "string"
    ? value.toWellFormed()
    : typeof value === "number"
      ? value + 0
      : Array.isArray(value)
        ? value.map(asWritten)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(Object.entries(value).map(([key, field]) => [key.toWellFormed(), asWritten(field)]))
          : value

const overTheWire = (values: ReadonlyArray<object>, chunk: number): ReadonlyArray<string> => {
  const bytes = new TextEncoder().encode(values.map(encodeLine).join(""))
  const decoder = Lines.make()
  const lines: Array<Lines.Line> = []
  for (let at = 0; at < bytes.length; at += chunk) lines.push(...decoder.push(bytes.subarray(at, at + chunk)))
  assert.deepStrictEqual(decoder.end(), [])
  return lines.map((line) => {
    assert.strictEqual(line._tag, "Text")
    return line._tag === "Text" ? line.text : ""
  })
}

const chunk = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
const many = <S extends Schema.Schema<object>>(schema: S) => Arbitrary.array(Arbitrary.schema(schema), { maxLength: 4 })

const travels = <A extends object>(name: string, schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownSync(schema)
  it.prop(
    name,
    [many(schema), chunk],
    ([values, size]) => {
      const lines = overTheWire(values, size)
      assert.deepStrictEqual(
        lines.map((line) => asWritten(decode(JSON.parse(line)))),
        values.map(asWritten)
      )
    },
    { arbitrary: { runs: 150 } }
  )
}

describe("what is written is read as it was", () => {
  travels("events", Event)
  travels("events of the seed protocol", SeedEvent)
  travels("log entries", LogEntry)
  travels("the status of the seed", SeedStatusFile)
  travels("the children of a pod", SpawnedPodsFile)
  travels("the registry of the seed", PodRegistry)
  travels("the config of a child", SpawnConfig)

  it.prop(
    "methods",
    [many(Method), chunk],
    ([values, size]) => {
      const methods = overTheWire(values, size).map((line) => Result.getOrThrow(decodeMethod(line)))
      assert.deepStrictEqual(methods.map(asWritten), values.map(asWritten))
    },
    { arbitrary: { runs: 300 } }
  )
})
