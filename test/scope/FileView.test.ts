import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import * as FileView from "../../src/scope/FileView.ts"
import { ScopedFs } from "../../src/scope/ScopedFs.ts"
import { fill, read, scoped, tempDir } from "./support.ts"

const limit = 262_144

const view = Effect.gen(function* () {
  const work = yield* tempDir
  const { fs } = yield* scoped({ cwd: work, deny: [read(Path.join(work, "private"))] })
  return {
    work,
    attach: (path: string, maxBytes = limit) =>
      FileView.attachment(path, maxBytes).pipe(Effect.provideService(ScopedFs, fs)),
    complete: (prefix: string) => FileView.completions(prefix).pipe(Effect.provideService(ScopedFs, fs))
  }
})

describe("attachment", () => {
  it.effect("is the text of a file under the path as it was typed", () =>
    Effect.gen(function* () {
      const { attach, work } = yield* view
      fill(work, { "notes.md": "alpha\n", empty: "", "crlf.txt": "\ufeffa\r\nb" })
      assert.strictEqual(yield* attach("notes.md"), "[File: notes.md]\nalpha\n")
      assert.strictEqual(yield* attach(`${work}/notes.md`), `[File: ${work}/notes.md]\nalpha\n`)
      assert.strictEqual(yield* attach("empty"), "[File: empty]\n")
      assert.strictEqual(yield* attach("crlf.txt"), "[File: crlf.txt]\n\ufeffa\r\nb")
    })
  )

  it.effect("is cut between characters and says how much there is", () =>
    Effect.gen(function* () {
      const { attach, work } = yield* view
      fill(work, { "wide.txt": "aé€😀z", "exact.txt": "0123456789" })
      const body = (path: string, maxBytes: number) =>
        Effect.map(attach(path, maxBytes), (text) => text.slice(`[File: ${path}]\n`.length))
      assert.strictEqual(yield* body("exact.txt", 10), "0123456789")
      for (const [max, kept] of [
        [1, "a"],
        [2, "a"],
        [3, "aé"],
        [5, "aé"],
        [6, "aé€"],
        [9, "aé€"],
        [10, "aé€😀"]
      ] as const) {
        const bytes = new TextEncoder().encode(kept).length
        assert.strictEqual(
          yield* body("wide.txt", max),
          `${kept}\n[...truncated, 11 bytes total, first ${bytes} shown]`
        )
      }
    })
  )

  it.effect("is the shallow listing of a directory", () =>
    Effect.gen(function* () {
      const { attach, work } = yield* view
      fill(work, { "src/main.rs": "", "src/bin/x": "", "src/.env": "", "none/": "" })
      NFS.symlinkSync("main.rs", Path.join(work, "src/link"))
      assert.strictEqual(yield* attach("src"), "[Dir: src]\nbin/\nlink@\n.env\nmain.rs")
      assert.strictEqual(yield* attach("none/"), "[Dir: none/]\n(empty directory)")
      fill(work, Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`many/${String(i).padStart(3, "0")}`, ""])))
      const lines = (yield* attach("many")).split("\n")
      assert.strictEqual(lines.length, 102)
      assert.strictEqual(lines[100], "099")
      assert.strictEqual(lines[101], "[...truncated, 101 entries total]")
      assert.strictEqual(yield* attach("many", 9), "[Dir: many]\n000\n001\n[...truncated, 101 entries total]")
    })
  )

  it.effect("fails readably for what cannot be attached", () =>
    Effect.gen(function* () {
      const { attach, work } = yield* view
      fill(work, {
        bin: new Uint8Array([1, 0, 2]),
        latin: new Uint8Array([0x61, 0xe9, 0x62]),
        "private/x": "",
        "d/": ""
      })
      NFS.symlinkSync("d", Path.join(work, "dirlink"))
      execFileSync("mkfifo", [Path.join(work, "pipe")])
      const reason = (path: string) => Effect.map(Effect.flip(attach(path)), (error) => error.reason)
      assert.strictEqual(yield* reason("bin"), "Binary")
      assert.strictEqual(yield* reason("latin"), "Binary")
      assert.strictEqual(yield* reason("gone.md"), "NotFound")
      assert.strictEqual(yield* reason("private/x"), "OutOfScope")
      assert.strictEqual(yield* reason("../x"), "OutOfScope")
      assert.strictEqual(yield* reason("dirlink"), "LinkToDirectory")
      assert.strictEqual(yield* reason("pipe"), "NotRegular")
    })
  )
})

describe("completions", () => {
  const values = (entries: ReadonlyArray<{ readonly value: string; readonly is_dir: boolean }>) =>
    entries.map((entry) => `${entry.value}${entry.is_dir ? "/" : ""}`)

  it.effect("list one directory and continue what was typed", () =>
    Effect.gen(function* () {
      const { complete, work } = yield* view
      fill(work, { "src/main.rs": "", "src/mod.rs": "", "src/bin/x": "", ".env": "", "private/x": "" })
      NFS.symlinkSync("src", Path.join(work, "link"))
      assert.deepStrictEqual(values(yield* complete("")), ["src/", ".env", "link"])
      assert.deepStrictEqual(values(yield* complete("s")), ["src/"])
      assert.deepStrictEqual(values(yield* complete("src")), ["src/"])
      assert.deepStrictEqual(values(yield* complete("src/")), ["src/bin/", "src/main.rs", "src/mod.rs"])
      assert.deepStrictEqual(values(yield* complete("src/m")), ["src/main.rs", "src/mod.rs"])
      assert.deepStrictEqual(values(yield* complete(`${work}/src/b`)), [`${work}/src/bin/`])
    })
  )

  it.effect("are empty for what is missing, out of scope or no directory", () =>
    Effect.gen(function* () {
      const { complete, work } = yield* view
      fill(work, { "a.txt": "", "private/x": "" })
      for (const prefix of ["none/", "a.txt/", "private/", "/etc/pass", "../", "a\0/"]) {
        assert.deepStrictEqual(yield* complete(prefix), [], prefix)
      }
    })
  )

  it.effect("stop at 100", () =>
    Effect.gen(function* () {
      const { complete, work } = yield* view
      fill(work, Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`many/${i}`, ""])))
      assert.strictEqual((yield* complete("many/")).length, 100)
    })
  )
})
