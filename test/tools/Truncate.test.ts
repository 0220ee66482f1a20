import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { cap, markerReserve } from "../../src/tools/Truncate.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)

describe("cap", () => {
  it("leaves a text alone that fits", () => {
    const fits = { text: "aé€😀", truncated: false, droppedBytes: 0 }
    assert.deepStrictEqual(cap("aé€😀", 10), fits)
    assert.deepStrictEqual(cap("", 0), { text: "", truncated: false, droppedBytes: 0 })
  })

  it("cuts in front of a character that does not fit, and says what is missing", () => {
    const text = "😀".repeat(100)
    const capped = cap(text, 100)
    assert.isTrue(capped.truncated)
    assert.match(capped.text, /^(😀)+\n\[\.\.\. \d+ bytes left out/u)
    assert.include(capped.text, `${capped.droppedBytes} bytes`)
    assert.isAtMost(bytesOf(capped.text).length, 100)
  })

  it.prop(
    "keeps a prefix of whole characters that adds up with what was dropped, within the limit",
    {
      pieces: Schema.Array(Schema.Literals(["a", "\n", "é", "€", "😀", "\0", "\ud800"])).check(Schema.isMaxLength(120)),
      limit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))
    },
    ({ limit, pieces }) => {
      const text = pieces.join("")
      const capped = cap(text, limit)
      const total = bytesOf(text).length
      if (!capped.truncated) {
        assert.strictEqual(capped.text, text)
        assert.isAtMost(total, limit)
        return
      }
      const kept = bytesOf(text).subarray(0, total - capped.droppedBytes)
      // Throws if a character was split.
      const prefix = new TextDecoder("utf-8", { fatal: true }).decode(kept)
      assert.isTrue(capped.text.startsWith(`${prefix}\n[... ${capped.droppedBytes} `))
      if (limit >= markerReserve) {
        assert.isAtMost(bytesOf(capped.text).length, limit)
        assert.deepStrictEqual(cap(capped.text, limit), { text: capped.text, truncated: false, droppedBytes: 0 })
        // No more is dropped than the marker needs: one more character would not have fitted.
        assert.isAtLeast(kept.length, limit - markerReserve - 3)
      }
    },
    { arbitrary: { runs: 1000 } }
  )
})
