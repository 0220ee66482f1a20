/** Pages of PDF documents through `Read`: which ones, how many, and what is said of the rest. */
import { assert, describe, it as test, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { truncateSync } from "node:fs"
import { maxPages, parse, words } from "../../src/tools/PageRanges.ts"
import type { ToolOutput } from "../../src/tools/Tool.ts"
import { dice } from "../support/dice.ts"
import { numbered, pdf } from "../support/pdf.ts"
import { live, told, workbench } from "./support.ts"

const long = pdf(numbered(50))

const bench = Effect.fnUntraced(function* (
  files: Readonly<Record<string, Uint8Array | string>>,
  options: Parameters<typeof workbench>[0] = { vision: true }
) {
  const made = yield* workbench({ files, ...options })
  const read = (name: string, pages?: string) =>
    told(made.call("Read", { file_path: made.at(name), ...(pages === undefined ? {} : { pages }) }))
  /** The text on the pages of what was shown, read by a pod whose model cannot see. */
  const seen = Effect.fnUntraced(function* ({ media }: ToolOutput) {
    const [shown] = media ?? []
    if (shown === undefined) return undefined
    const blind = yield* workbench({ files: { "shown.pdf": Buffer.from(shown.data, "base64") } })
    const { content } = yield* blind.call("Read", { file_path: blind.at("shown.pdf") })
    return content?.match(/Page \d+/g)
  })
  const refusal = (name: string, pages?: string) =>
    Effect.map(Effect.flip(read(name, pages)), ({ message, reason }) => `${reason}: ${message}`)
  return { ...made, read, refusal, seen }
})

describe("a text that names pages", () => {
  test("is some pages within bounds, or refused with what to write instead, whatever it is", () => {
    const upTo = dice(7)
    const pick = (from: ReadonlyArray<string>) => from[upTo(from.length)]
    const scraps = [
      "1",
      "20",
      "21",
      "0",
      "999999999999999999999",
      "-",
      ",",
      " ",
      "a",
      "",
      "3-7",
      "7-3",
      "١",
      "1.5",
      "\n"
    ]
    let accepted = 0
    for (let n = 0; n < 8_000; n++) {
      const text = Array.from({ length: upTo(7) }, () =>
        upTo(3) === 0 ? pick(scraps) : pick(["1", "4", "9", "-", ","])
      ).join("")
      const found = parse(text)
      if (Result.isFailure(found)) {
        assert.include(found.failure, 'Pages are given like "3", "1-5" or "2,4-6"', text)
        assert.isBelow(found.failure.length, 300)
        continue
      }
      accepted++
      const pages = found.success
      assert.isAtLeast(pages.length, 1, text)
      assert.isAtMost(pages.length, maxPages, text)
      assert.deepStrictEqual(
        [...new Set(pages)].toSorted((a, b) => a - b),
        pages,
        text
      )
      assert.isTrue(
        pages.every((page) => Number.isSafeInteger(page) && page >= 1),
        text
      )
      // Each number that stands there is a page, and what it is said to be is the same pages again.
      for (const number of text.match(/\d+/g) ?? []) assert.include(pages, Number(number), text)
      assert.deepStrictEqual(parse(words(pages)), found, text)
    }
    assert.isAbove(accepted, 1_000)
  })

  test("is never more pages than one call may have, however they are spread", () => {
    assert.deepStrictEqual(Result.getOrThrow(parse("1-10,31-40")).length, 20)
    for (const text of ["1-21", "1-10,31-41", "1,3-12,14-23", "1-20,1-19,40"]) {
      const found = parse(text)
      assert.match(Result.isFailure(found) ? found.failure : "", /more.*at most 20 in one call/, text)
    }
  })

  test("costs nothing by being long", () => {
    assert.isTrue(Result.isFailure(parse("1-99999999999999999999")))
    assert.isTrue(Result.isFailure(parse("1-1000000")))
    assert.isTrue(Result.isFailure(parse(Array.from({ length: 100_000 }, (_, n) => n + 1).join(","))))
  })
})

layer(live)((it) => {
  describe("Read", () => {
    it.effect("shows the pages that were asked for, and says what follows", () =>
      Effect.gen(function* () {
        const { at, read, refusal, seen } = yield* bench({ "a.pdf": long })
        const middle = yield* read("a.pdf", "4-6, 2")
        assert.strictEqual(
          middle.summary,
          `Read pages 2,4-6 of ${at("a.pdf")}, a PDF document of 50 pages. Returned 4 of 50 pages; next pages: 7-10.`
        )
        assert.deepInclude(middle.media?.[0], { type: "application/pdf", name: "a (pages 2,4-6).pdf" })
        assert.deepStrictEqual(yield* seen(middle), ["Page 2", "Page 4", "Page 5", "Page 6"])
        const end = yield* read("a.pdf", "49-60")
        assert.include(end.summary, "Returned 2 of 50 pages; next pages: none. There is no page 51-60.")
        assert.deepStrictEqual(yield* seen(end), ["Page 49", "Page 50"])
        assert.include(
          yield* refusal("a.pdf", "51"),
          "a.pdf has 50 pages: there is no page 51. Ask for pages from 1 to 50."
        )
        assert.match(yield* refusal("a.pdf", "1-21"), /^InvalidArgument: .*at most 20 in one call/)
      })
    )

    it.effect("shows a short document whole, as it is, and of a long one tells how to ask for a part", () =>
      Effect.gen(function* () {
        const short = pdf(numbered(20))
        const large = pdf(numbered(3), { ballast: 2_000_000 })
        const { at, read, seen } = yield* bench({ "short.pdf": short, "long.pdf": long, "large.pdf": large })
        const whole = yield* read("short.pdf")
        assert.deepStrictEqual(whole, {
          summary: `Read ${at("short.pdf")}: a PDF document, ${short.length} bytes, shown whole. Returned 20 of 20 pages; next pages: none.`,
          media: [{ type: "application/pdf", data: Buffer.from(short).toString("base64"), name: "short.pdf" }]
        })
        assert.deepStrictEqual(yield* read("long.pdf"), {
          summary:
            `${at("long.pdf")} is a PDF document of 50 pages and ${long.length} bytes, too much to be shown at once: ask for ` +
            "a part with `pages`, at most 20 in one call. Returned 0 of 50 pages; next pages: 1-20."
        })
        assert.include((yield* read("large.pdf")).summary, "Returned 0 of 3 pages; next pages: 1-3.")
        const part = yield* read("large.pdf", "1-3")
        assert.include(part.summary, "Returned 1 of 3 pages; next pages: 2-3.")
        assert.deepStrictEqual(yield* seen(part), ["Page 1"])
      })
    )

    it.effect("gives the text where the document cannot be shown, and says that it is text and why", () =>
      Effect.gen(function* () {
        const files = {
          "locked.pdf": pdf(["hidden"], { encrypted: { user: "", owner: "boss" } }),
          "large.pdf": pdf(numbered(2), { ballast: 4_000_000 }),
          "shut.pdf": pdf(["hidden"], { encrypted: { user: "a", owner: "b" } })
        }
        const { at, read, refusal } = yield* bench(files)
        for (const pages of [undefined, "1"]) {
          assert.deepStrictEqual(yield* read("locked.pdf", pages), {
            summary:
              `Text of page 1 of ${at("locked.pdf")}, a PDF document of 1 page: extracted, because vendors take no ` +
              "encrypted document. Pictures and layout are not in it. Returned 1 of 1 pages; next pages: none.",
            content: "[page 1]\nhidden\n"
          })
        }
        const large = yield* read("large.pdf", "2")
        assert.include(large.summary, "extracted, because page 2 alone is too large to be shown.")
        assert.strictEqual(large.content, "[page 2]\nPage 2\n")
        assert.strictEqual(
          yield* refusal("shut.pdf"),
          `InvalidArgument: ${at("shut.pdf")} cannot be shown: it can be opened with a password only.`
        )
      })
    )

    it.effect("gives a model that cannot see documents their text, in windows, and says where there is none", () =>
      Effect.gen(function* () {
        const files = { "a.pdf": long, "scan.pdf": pdf(["", ""]), "mixed.pdf": pdf(["words", "", "more"]) }
        // One that sees pictures is not taken for one that sees documents.
        for (const sight of [{}, { vision: true, documents: false }]) {
          const { at, read, refusal } = yield* bench(files, sight)
          const first = yield* read("a.pdf")
          assert.isUndefined(first.media)
          assert.isTrue(first.truncated)
          assert.include(
            first.summary,
            `Text of pages 1-20 of ${at("a.pdf")}, a PDF document of 50 pages: extracted, because this model cannot see ` +
              "documents. Pictures and layout are not in it. Returned 20 of 50 pages; next pages: 21-40."
          )
          assert.deepStrictEqual(first.content?.match(/\[page \d+\]\nPage \d+\n/g)?.length, 20)
          const last = yield* read("a.pdf", "50")
          assert.deepStrictEqual([last.content, last.truncated], ["[page 50]\nPage 50\n", undefined])
          const mixed = yield* read("mixed.pdf")
          assert.include(mixed.summary, "There is no text on page 2; a scan has none.")
          assert.strictEqual(mixed.content, "[page 1]\nwords\n\n[page 2]\n(no text on this page)\n\n[page 3]\nmore\n")
          const scan = yield* read("scan.pdf")
          assert.include(scan.summary, "There is no text on pages 1-2; a scan has none.")
          assert.isUndefined(scan.content)
          assert.include(yield* refusal("a.pdf", "51"), "there is no page 51")
        }
      })
    )

    it.effect("bounds the text like any other, by whole pages, and cuts a page that is too long by itself", () =>
      Effect.gen(function* () {
        const lines = (of: string) => Array.from({ length: 10 }, () => of.repeat(20)).join("\n")
        const { read } = yield* bench({ "a.pdf": pdf([lines("a"), lines("b"), lines("c")]) }, { contentBytes: 500 })
        const first = yield* read("a.pdf")
        assert.include(first.summary, "Returned 2 of 3 pages; next pages: 3.")
        assert.include((yield* read("a.pdf", "3")).content ?? "", lines("c"))
        const small = yield* bench({ "a.pdf": pdf([lines("a")]) }, { contentBytes: 100 })
        const cut = yield* small.read("a.pdf")
        assert.include(cut.summary, "Page 1 is too long for one result; its end is left out.")
        assert.isAtMost(cut.content?.length ?? 0, 100)
        assert.isTrue(cut.truncated)
      })
    )

    it.effect("has no pages of what is no document, whatever its name", () =>
      Effect.gen(function* () {
        const { at, read, refusal } = yield* bench({ "a.txt": "x\n", "b.pdf": "plain\n", "c.pdf": "%PDF-1.7\nplain\n" })
        const none = (name: string) => `InvalidArgument: ${at(name)} is not a PDF document and has no pages:`
        assert.include(yield* refusal("a.txt", "1"), none("a.txt"))
        assert.include(yield* refusal("b.pdf", "1"), none("b.pdf"))
        assert.strictEqual((yield* read("b.pdf")).content, "     1\tplain\n")
        for (const pages of [undefined, "1"]) {
          assert.match(yield* refusal("c.pdf", pages), /^InvalidArgument: .*it cannot be read as a PDF document \(/)
        }
      })
    )

    it.effect(
      "finds the pages of a document that is larger than other files may be, and of one beyond all bounds none",
      () =>
        Effect.gen(function* () {
          const { read, refusal, seen, at } = yield* bench({ "a.pdf": pdf(numbered(10), { ballast: 2_000_000 }) })
          const part = yield* read("a.pdf", "9")
          assert.deepStrictEqual(yield* seen(part), ["Page 9"])
          assert.include((yield* read("a.pdf")).summary, "Returned 0 of 10 pages; next pages: 1-10.")
          truncateSync(at("a.pdf"), 70 * 1024 * 1024)
          assert.include(yield* refusal("a.pdf", "9"), "is larger than 67108864 bytes")
        })
    )
  })
})
