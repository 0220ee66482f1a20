import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { type ManifestKey, manifestJsonSchema, manifestKeys } from "../../src/manifest/ManifestReference.ts"
import { parseToml } from "../../src/manifest/ManifestToml.ts"

const documentation = readFileSync(new URL("../../docs/manifest.md", import.meta.url), "utf8")

/** Tables of helper models have the keys of `[model]`, and the reference says so once. */
const repeated = /^(compaction\.model|memory\.(extract|consolidation)_model)\./

/** A row of the reference, as it stands in `docs/manifest.md`. */
const row = (key: ManifestKey): string => {
  const name = key.key.split(".").at(-1)
  const type = key.expected.replace(/ \(units:.*\)$/, "")
  const value = key.required ? "**required**" : key.default === undefined ? "" : `\`${JSON.stringify(key.default)}\``
  return `| \`${name}\` | ${type} | ${value} | ${key.description} |`
}

const heading = (key: string): string => {
  const table = key.slice(0, key.lastIndexOf("."))
  return table.endsWith("[]") ? `[[${table.slice(0, -2)}]]` : `[${table}]`
}

describe("docs/manifest.md", () => {
  const sections = new Map(
    documentation
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split("\n")[0], section])
  )

  it("has every key with its type, default and meaning under the heading of its table", () => {
    const wanted = manifestKeys().filter(({ key, table }) => !table && !repeated.test(key))
    assert.isAbove(wanted.length, 90)
    const missing = wanted
      .filter((key) => {
        const section = [...sections].find(([title]) => title?.includes(`\`${heading(key.key)}\``))
        return section === undefined || !section[1].includes(row(key))
      })
      .map((key) => `${heading(key.key)}: ${row(key)}`)
    assert.deepStrictEqual(missing, [])
  })

  it("has no row for a key that does not exist", () => {
    const rows = new Set(manifestKeys().map(row))
    const unknown = documentation
      .split("\n")
      .filter((line) => /^\| `\w+` \|.*\|.*\|.*\|$/.test(line) && !rows.has(line))
    assert.deepStrictEqual(unknown, [])
  })

  it.effect("shows manifests that work", () =>
    Effect.gen(function* () {
      const examples = [...documentation.matchAll(/^```toml\n([^]*?)^```/gm)].map((match) => match[1] ?? "")
      assert.isAbove(examples.length, 3)
      for (const example of examples) {
        const whole = example.includes("[pod]")
          ? example
          : `[pod]\nname = "x"\n[[scope.allow]]\ntarget = "/w"\npermission = "read"\n${example}`
        yield* parseToml(whole, { file: "docs/manifest.md", baseDir: "/w" })
      }
    })
  )
})

describe("the JSON Schema", () => {
  const schema = manifestJsonSchema()
  const at = (...path: ReadonlyArray<string>): Schema.Json | undefined => {
    let current: Schema.Json | undefined = schema
    for (const part of path) {
      current =
        typeof current === "object" && current !== null && !Array.isArray(current)
          ? (current as Schema.JsonObject)[part]
          : undefined
    }
    return current
  }

  it("has every key with its description and default", () => {
    for (const { default: value, description, key, table } of manifestKeys()) {
      if (key.includes("[]") || key.includes("auth.") || key.includes("prompt_caching.")) continue
      const path = key.split(".").flatMap((part) => ["properties", part])
      assert.strictEqual(at(...path, "description"), description, key)
      assert.notStrictEqual(description, "", key)
      if (!table && value !== undefined) assert.deepStrictEqual(at(...path, "default"), value, key)
    }
  })

  it("refuses what the decoder refuses: unknown keys, wrong words, bad names", () => {
    assert.strictEqual(at("additionalProperties"), false)
    assert.strictEqual(at("properties", "model", "additionalProperties"), false)
    assert.deepStrictEqual(at("required"), ["pod", "scope"])
    assert.deepStrictEqual(at("properties", "session", "properties", "durability", "enum"), ["fsync", "os"])
    assert.match(String(at("properties", "pod", "properties", "name", "pattern")), /^\^\[A-Za-z0-9_-\]/)
    assert.strictEqual(at("properties", "scope", "properties", "allow", "minItems"), 1)
    assert.notInclude(JSON.stringify(schema), "allOf")
  })

  it("is the same every time, and knows nothing of what was decoded before", () => {
    assert.deepStrictEqual(manifestJsonSchema(), schema)
  })
})
