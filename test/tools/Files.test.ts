import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import type { ToolError } from "../../src/tools/Tool.ts"
import { read, write } from "../scope/support.ts"
import { pdf } from "../support/pdf.ts"
import { lines, live, workbench } from "./support.ts"

const refusal = <A, R>(effect: Effect.Effect<A, ToolError, R>) => Effect.flip(effect)

layer(live)("file tools", (it) => {
  describe("Read", () => {
    it.effect("numbers the lines of a whole file", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench({ files: { "a.txt": "alpha\n\nbeta" } })
        assert.deepStrictEqual(yield* call("Read", { file_path: at("a.txt") }), {
          summary: `Read 3 lines from ${at("a.txt")}. Returned 3 of 3 lines; next offset: none.`,
          content: "     1\talpha\n     2\t\n     3\tbeta\n"
        })
      })
    )

    it.effect("shows a window and says where the next one begins", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench({ files: { "a.txt": lines(10) } })
        const path = at("a.txt")
        assert.deepStrictEqual(yield* call("Read", { file_path: path, offset: 3, limit: 2 }), {
          summary: `Read lines 4-5 from ${path}. Returned 2 of 10 lines; next offset: 5.`,
          content: "     4\tline 4\n     5\tline 5\n",
          truncated: true
        })
        assert.deepStrictEqual(yield* call("Read", { file_path: path, offset: 8, limit: null }), {
          summary: `Read lines 9-10 from ${path}. Returned 2 of 10 lines; next offset: none.`,
          content: "     9\tline 9\n    10\tline 10\n"
        })
        assert.strictEqual((yield* call("Read", { file_path: path, limit: 0 })).content, "     1\tline 1\n")
      })
    )

    it.effect("says plainly that there is nothing at an offset, or in a file", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench({ files: { "a.txt": lines(2), empty: "" } })
        assert.deepStrictEqual(yield* call("Read", { file_path: at("a.txt"), offset: 2 }), {
          summary: `No line at offset 2: ${at("a.txt")} has 2 lines (offsets 0 to 1). Returned 0 of 2 lines; next offset: none.`
        })
        assert.deepStrictEqual(yield* call("Read", { file_path: at("empty") }), {
          summary: `${at("empty")} is empty (0 lines). Returned 0 of 0 lines; next offset: none.`
        })
      })
    )

    it.effect("stops at 2000 lines, and before the content gets too long", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench({
          files: { "a.txt": lines(2001, () => "x"), "b.txt": lines(900, () => "y".repeat(100)) }
        })
        const long = yield* call("Read", { file_path: at("a.txt") })
        assert.include(long.summary, "Returned 2000 of 2001 lines")
        const wide = yield* call("Read", { file_path: at("b.txt") })
        const next = Number(/next offset: (\d+)/.exec(wide.summary)?.[1])
        assert.isAtMost((wide.content ?? "").length, 60 * 1024)
        assert.strictEqual(wide.content?.trimEnd().split("\n").length, next)
        assert.isTrue(wide.truncated)
        const rest = yield* call("Read", { file_path: at("b.txt"), offset: next })
        assert.include(rest.summary, `Read lines ${next + 1}-900 from`)
      })
    )

    it.effect("cuts a line of 1 MiB visibly", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench({ files: { "wide.txt": `${"é".repeat(512 * 1024)}\nshort\n` } })
        const { content = "", summary } = yield* call("Read", { file_path: at("wide.txt") })
        assert.include(summary, "1 long line was cut.")
        const [first, second] = content.split("\n")
        assert.match(first as string, /^ {5}1\té{1000} \[\.\.\. 1046576 bytes of this line left out\]$/)
        assert.strictEqual(second, "     2\tshort")
      })
    )

    it.effect("reads a huge file by window", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench()
        // 17 MiB of lines, the last one unlike the others.
        NFS.writeFileSync(at("huge.log"), `${"0123456789abcde\n".repeat(1_114_112)}end`)
        const first = yield* call("Read", { file_path: at("huge.log"), limit: 2 })
        assert.strictEqual(first.content, "     1\t0123456789abcde\n     2\t0123456789abcde\n")
        assert.include(first.summary, ", 17825795 bytes in all.")
        assert.include(first.summary, "next offset: 2.")
        const last = yield* call("Read", { file_path: at("huge.log"), offset: 1_114_111 })
        assert.strictEqual(last.content, "1114112\t0123456789abcde\n1114113\tend\n")
        assert.include(last.summary, "Returned 2 of 1114113 lines; next offset: none.")
        assert.include(
          (yield* call("Read", { file_path: at("huge.log"), offset: 2_000_000 })).summary,
          "has 1114113 lines"
        )
        const edit = yield* refusal(call("Edit", { file_path: at("huge.log"), old_string: "end", new_string: "END" }))
        assert.include(edit.message, "larger than 16777216 bytes")
      })
    )

    it.effect("tells of CRLF and of bytes that are no text, and refuses binary files kindly", () =>
      Effect.gen(function* () {
        const { at, call } = yield* workbench({
          files: {
            "dos.txt": "a\r\nb\r\n",
            "latin.txt": new Uint8Array([0x63, 0x61, 0x66, 0xe9, 10]),
            "image.png": new Uint8Array([0x89, 0x50, 0, 1]),
            "bom.txt": "\ufeffx\n"
          }
        })
        const dos = yield* call("Read", { file_path: at("dos.txt") })
        assert.strictEqual(dos.content, "     1\ta\n     2\tb\n")
        assert.include(dos.summary, "CRLF")
        const latin = yield* call("Read", { file_path: at("latin.txt") })
        assert.strictEqual(latin.content, "     1\tcaf\ufffd\n")
        assert.include(latin.summary, "Not valid UTF-8")
        const binary = yield* refusal(call("Read", { file_path: at("image.png") }))
        assert.strictEqual(binary.reason, "InvalidArgument")
        assert.include(binary.message, "not a text file (4 bytes")
        assert.strictEqual((yield* call("Read", { file_path: at("bom.txt") })).content, "     1\t\ufeffx\n")
      })
    )

    it.effect("shows images and documents to a model that can see, and says what they are to others", () =>
      Effect.gen(function* () {
        const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0])
        const files = {
          "a.png": png,
          "b.pdf": pdf(["seen"]),
          "big.png": new Uint8Array([...png, ...new Uint8Array(4_000_000)])
        }
        const sees = yield* workbench({ files, vision: true })
        assert.deepStrictEqual(yield* sees.call("Read", { file_path: sees.at("a.png") }), {
          summary: `Read ${sees.at("a.png")}: an image (png), 10 bytes, shown whole.`,
          media: [{ type: "image/png", data: Buffer.from(png).toString("base64"), name: "a.png" }]
        })
        assert.strictEqual(
          (yield* sees.call("Read", { file_path: sees.at("b.pdf") })).media?.[0]?.type,
          "application/pdf"
        )
        const big = yield* refusal(sees.call("Read", { file_path: sees.at("big.png") }))
        assert.include(big.message, "At most 3932160 bytes can be shown")
        const blind = yield* workbench({ files })
        const { message } = yield* refusal(blind.call("Read", { file_path: blind.at("a.png") }))
        assert.include(message, "an image (png) of 10 bytes")
        assert.include(message, "this model cannot see")
      })
    )

    it.effect("refuses what the scope refuses, and arguments that do not fit", () =>
      Effect.gen(function* () {
        const { at, call, work } = yield* workbench({ files: { "a.txt": "x" } })
        execFileSync("mkfifo", [at("pipe")])
        NFS.symlinkSync("gone", at("broken"))
        const fails = (args: { readonly [key: string]: string | number }) =>
          Effect.map(refusal(call("Read", args)), (error) => `${error.reason}: ${error.message}`)
        assert.include(yield* fails({ file_path: `${work}/../outside/secret.txt` }), "InvalidArgument: ")
        assert.include(yield* fails({ file_path: at("none") }), "ExecutionFailed: ")
        assert.include(yield* fails({ file_path: "a.txt" }), `InvalidArgument: a.txt is not an absolute path`)
        assert.include(yield* fails({ file_path: work }), "is a directory")
        assert.include(yield* fails({ file_path: at("pipe") }), "FIFO")
        assert.include(yield* fails({ file_path: at("broken") }), "broken link")
        assert.include(yield* fails({}), "file_path")
        assert.include(yield* fails({ file_path: at("a.txt"), offset: -1 }), "InvalidArgument: Read")
        assert.include(yield* fails({ file_path: at("a.txt"), limit: "5" }), "InvalidArgument: Read")
      })
    )
  })

  describe("Write", () => {
    it.effect("creates a file, and overwrites what it wrote itself", () =>
      Effect.gen(function* () {
        const { at, call, text } = yield* workbench()
        assert.deepStrictEqual(yield* call("Write", { file_path: at("new/a.txt"), content: "é\n" }), {
          summary: `Created ${at("new/a.txt")}, 3 bytes.`
        })
        assert.deepStrictEqual(yield* call("Write", { file_path: at("new/a.txt"), content: "" }), {
          summary: `Overwrote ${at("new/a.txt")}, 0 bytes.`,
          content: "@@ -1 +0,0 @@\n-é\n"
        })
        assert.strictEqual(text("new/a.txt"), "")
      })
    )

    it.effect("overwrites only what was read and is still the same, and keeps its mode", () =>
      Effect.gen(function* () {
        const { at, call, put, text } = yield* workbench({ files: { "run.sh": "old" } })
        NFS.chmodSync(at("run.sh"), 0o755)
        const args = { file_path: at("run.sh"), content: "new" }
        assert.include((yield* refusal(call("Write", args))).message, "not been read yet")
        yield* call("Read", { file_path: at("run.sh") })
        put({ "run.sh": "changed by another" })
        assert.include((yield* refusal(call("Write", args))).message, "changed since")
        assert.strictEqual(text("run.sh"), "changed by another")
        yield* call("Read", { file_path: at("run.sh"), limit: 1 })
        yield* call("Write", args)
        assert.strictEqual(text("run.sh"), "new")
        assert.strictEqual(NFS.statSync(at("run.sh")).mode & 0o777, 0o755)
      })
    )

    it.effect("keeps CRLF line ends, and shows what changed", () =>
      Effect.gen(function* () {
        const { at, call, text } = yield* workbench({ files: { "dos.txt": "one\r\ntwo\r\nthree\r\n" } })
        const path = at("dos.txt")
        yield* call("Read", { file_path: path })
        assert.deepStrictEqual(yield* call("Write", { file_path: path, content: "one\n2\nthree\n" }), {
          summary: `Overwrote ${path}, 15 bytes. Lines end with CRLF, as before.`,
          content: "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
        })
        assert.strictEqual(text("dos.txt"), "one\r\n2\r\nthree\r\n")
        // Written on purpose, they are changed: LF in a file that has it, CRLF in any.
        yield* call("Write", { file_path: path, content: "a\r\nb\n" })
        assert.strictEqual(text("dos.txt"), "a\r\nb\n")
      })
    )

    it.effect("knows a file by its real path", () =>
      Effect.gen(function* () {
        const { at, call, text } = yield* workbench({ files: { "real.txt": "old" } })
        NFS.symlinkSync("real.txt", at("link"))
        yield* call("Read", { file_path: at("real.txt") })
        const { summary } = yield* call("Write", { file_path: at("link"), content: "new" })
        assert.strictEqual(summary, `Overwrote ${at("link")} (that is ${at("real.txt")}), 3 bytes.`)
        assert.isTrue(NFS.lstatSync(at("link")).isSymbolicLink())
        assert.strictEqual(text("real.txt"), "new")
      })
    )

    it.effect("forgets nothing of a narrowed scope", () =>
      Effect.gen(function* () {
        const { at, call, narrow, work } = yield* workbench()
        yield* call("Write", { file_path: at("a.txt"), content: "x" })
        yield* narrow({ deny: [write(work)] })
        const error = yield* refusal(call("Write", { file_path: at("a.txt"), content: "y" }))
        assert.include(error.message, "may be read but not written")
        yield* call("Read", { file_path: at("a.txt") })
        yield* narrow({ deny: [read(at("a.txt"))] })
        assert.include((yield* refusal(call("Read", { file_path: at("a.txt") }))).message, "outside")
      })
    )
  })

  describe("Edit", () => {
    it.effect("replaces exact text and shows the change as a diff", () =>
      Effect.gen(function* () {
        const { at, call, text } = yield* workbench({ files: { "a.txt": lines(10) } })
        yield* call("Read", { file_path: at("a.txt") })
        const result = yield* call("Edit", {
          file_path: at("a.txt"),
          old_string: "line 5\n",
          new_string: "five $& $1\nmore\n"
        })
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

  it.effect("change nothing that somebody else changed while they were at it", () =>
    Effect.gen(function* () {
      let meddle = (): void => {}
      const { at, call, put, text } = yield* workbench({
        files: { "a.txt": "alpha" },
        // The new content is written beside the file just before it takes its place.
        beforeOpen: (path) => path.endsWith(".tmp") && meddle()
      })
      yield* call("Read", { file_path: at("a.txt") })
      meddle = () => put({ "a.txt": "alpha, and more" })
      const edit = { file_path: at("a.txt"), old_string: "alpha", new_string: "beta" }
      assert.include((yield* refusal(call("Edit", edit))).message, "changed since")
      meddle = () => {}
      yield* call("Read", { file_path: at("a.txt") })
      meddle = () => put({ "a.txt": "alpha again" })
      assert.include((yield* refusal(call("Write", { file_path: at("a.txt"), content: "x" }))).message, "changed since")
      assert.strictEqual(text("a.txt"), "alpha again")
      meddle = () => put({ "new.txt": "first" })
      assert.include(
        (yield* refusal(call("Write", { file_path: at("new.txt"), content: "x" }))).message,
        "has appeared"
      )
      assert.strictEqual(text("new.txt"), "first")
      assert.deepStrictEqual(NFS.readdirSync(at("")).toSorted(), ["a.txt", "new.txt"])
    })
  )

  it.effect("name the paths that they change, in one form, and none for arguments that do not fit", () =>
    Effect.gen(function* () {
      const { tools } = yield* workbench()
      const mutates = (name: string, args: { readonly [key: string]: string }) =>
        tools.find((tool) => tool.spec.name === name)?.mutates(args)
      assert.deepStrictEqual(mutates("Write", { file_path: "/a//b/./c/../d", content: "" }), ["/a/b/d"])
      assert.deepStrictEqual(mutates("Write", { file_path: "relative", content: "" }), [])
      assert.deepStrictEqual(mutates("Write", { file_path: "/a" }), [])
      assert.deepStrictEqual(mutates("Read", { file_path: "/a" }), [])
      assert.deepStrictEqual(tools.map((tool) => `${tool.spec.name} ${tool.idempotent}`).toSorted(), [
        "Bash false",
        "BashOutput false",
        "Edit false",
        "Glob true",
        "Grep true",
        "KillShell true",
        "Read true",
        "TaskCreate true",
        "TaskGet true",
        "TaskList true",
        "TaskUpdate true",
        "Write false"
      ])
    })
  )
})
