import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import { lines, listed, live, names, workbench } from "./support.ts"

layer(live)("Grep", (it) => {
  const source = {
    "a.txt": "one x\ntwo\nthree x\nfour\nfive\nsix x\n",
    "src/b.ts": "let x = 1\r\n",
    "src/c.js": "X\n"
  }

  it.effect("names the files that match, sorted by path", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: source })
      assert.deepStrictEqual(yield* bench.call("Grep", { pattern: "x" }), {
        summary: `Found 2 files for x in ${bench.work}. Returned 2 of 2 files; next offset: none.`,
        content: `${bench.at("a.txt")}\n${bench.at("src/b.ts")}`
      })
      const ignoringCase = yield* bench.call("Grep", { pattern: "x", "-i": true })
      assert.deepStrictEqual(names(bench, ignoringCase.content), ["a.txt", "src/b.ts", "src/c.js"])
      assert.deepStrictEqual(yield* bench.call("Grep", { pattern: "none" }), {
        summary: `No match for none in ${bench.work}. Returned 0 of 0 files; next offset: none.`
      })
    })
  )

  it.effect("counts matching lines", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: source })
      assert.deepStrictEqual(yield* bench.call("Grep", { pattern: "x", output_mode: "count" }), {
        summary: `Found 4 matches in 2 files for x in ${bench.work}. Returned 2 of 2 files; next offset: none.`,
        content: `${bench.at("a.txt")}:3\n${bench.at("src/b.ts")}:1`
      })
    })
  )

  it.effect("shows matches with the context that belongs to them", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: source })
      const content = (args: { readonly [key: string]: number | boolean }) =>
        Effect.map(bench.call("Grep", { pattern: "x", glob: "a.txt", output_mode: "content", ...args }), (output) =>
          names(bench, output.content)
        )
      assert.deepStrictEqual(yield* content({}), ["a.txt:1:one x", "a.txt:3:three x", "a.txt:6:six x"])
      assert.deepStrictEqual(yield* content({ "-n": false, "-A": 1 }), [
        "a.txt:one x",
        "a.txt-two",
        "a.txt:three x",
        "a.txt-four",
        "a.txt:six x"
      ])
      assert.deepStrictEqual(yield* content({ "-A": 9, "-B": 9, "-C": 0 }), yield* content({}))
      assert.deepStrictEqual(yield* content({ "-B": 1, offset: 1, head_limit: 1 }), ["a.txt-2-two", "a.txt:3:three x"])
      assert.deepStrictEqual(yield* content({ "-C": 2, offset: 2 }), ["a.txt-4-four", "a.txt-5-five", "a.txt:6:six x"])
      assert.deepStrictEqual(yield* content({ "-C": 1, head_limit: 1 }), ["a.txt:1:one x", "a.txt-2-two"])
    })
  )

  it.effect("pages through the same order, and says exactly whether there is more", () =>
    Effect.gen(function* () {
      const files = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`f${index}.txt`, "x\nx\n"]))
      const bench = yield* workbench({ files })
      for (const output_mode of ["files_with_matches", "count", "content"]) {
        const all = listed((yield* bench.call("Grep", { pattern: "x", output_mode })).content)
        const pages: Array<string> = []
        for (let offset = 0; offset < all.length; offset += 3) {
          const page = yield* bench.call("Grep", { pattern: "x", output_mode, offset, head_limit: 3 })
          pages.push(...listed(page.content))
          const isLast = offset + 3 >= all.length
          assert.strictEqual(page.truncated ?? false, !isLast)
          assert.strictEqual(page.summary.includes(`next offset: ${offset + 3}`), !isLast)
        }
        assert.deepStrictEqual(pages, all)
        assert.strictEqual(
          listed((yield* bench.call("Grep", { pattern: "x", output_mode, head_limit: 0 })).content).length,
          1
        )
        const beyond = yield* bench.call("Grep", { pattern: "x", output_mode, offset: 99 })
        assert.isUndefined(beyond.content)
        assert.include(beyond.summary, "Nothing at offset 99.")
      }
      const exact = yield* bench.call("Grep", { pattern: "x", head_limit: 7 })
      assert.isUndefined(exact.truncated)
    })
  )

  it.effect("finds a match over several lines as one", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { "a.txt": "begin\nmiddle\nend\nbegin\n" } })
      const args = { pattern: "begin.*end", multiline: true }
      const content = yield* bench.call("Grep", { ...args, output_mode: "content" })
      assert.strictEqual(content.content, `${bench.at("a.txt")}:1:begin\nmiddle\nend`)
      assert.include(content.summary, "Found 1 match in 1 file")
      assert.isUndefined((yield* bench.call("Grep", { pattern: "begin.*end" })).content)
      assert.strictEqual(
        (yield* bench.call("Grep", { ...args, output_mode: "count" })).content,
        `${bench.at("a.txt")}:1`
      )
    })
  )

  it.effect("leaves out hidden, ignored, binary and denied files, and links", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: {
          "seen.txt": "x",
          ".hidden": "x",
          ".git/config": "x",
          ".gitignore": "ignored.txt\n",
          "ignored.txt": "x",
          binary: "a\0x\n",
          "private/p.txt": "x"
        },
        deny: ["private"]
      })
      NFS.symlinkSync("/etc", bench.at("etc"))
      NFS.symlinkSync("seen.txt", bench.at("link"))
      for (const output_mode of ["files_with_matches", "count", "content"]) {
        const { content, summary } = yield* bench.call("Grep", { pattern: "x", output_mode })
        assert.deepStrictEqual(
          names(bench, content).map((line) => line.split(":")[0]),
          ["seen.txt"]
        )
        assert.include(summary, "1 file")
      }
      const named = yield* bench.call("Grep", { pattern: "x", glob: "ignored*" })
      assert.deepStrictEqual(names(bench, named.content), ["ignored.txt"])
    })
  )

  it.effect("narrows by glob and type", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: source })
      const grep = (args: { readonly [key: string]: string }) =>
        Effect.map(bench.call("Grep", { pattern: "(?i)x", ...args }), (output) => names(bench, output.content))
      assert.deepStrictEqual(yield* grep({ glob: "*.ts" }), ["src/b.ts"])
      assert.deepStrictEqual(yield* grep({ glob: "!src/" }), ["a.txt"])
      assert.deepStrictEqual(yield* grep({ type: "js" }), ["src/c.js"])
      assert.deepStrictEqual(yield* grep({ path: bench.at("src") }), ["src/b.ts", "src/c.js"])
    })
  )

  it.effect("takes a pattern for a pattern, whatever it looks like", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { "a.txt": "--files\n-e x\n" } })
      assert.include((yield* bench.call("Grep", { pattern: "--files" })).summary, "1 file")
      assert.include((yield* bench.call("Grep", { pattern: "-e" })).summary, "1 file")
      assert.include((yield* bench.call("Grep", { pattern: "" })).summary, "1 file")
    })
  )

  it.effect("refuses what ripgrep does not understand, in its words", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: source })
      const fails = (args: { readonly [key: string]: string | number }) =>
        Effect.map(
          Effect.flip(bench.call("Grep", { pattern: "x", ...args })),
          (error) => `${error.reason} ${error.message}`
        )
      for (const output_mode of ["files_with_matches", "count", "content"]) {
        assert.match(yield* fails({ pattern: "(", output_mode }), /^InvalidArgument regex parse error/)
      }
      assert.include(yield* fails({ pattern: "(?=x)" }), "look-around")
      assert.include(yield* fails({ type: "nope" }), "unrecognized file type")
      assert.include(yield* fails({ glob: "[a" }), "error parsing glob")
      assert.include(yield* fails({ path: bench.at("a.txt") }), "not a directory")
      assert.include(yield* fails({ output_mode: "lines" }), "output_mode")
      assert.include(yield* fails({ head_limit: -1 }), "head_limit")
    })
  )

  it.effect("shows of a long line the part around the match, whole characters only", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: {
          "wide.txt": `${"é".repeat(300_000)}needle${"😀".repeat(100_000)}\n`,
          "wider.txt": `${"y".repeat(3_000_000)}needle\n`
        }
      })
      const { content, summary } = yield* bench.call("Grep", { pattern: "needle", output_mode: "content" })
      const [wide, wider] = names(bench, content)
      assert.match(
        wide as string,
        /^wide\.txt:1:\[\.\.\. 599800 bytes left out\] é{100}needle(😀)+ \[\.\.\. \d+ bytes left out\]$/u
      )
      assert.include(wider, "too long to show")
      assert.include(summary, "Found 2 matches in 2 files")
    })
  )

  it.effect("reads names and text that are no UTF-8", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { "latin.txt": new Uint8Array([0x78, 0xe9, 10]) } })
      NFS.writeFileSync(Buffer.concat([Buffer.from(`${bench.work}/n`), Buffer.from([0xe9]), Buffer.from("\nm")]), "x\n")
      const { content } = yield* bench.call("Grep", { pattern: "x", output_mode: "content" })
      assert.strictEqual(content, `${bench.at("latin.txt")}:1:x\ufffd\n${JSON.stringify(bench.at("n\ufffd\nm"))}:1:x`)
      const files = yield* bench.call("Grep", { pattern: "x" })
      assert.strictEqual(files.content, `${bench.at("latin.txt")}\n${JSON.stringify(bench.at("n\ufffd\nm"))}`)
    })
  )

  it.effect("stays below the bytes of a result and goes on from there", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: { "a.txt": lines(100, (number) => `x ${number} ${"y".repeat(80)}`) },
        contentBytes: 3000
      })
      let offset = 0
      let found = 0
      for (let pages = 0; pages < 20; pages++) {
        const { content = "", summary } = yield* bench.call("Grep", { pattern: "x", output_mode: "content", offset })
        assert.isAtMost(content.length, 3000)
        found += listed(content).length
        const next = /next offset: (\d+)/.exec(summary)
        if (next === null) break
        offset = Number(next[1])
      }
      assert.strictEqual(found, 100)
    })
  )
})
