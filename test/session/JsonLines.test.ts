import { describe, expect, it } from "@effect/vitest"
import { type JsonLine, jsonLines } from "../../src/session/JsonLines.ts"
import { generator } from "../support/World.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const linesOf = (bytes: Uint8Array): ReadonlyArray<JsonLine> => Array.from(jsonLines(bytes))

describe("a window as lines", () => {
  it("each line has its place, its length and what it says; what has no newline yet is left for later", () => {
    expect(linesOf(bytesOf('{"a":"é👋"}\n\n \t\r\n[1]\r\n{"b":'))).toEqual([
      { _tag: "Json", from: 0, bytes: 15, json: { a: "é👋" } },
      { _tag: "Blank", from: 15, bytes: 1 },
      { _tag: "Blank", from: 16, bytes: 4 },
      { _tag: "Json", from: 20, bytes: 5, json: [1] }
    ])
    expect(linesOf(bytesOf('{"a":1}'))).toEqual([])
    expect(linesOf(bytesOf(""))).toEqual([])
  })

  it("what is not UTF-8 or not JSON is told of its own line alone", () => {
    const bad = Uint8Array.of(...bytesOf('{"a":"'), 0xc3, ...bytesOf('"}\n'))
    const bytes = Uint8Array.of(...bytesOf("1\n"), ...bad, ...bytesOf("2\n{\n3\n"))
    expect(linesOf(bytes)).toEqual([
      { _tag: "Json", from: 0, bytes: 2, json: 1 },
      { _tag: "Unreadable", from: 2, bytes: 10, problem: "not UTF-8" },
      { _tag: "Json", from: 12, bytes: 2, json: 2 },
      { _tag: "Unreadable", from: 14, bytes: 2, problem: "not JSON" },
      { _tag: "Json", from: 16, bytes: 2, json: 3 }
    ])
  })

  it("what is nested too deeply is told as well, however deep, and what stands beside it is read", () => {
    const nested = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`
    const wide = `{"a":[${Array.from({ length: 2_000 }, () => nested(3)).join(",")}]}`
    const deepest = nested(500)
    const lines = linesOf(bytesOf([deepest, nested(501), wide, nested(200_000), `{"a":${deepest}}`, "1\n"].join("\n")))
    expect(lines.map((line) => (line._tag === "Unreadable" ? line.problem : line._tag))).toEqual([
      "Json",
      "nested deeper than 500 levels",
      "Json",
      "nested deeper than 500 levels",
      "nested deeper than 500 levels",
      "Json"
    ])
  })

  it("a character that was cut at the end of one line does not spoil the next", () => {
    const bytes = Uint8Array.of(0x22, 0xf0, 0x9f, 0x0a, ...bytesOf('"\u{1f44b}"\n'))
    expect(linesOf(bytes).map((line) => (line._tag === "Json" ? line.json : line._tag))).toEqual(["Unreadable", "👋"])
  })

  it("whatever stands in it, the lines lie end to end and nothing is thrown", () => {
    const random = generator(3)
    const letters = [0x0a, 0x20, 0x22, 0x31, 0x5b, 0x5d, 0x80, 0xc3, 0xa9, 0xf0]
    for (let round = 0; round < 2_000; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 40) }, () => letters[Math.floor(random() * 10)]!)
      let at = 0
      for (const line of linesOf(bytes)) {
        expect([line.from, bytes[line.from + line.bytes - 1]]).toEqual([at, 0x0a])
        at += line.bytes
      }
      expect(bytes.subarray(at).includes(0x0a)).toBe(false)
    }
  })
})
