import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as LineWindow from "../../src/tools/LineWindow.ts"

const run = (
  text: string,
  options: {
    readonly offset?: number
    readonly limit?: number
    readonly maxBytes?: number
    readonly step?: number
  } = {}
) => {
  const bytes = new TextEncoder().encode(text)
  const window = LineWindow.make({
    offset: options.offset ?? 0,
    limit: options.limit ?? 1000,
    maxBytes: options.maxBytes ?? 1_000_000
  })
  const step = options.step ?? Math.max(1, bytes.length)
  for (let at = 0; at < bytes.length; at += step) window.push(bytes.subarray(at, at + step))
  return window.finish()
}
const texts = (text: string, options?: Parameters<typeof run>[1]) => run(text, options).lines.map((line) => line.text)

describe("a window of lines", () => {
  it("ends lines with LF, drops a CR before it, and starts no line behind the last newline", () => {
    assert.deepStrictEqual(texts(""), [])
    assert.deepStrictEqual(texts("\n"), [""])
    assert.deepStrictEqual(texts("a"), ["a"])
    assert.deepStrictEqual(texts("a\r\n\r\nb\rc\r"), ["a", "", "b\rc\r"])
    assert.isTrue(run("a\r\n").hasCrlf)
    assert.isFalse(run("a\n\nb").hasCrlf)
  })

  it("keeps the beginning of a long line, whole characters only", () => {
    for (const lead of [0, 1, 2, 3]) {
      const text = "x".repeat(lead) + "😀".repeat(1000)
      for (const line of [run(text), run(`${text}\r\nnext`)].map((result) => result.lines[0] as LineWindow.Line)) {
        assert.match(line.text, /^x*(😀)+$/u)
        const kept = new TextEncoder().encode(line.text).length
        assert.isAtMost(kept, LineWindow.maxLineBytes)
        assert.isAbove(kept, LineWindow.maxLineBytes - 4)
        assert.strictEqual(kept + line.cut, lead + 4000)
      }
    }
    assert.deepStrictEqual(run("x".repeat(LineWindow.maxLineBytes)).lines[0]?.cut, 0)
    assert.deepStrictEqual(run("x".repeat(LineWindow.maxLineBytes) + "\r\n").lines[0]?.cut, 0)
  })

  it("stops keeping at the bytes it may, but never before the first line", () => {
    const result = run("aaaa\nbbbb\ncccc\n", { maxBytes: 25 })
    assert.deepStrictEqual(
      result.lines.map((line) => line.text),
      ["aaaa", "bbbb"]
    )
    assert.isTrue(result.isOutOfBytes)
    assert.strictEqual(result.total, 3)
    assert.deepStrictEqual(texts("aaaa\nb", { maxBytes: 0 }), ["aaaa"])
  })

  it("renders numbers in six columns that grow", () => {
    assert.strictEqual(LineWindow.render({ text: "x", cut: 0 }, 7), "     7\tx\n")
    assert.strictEqual(LineWindow.render({ text: "x", cut: 0 }, 1_234_567), "1234567\tx\n")
    assert.include(LineWindow.render({ text: "x", cut: 9 }, 1), "9 bytes")
  })

  it.prop(
    "is the same however the bytes are cut into chunks",
    {
      pieces: Schema.Array(Schema.Literals(["a", "\n", "\r\n", "é", "😀", "\r"])).check(Schema.isMaxLength(60)),
      offset: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 })),
      limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })),
      step: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))
    },
    ({ limit, offset, pieces, step }) => {
      const text = pieces.join("")
      const expected = text.split("\n")
      const total = text.endsWith("\n") || text === "" ? expected.length - 1 : expected.length
      const result = run(text, { offset, limit, step })
      assert.strictEqual(result.total, total)
      assert.deepStrictEqual(
        result.lines.map((line) => line.text),
        expected
          .slice(0, total)
          .map((line, index) => (index < expected.length - 1 ? line.replace(/\r$/, "") : line))
          .slice(offset, offset + limit)
      )
    },
    { arbitrary: { runs: 500 } }
  )
})
