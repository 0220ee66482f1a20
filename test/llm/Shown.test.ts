import { assert, describe, it } from "@effect/vitest"
import type { LlmMessage } from "../../src/llm/LlmRequest.ts"
import * as Shown from "../../src/llm/Shown.ts"

/** One result for each number: an image of so many characters. */
const conversation = (sizes: ReadonlyArray<number>): ReadonlyArray<LlmMessage> =>
  sizes.flatMap(
    (size, n): ReadonlyArray<LlmMessage> => [
      { role: "assistant", blocks: [{ kind: "tool_call", id: `c${n}`, name: "Read", arguments: "{}" }] },
      {
        role: "tool",
        results: [
          {
            id: `c${n}`,
            name: "Read",
            text: "an image",
            isError: false,
            media: [{ type: "image/png", data: "A".repeat(size), name: `${n}.png` }]
          }
        ]
      }
    ]
  )

const shown = (messages: ReadonlyArray<LlmMessage>): ReadonlyArray<string> =>
  messages.flatMap((message) =>
    message.role === "tool" ? message.results.flatMap(({ media = [] }) => media.map(({ name }) => name ?? "")) : []
  )

describe("what tools have shown, in one request", () => {
  const largest = 5 * 1024 * 1024

  it("is never more than vendors take, however much there is, and always the newest", () => {
    for (let count = 1; count <= 90; count++) {
      for (const size of [1, 900_000, largest]) {
        const names = shown(Shown.newest(conversation(Array.from({ length: count }, () => size))))
        assert.isAtMost(names.length * size, Shown.maxCharacters)
        assert.isAtMost(names.length, Shown.maxPieces)
        assert.deepStrictEqual(
          names,
          Array.from({ length: names.length }, (_, at) => `${count - names.length + at}.png`)
        )
        assert.isAtLeast(names.length, 1)
      }
    }
  })

  it("begins with what the request before began with, but for one in ten or so", () => {
    const starts = Array.from({ length: 90 }, (_, n) => shown(Shown.newest(conversation(Array(n + 1).fill(1))))[0])
    assert.isAtMost(new Set(starts).size, 9)
  })

  it("leaves a name and the way back in place of what made room", () => {
    const [, first] = Shown.newest(conversation([largest, largest, largest]))
    assert.deepInclude(first?.role === "tool" ? first.results[0] : undefined, {
      text: "an image\n[Not shown here: 0.png. It made room for newer ones: read it again to see it.]"
    })
  })
})
