import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import { lines, live, refusal, told, workbench } from "./support.ts"

layer(live)("Edit", (it) => {
  it.effect("replaces exact text and shows the change as a diff", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench({ files: { "a.txt": lines(10) } })
      yield* call("Read", { file_path: at("a.txt") })
      const result = yield* told(
        call("Edit", {
          file_path: at("a.txt"),
          old_string: "line 5\n",
          new_string: "five $& $1\nmore\n"
        })
      )
      assert.deepStrictEqual(result, {
        summary: `Edited ${at("a.txt")}: 1 replacement.`,
        content: [
          "@@ -2,7 +2,8 @@",
          " line 2",
          " line 3",
          " line 4",
          "-line 5",
          "+five $& $1",
          "+more",
          " line 6",
          " line 7",
          " line 8",
          ""
        ].join("\n")
      })
      assert.include(text("a.txt"), "line 4\nfive $& $1\nmore\nline 6\n")
    })
  )

  it.effect("makes no file of more than 16 MiB, and nothing of the text of one", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { "a.txt": "ab".repeat(100_000) } })
      yield* bench.call("Read", { file_path: bench.at("a.txt") })
      for (const size of [168, 1_000_000]) {
        const args = {
          file_path: bench.at("a.txt"),
          old_string: "a",
          new_string: "x".repeat(size),
          replace_all: true
        }
        assert.include((yield* Effect.flip(bench.call("Edit", args))).message, "larger than 16777216 bytes")
      }
      assert.strictEqual(bench.text("a.txt").length, 200_000)
    })
  )

  it.effect("deletes, edits at both ends, and replaces all when asked", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench({ files: { "a.txt": "aXbXc" } })
      const path = at("a.txt")
      yield* call("Read", { file_path: path })
      const twice = yield* refusal(call("Edit", { file_path: path, old_string: "X", new_string: "-" }))
      assert.include(twice.message, "occurs 2 times")
      const all = yield* call("Edit", { file_path: path, old_string: "X", new_string: "-", replace_all: true })
      assert.strictEqual(all.summary, `Edited ${path}: 2 replacements.`)
      yield* call("Edit", { file_path: path, old_string: "a", new_string: "", replace_all: null })
      yield* call("Edit", { file_path: path, old_string: "c", new_string: "end" })
      assert.strictEqual(text("a.txt"), "-b-end")
      yield* call("Edit", { file_path: path, old_string: "-b-end", new_string: "" })
      assert.strictEqual(text("a.txt"), "")
    })
  )

  it.effect("changes no byte that it was not asked to: CRLF, byte order mark, no newline at the end", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench({ files: { "dos.txt": "\ufeffone\r\ntwo\r\nthree" } })
      yield* call("Read", { file_path: at("dos.txt") })
      yield* call("Edit", { file_path: at("dos.txt"), old_string: "two\r\n", new_string: "2\r\n" })
      assert.strictEqual(text("dos.txt"), "\ufeffone\r\n2\r\nthree")
      // A model that reads lines writes LF.
      yield* call("Edit", { file_path: at("dos.txt"), old_string: "one\n2\n", new_string: "1\nmore\n" })
      assert.strictEqual(text("dos.txt"), "\ufeff1\r\nmore\r\nthree")
      yield* call("Edit", { file_path: at("dos.txt"), old_string: "three", new_string: "3\nend" })
      assert.strictEqual(text("dos.txt"), "\ufeff1\r\nmore\r\n3\r\nend")
    })
  )

  it.effect("keeps the LF of a file when the model writes CRLF, and takes a mixed file as it is", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench({ files: { "unix.txt": "one\ntwo\n", "mixed.txt": "a\r\nb\nc\n" } })
      yield* call("Read", { file_path: at("unix.txt") })
      yield* call("Edit", { file_path: at("unix.txt"), old_string: "one\r\ntwo", new_string: "1\r\n2" })
      assert.strictEqual(text("unix.txt"), "1\n2\n")
      yield* call("Read", { file_path: at("mixed.txt") })
      const error = yield* refusal(call("Edit", { file_path: at("mixed.txt"), old_string: "a\nb", new_string: "x" }))
      assert.include(error.message, "CRLF")
      yield* call("Edit", { file_path: at("mixed.txt"), old_string: "a\r\nb\n", new_string: "x\n" })
      assert.strictEqual(text("mixed.txt"), "x\nc\n")
    })
  )

  it.effect("says what becomes of the other names of a file", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench({ files: { "a.txt": "alpha" } })
      NFS.linkSync(at("a.txt"), at("b.txt"))
      yield* call("Read", { file_path: at("a.txt") })
      const { summary } = yield* call("Edit", { file_path: at("a.txt"), old_string: "alpha", new_string: "beta" })
      assert.include(summary, "1 other name of it (hard links) keep the old content")
      assert.strictEqual(text("b.txt"), "alpha")
    })
  )

  it.effect("refuses what it cannot do exactly", () =>
    Effect.gen(function* () {
      const { at, call, put } = yield* workbench({
        files: { "a.txt": "alpha", latin: new Uint8Array([0x61, 0xe9]), "dir/": "" }
      })
      const fails = (args: { readonly [key: string]: string }) =>
        Effect.map(
          refusal(call("Edit", { file_path: at("a.txt"), old_string: "a", new_string: "b", ...args })),
          (error) => error.message
        )
      assert.include(yield* fails({}), "not been read yet")
      yield* call("Read", { file_path: at("a.txt") })
      yield* call("Read", { file_path: at("latin") })
      assert.include(yield* fails({ old_string: "" }), "old_string is empty")
      assert.include(yield* fails({ new_string: "a" }), "nothing would change")
      assert.include(yield* fails({ old_string: "beta" }), "does not occur")
      assert.include(yield* fails({ file_path: at("latin") }), "not valid UTF-8")
      assert.include(yield* fails({ file_path: at("none") }), "does not exist")
      assert.include(yield* fails({ file_path: at("dir") }), "is a directory")
      put({ "a.txt": "changed" })
      assert.include(yield* fails({}), "changed since")
    })
  )

  it.effect("several edits of one file in call order see each other", () =>
    Effect.gen(function* () {
      const { at, call, text, tools } = yield* workbench({ files: { "a.txt": "1" } })
      yield* call("Read", { file_path: at("a.txt") })
      const edit = tools.find((tool) => tool.spec.name === "Edit")
      for (let step = 1; step <= 5; step++) {
        const args = { file_path: at("a.txt"), old_string: String(step), new_string: String(step + 1) }
        assert.deepStrictEqual(edit?.mutates(args), [at("a.txt")])
        yield* call("Edit", args)
      }
      assert.strictEqual(text("a.txt"), "6")
    })
  )

  it.effect("parallel changes under two names of one file take turns and lose nothing", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench({ files: { "a.txt": lines(20, (number) => `<${number}>`) } })
      NFS.symlinkSync("a.txt", at("link"))
      yield* call("Read", { file_path: at("a.txt") })
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index + 1),
        (number) =>
          call("Edit", {
            file_path: at(number % 2 === 0 ? "link" : "a.txt"),
            old_string: `<${number}>`,
            new_string: `[${number}]`
          }),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(
        text("a.txt"),
        lines(20, (number) => `[${number}]`)
      )
    })
  )
})
