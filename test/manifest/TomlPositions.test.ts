import { assert, describe, it } from "@effect/vitest"
import * as Toml from "effect/encoding/Toml"
import * as Schema from "effect/Schema"
import { formatKeyPath, type KeyPath } from "../../src/manifest/KeyPath.ts"
import { isTable } from "../../src/manifest/Paths.ts"
import { tomlPositions } from "../../src/manifest/TomlPositions.ts"

const place = (text: string, key: string) => {
  const found = tomlPositions(text).get(key)
  return found === undefined ? undefined : [found.line, found.column]
}

/** Every path in a parsed document. */
const paths = (value: unknown, path: KeyPath = []): ReadonlyArray<string> => {
  const own = path.length === 0 ? [] : [formatKeyPath(path)]
  if (Array.isArray(value)) return [...own, ...value.flatMap((item, index) => paths(item, [...path, index]))]
  if (isTable(value)) return [...own, ...Object.entries(value).flatMap(([key, item]) => paths(item, [...path, key]))]
  return own
}

const tricky = `# [not.a.table]
top = 1 # comment with = and [x]
[a]  # table
text = """
[b]
key = "no"
""" # after
literal = '''it's # not
= a key'''
"quoted key" = 'x'
dotted.inner."deep.er" = true
  indented = [ # array
    1, [2, 3],
    { x = "]", y = { z = '}' } },
  ]
date = 1979-05-27 07:32:00
empty = []
none = {}
[[a.list]]
name = "first"
[a.list.sub]
k = "}"
[[a.list]]
name = "second \\" ] #"
[[a.list.inner]]
v = 0
[a."odd name"]
w = -1.5e3
last = """quotes "" and \\""" inside""""`

describe("places in a TOML text", () => {
  it("keys, headers and elements are found where they begin", () => {
    assert.deepStrictEqual(place(tricky, "top"), [2, 1])
    assert.deepStrictEqual(place(tricky, "a"), [3, 1])
    assert.deepStrictEqual(place(tricky, "a.literal"), [8, 1])
    assert.deepStrictEqual(place(tricky, 'a."quoted key"'), [10, 1])
    assert.deepStrictEqual(place(tricky, 'a.dotted.inner."deep.er"'), [11, 1])
    assert.deepStrictEqual(place(tricky, "a.indented"), [12, 3])
    assert.deepStrictEqual(place(tricky, "a.indented[1][1]"), [13, 12])
    assert.deepStrictEqual(place(tricky, "a.indented[2].y.z"), [14, 22])
    assert.deepStrictEqual(place(tricky, "a.date"), [16, 1])
    assert.deepStrictEqual(place(tricky, "a.list[0].name"), [20, 1])
    assert.deepStrictEqual(place(tricky, "a.list[0].sub.k"), [22, 1])
    assert.deepStrictEqual(place(tricky, "a.list[1]"), [23, 1])
    assert.deepStrictEqual(place(tricky, "a.list[1].inner[0].v"), [26, 1])
    assert.deepStrictEqual(place(tricky, 'a."odd name".last'), [29, 1])
    assert.strictEqual(place(tricky, "b"), undefined)
    assert.strictEqual(place(tricky, "not"), undefined)
  })

  it("every value that the parser sees has a place, with either line ending and a byte order mark", () => {
    for (const text of [tricky, tricky.replaceAll("\n", "\r\n"), `\uFEFF${tricky}`]) {
      const parsed = Toml.parse(text)
      assert.strictEqual(parsed._tag, "Success")
      const found = tomlPositions(text)
      const missing = parsed._tag === "Success" ? paths(parsed.success).filter((key) => !found.has(key)) : []
      assert.deepStrictEqual(missing, [])
    }
  })

  it.prop("any text at all is walked to its end", [Schema.String], ([text]) => {
    tomlPositions(text)
    tomlPositions(`a = [${text}\n"${text}`)
  })
})
