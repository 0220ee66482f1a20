/** Bytes become the same lines however they are cut. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Lines from "../../src/protocol/Lines.ts"

const utf8 = new TextEncoder()
const text = (value: string): Lines.Line => ({ _tag: "Text", text: value })

const decode = (chunks: Iterable<Uint8Array>, maxBytes?: number): ReadonlyArray<Lines.Line> => {
  const decoder = Lines.make(maxBytes === undefined ? {} : { maxBytes })
  return [...Array.from(chunks).flatMap((chunk) => decoder.push(chunk)), ...decoder.end()]
}

/** Each chunk is a copy that is overwritten after use, as a socket may do with its buffer. */
function* cut(bytes: Uint8Array, sizes: ReadonlyArray<number>): Iterable<Uint8Array> {
  let from = 0
  for (let i = 0; from < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length]!
    const chunk = bytes.slice(from, from + size)
    from += size
    yield chunk
  }
}

const decodeCut = (bytes: Uint8Array, sizes: ReadonlyArray<number>, maxBytes: number): ReadonlyArray<Lines.Line> => {
  const decoder = Lines.make({ maxBytes })
  const lines: Array<Lines.Line> = []
  for (const chunk of cut(bytes, sizes)) {
    lines.push(...decoder.push(chunk))
    chunk.fill(0x78)
  }
  return [...lines, ...decoder.end()]
}

/** What the decoder must do, written as plainly as possible: all bytes at once. */
const oneShot = (bytes: Uint8Array, maxBytes: number): ReadonlyArray<Lines.Line> => {
  const lines: Array<Lines.Line> = []
  let line: Array<number> = []
  const finish = (): void => {
    if (line.length > maxBytes) lines.push({ _tag: "TooLong", bytes: maxBytes })
    else {
      try {
        const value = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(line)).trim()
        if (value !== "") lines.push(text(value))
      } catch {
        lines.push({ _tag: "BadUtf8", bytes: line.length })
      }
    }
    line = []
  }
  for (const byte of bytes) {
    if (byte === 0x0a) finish()
    else line.push(byte)
  }
  finish()
  return lines
}

const sizes = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))), {
  minLength: 1,
  maxLength: 12
})
const piece = Arbitrary.schema(
  Schema.Literals([
    "a",
    "\n",
    "\r\n",
    " ",
    "\t",
    "é",
    "漢字",
    "😀",
    "👩‍👩‍👧",
    '{"a":1}',
    "\ufeff",
    "\u2028",
    "0123456789abcdef",
    ""
  ])
)
const pieces = Arbitrary.array(piece, { maxLength: 40 })
const byte = Arbitrary.schema(Schema.Literals([0x0a, 0x0d, 0x20, 0x41, 0x80, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0xff]))

describe("framing", () => {
  it("trims, skips blank lines and takes a last line without a newline", () => {
    assert.deepStrictEqual(decode([utf8.encode('\n  {"a":1}\r\n\r\n \t \n{"b":2}\n\n{"c":3}')]), [
      text('{"a":1}'),
      text('{"b":2}'),
      text('{"c":3}')
    ])
  })

  it("gives a line as soon as its newline is there", () => {
    const decoder = Lines.make()
    assert.deepStrictEqual(decoder.push(utf8.encode('{"a"')), [])
    assert.deepStrictEqual(decoder.push(utf8.encode(":1}\n{")), [text('{"a":1}')])
    assert.deepStrictEqual(decoder.push(new Uint8Array(0)), [])
    assert.deepStrictEqual(decoder.end(), [text("{")])
    assert.deepStrictEqual(decoder.end(), [])
  })

  it("takes no offence at a byte order mark, also a cut one", () => {
    const bytes = utf8.encode('\ufeff{"a":1}\n\ufeff\n')
    assert.deepStrictEqual(decodeCut(bytes, [1], 100), [text('{"a":1}')])
  })

  it("ends lines at LF alone", () => {
    assert.deepStrictEqual(decode([utf8.encode("a\rb\u2028c\u0085d\n")]), [text("a\rb\u2028c\u0085d")])
  })

  it.prop(
    "does not depend on how text is cut",
    [pieces, sizes],
    ([parts, at]) => {
      const bytes = utf8.encode(parts.join(""))
      assert.deepStrictEqual(decodeCut(bytes, at, 24), oneShot(bytes, 24))
    },
    { arbitrary: { runs: 400 } }
  )

  it.prop(
    "does not depend on how any bytes are cut",
    [Arbitrary.array(byte, { maxLength: 60 }), sizes],
    ([raw, at]) => {
      const bytes = new Uint8Array(raw)
      assert.deepStrictEqual(decodeCut(bytes, at, 10), oneShot(bytes, 10))
    },
    { arbitrary: { runs: 400 } }
  )
})

describe("what is not a line", () => {
  it("bytes that are not UTF-8 spoil their own line only", () => {
    const bytes = new Uint8Array([0x61, 0xff, 0x0a, 0x62, 0x0a, 0xe2, 0x82])
    assert.deepStrictEqual(decode([bytes]), [{ _tag: "BadUtf8", bytes: 2 }, text("b"), { _tag: "BadUtf8", bytes: 2 }])
  })

  it("a line of exactly the maximum is taken, one byte more is not", () => {
    assert.deepStrictEqual(decode([utf8.encode("12345\n123456\n12345")], 5), [
      text("12345"),
      { _tag: "TooLong", bytes: 5 },
      text("12345")
    ])
  })

  it("a line that is too long is told once, at once, and the next one is whole", () => {
    const decoder = Lines.make({ maxBytes: 4 })
    assert.deepStrictEqual(decoder.push(utf8.encode("1234")), [])
    assert.deepStrictEqual(decoder.push(utf8.encode("5")), [{ _tag: "TooLong", bytes: 4 }])
    assert.deepStrictEqual(decoder.push(utf8.encode("67890")), [])
    assert.deepStrictEqual(decoder.push(utf8.encode("x\nok\n")), [text("ok")])
    assert.deepStrictEqual(decoder.push(utf8.encode("123456")), [{ _tag: "TooLong", bytes: 4 }])
    assert.deepStrictEqual(decoder.end(), [])
  })

  it("the maximum is 16 MiB unless said otherwise", () => {
    const half = new Uint8Array(8 * 1024 * 1024).fill(0x61)
    const decoder = Lines.make()
    assert.deepStrictEqual([...decoder.push(half), ...decoder.push(half)], [])
    assert.deepStrictEqual(decoder.push(utf8.encode("a")), [{ _tag: "TooLong", bytes: 16 * 1024 * 1024 }])
  })
})

describe("cost", () => {
  it("a line that is too long is not held", () => {
    const decoder = Lines.make({ maxBytes: 1024 })
    const chunk = new Uint8Array(1024 * 1024).fill(0x61)
    decoder.push(chunk)
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 256; i++) decoder.push(chunk)
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 8 * 1024 * 1024)
    assert.deepStrictEqual(decoder.push(utf8.encode("\nok\n")), [text("ok")])
  })

  it("a long line in single bytes is copied a constant number of times", () => {
    // Copying all of it for each byte would move 500 GB.
    const decoder = Lines.make()
    const one = new Uint8Array([0x61])
    const length = 1024 * 1024
    for (let i = 0; i < length; i++) decoder.push(one)
    const lines = decoder.push(new Uint8Array([0x0a]))
    assert.strictEqual(lines.length, 1)
    assert.strictEqual(lines[0]!._tag === "Text" && lines[0]!.text.length, length)
  })
})
