import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import { read, write } from "../scope/support.ts"
import { live, refusal, told, workbench } from "./support.ts"

layer(live)("Write", (it) => {
  it.effect("creates a file, and overwrites what it wrote itself", () =>
    Effect.gen(function* () {
      const { at, call, text } = yield* workbench()
      assert.deepStrictEqual(yield* told(call("Write", { file_path: at("new/a.txt"), content: "é\n" })), {
        summary: `Created ${at("new/a.txt")}, 3 bytes.`
      })
      assert.deepStrictEqual(yield* told(call("Write", { file_path: at("new/a.txt"), content: "" })), {
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
      assert.deepStrictEqual(yield* told(call("Write", { file_path: path, content: "one\n2\nthree\n" })), {
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
