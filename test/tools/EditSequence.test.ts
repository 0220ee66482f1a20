import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dice } from "../support/dice.ts"
import { live, workbench } from "./support.ts"

/**
 * The oracle edits lists of characters, where a line end is one of them, whichever it is in the file. It looks at every
 * place in turn.
 */
const characters = (text: string): ReadonlyArray<string> => Array.from(text.replaceAll("\r\n", "\n"))

const isAt = (content: ReadonlyArray<string>, old: ReadonlyArray<string>, at: number): boolean =>
  old.every((character, index) => content[at + index] === character)

const edited = (content: ReadonlyArray<string>, old: ReadonlyArray<string>, fresh: ReadonlyArray<string>) => {
  const out: Array<string> = []
  let count = 0
  for (let at = 0; at < content.length; ) {
    if (isAt(content, old, at)) {
      out.push(...fresh)
      count++
      at += old.length
    } else out.push(content[at++] as string)
  }
  return { content: out, count }
}

const pieces = ["a", "b", "ab", "\n", "é", "😀", "$&", "\\n", " "]

layer(live)("sequences of edits", (it) => {
  for (const lineEnd of ["\n", "\r\n"]) {
    it.effect(`agree with an oracle, in files with ${JSON.stringify(lineEnd)}`, () =>
      Effect.gen(function* () {
        const roll = dice(7 + lineEnd.length)
        const some = (least: number, most: number) =>
          Array.from({ length: least + roll(most - least + 1) }, () => pieces[roll(pieces.length)] as string).join("")
        const bench = yield* workbench()
        const path = bench.at("file.txt")
        const seen = { edited: 0, missing: 0, several: 0 }
        for (let sequence = 0; sequence < 60; sequence++) {
          // A line end is always there, so that the file says which ones it has.
          let content = characters(`\n${some(5, 40)}`)
          bench.put({ "file.txt": content.join("").replaceAll("\n", lineEnd) })
          yield* bench.call("Read", { file_path: path })
          for (let step = 0; step < 8; step++) {
            const asWritten = (text: string) => (roll(2) === 0 ? text : text.replaceAll("\n", "\r\n"))
            const [old, fresh, all] = [some(1, 3), some(0, 3), roll(2) === 0]
            const expected = edited(content, characters(old), characters(fresh))
            const result = yield* Effect.result(
              bench.call("Edit", {
                file_path: path,
                old_string: asWritten(old),
                new_string: asWritten(fresh),
                replace_all: all
              })
            )
            const isDone = expected.count > 0 && (expected.count === 1 || all) && old !== fresh
            if (isDone && expected.content.includes("\n")) content = expected.content
            else if (isDone) break
            assert.strictEqual(result._tag, isDone ? "Success" : "Failure", JSON.stringify([content, old, fresh, all]))
            seen[isDone ? "edited" : expected.count === 0 ? "missing" : "several"]++
            assert.strictEqual(bench.text("file.txt"), content.join("").replaceAll("\n", lineEnd))
          }
        }
        assert.isAbove(Math.min(seen.edited, seen.missing, seen.several), 20)
      })
    )
  }
})
