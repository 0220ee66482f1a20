import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import { pdf } from "../support/pdf.ts"
import { lines, live, refusal, told, workbench } from "./support.ts"

layer(live)("Read", (it) => {
  it.effect("numbers the lines of a whole file", () =>
    Effect.gen(function* () {
      const { at, call } = yield* workbench({ files: { "a.txt": "alpha\n\nbeta" } })
      assert.deepStrictEqual(yield* told(call("Read", { file_path: at("a.txt") })), {
        summary: `Read 3 lines from ${at("a.txt")}. Returned 3 of 3 lines; next offset: none.`,
        content: "     1\talpha\n     2\t\n     3\tbeta\n"
      })
    })
  )

  it.effect("shows a window and says where the next one begins", () =>
    Effect.gen(function* () {
      const { at, call } = yield* workbench({ files: { "a.txt": lines(10) } })
      const path = at("a.txt")
      assert.deepStrictEqual(yield* told(call("Read", { file_path: path, offset: 3, limit: 2 })), {
        summary: `Read lines 4-5 from ${path}. Returned 2 of 10 lines; next offset: 5.`,
        content: "     4\tline 4\n     5\tline 5\n",
        truncated: true
      })
      assert.deepStrictEqual(yield* told(call("Read", { file_path: path, offset: 8, limit: null })), {
        summary: `Read lines 9-10 from ${path}. Returned 2 of 10 lines; next offset: none.`,
        content: "     9\tline 9\n    10\tline 10\n"
      })
      assert.strictEqual((yield* call("Read", { file_path: path, limit: 0 })).content, "     1\tline 1\n")
    })
  )

  it.effect("says plainly that there is nothing at an offset, or in a file", () =>
    Effect.gen(function* () {
      const { at, call } = yield* workbench({ files: { "a.txt": lines(2), empty: "" } })
      assert.deepStrictEqual(yield* told(call("Read", { file_path: at("a.txt"), offset: 2 })), {
        summary: `No line at offset 2: ${at("a.txt")} has 2 lines (offsets 0 to 1). Returned 0 of 2 lines; next offset: none.`
      })
      assert.deepStrictEqual(yield* told(call("Read", { file_path: at("empty") })), {
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
      assert.deepStrictEqual(yield* told(sees.call("Read", { file_path: sees.at("a.png") })), {
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
