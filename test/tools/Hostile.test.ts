/**
 * What a hostile tree, or somebody hostile at the tools, tries on the file tools. Each title says what is tried and what
 * stops it.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { execFileSync, spawn } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { read } from "../scope/support.ts"
import { listed, live, type Workbench, workbench } from "./support.ts"

/** What the model gets to see, whether the call worked or not. */
const said = (bench: Workbench, tool: string, args: Schema.JsonObject) =>
  bench.call(tool, args).pipe(
    Effect.match({
      onSuccess: ({ content, summary }) => ({ isRefused: false, text: `${summary}\n${content ?? ""}` }),
      onFailure: ({ message }) => ({ isRefused: true, text: message })
    })
  )

const refused = Effect.fnUntraced(function* (bench: Workbench, tool: string, args: Schema.JsonObject) {
  const { isRefused, text } = yield* said(bench, tool, args)
  assert.isTrue(isRefused, text)
  return text
})

/** Every file tool, pointed at one path. */
const everyTool = (path: string): ReadonlyArray<readonly [string, Schema.JsonObject]> => [
  ["Read", { file_path: path }],
  ["Write", { file_path: path, content: "mine" }],
  ["Edit", { file_path: path, old_string: "secret", new_string: "mine" }],
  ["Glob", { path, pattern: "**" }],
  ["Grep", { path, pattern: "." }]
]

const secret = "secret\n"

layer(live)("hostile", (it) => {
  describe("outside of the scope", () => {
    it.effect("a path, a link to it and a way around through `..`: stopped by where they really lead", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const outside = Path.join(bench.work, "../outside")
        NFS.symlinkSync(outside, bench.at("door"))
        NFS.symlinkSync(Path.join(outside, "secret.txt"), bench.at("leak"))
        NFS.symlinkSync("leak", bench.at("chain"))
        const ways = ["../outside/secret.txt", "door/secret.txt", "leak", "chain", "./door/../outside/secret.txt"]
        for (const way of [...ways, "door", "../outside"]) {
          for (const [tool, args] of everyTool(`${bench.work}/${way}`)) {
            assert.notInclude((yield* refused(bench, tool, args)).replaceAll("secret.txt", ""), "secret")
          }
        }
        assert.deepStrictEqual(NFS.readdirSync(outside), ["secret.txt"])
        assert.strictEqual(NFS.readFileSync(Path.join(outside, "secret.txt"), "utf8"), secret)
      })
    )

    it.effect("what is there and what is not: the same words for both, so that nobody learns which", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const outside = Path.join(bench.work, "../outside")
        NFS.mkdirSync(Path.join(outside, "dir"))
        NFS.symlinkSync(outside, bench.at("door"))
        NFS.symlinkSync(Path.join(outside, "secret.txt"), bench.at("there"))
        NFS.symlinkSync(Path.join(outside, "nothing.bin"), bench.at("gone"))
        const pairs = [
          ["../outside/secret.txt", "../outside/nothing.bin"],
          ["door/secret.txt", "door/nothing.bin"],
          ["door/secret.txt/x", "door/nothing.bin/x"],
          ["../outside/secret.txt/x", "../outside/nothing.bin/x"],
          ["../outside/dir/../../work/a.txt", "../outside/none/../../work/a.txt"],
          ["door/dir/../x", "door/none/../x"],
          ["there", "gone"]
        ] as const
        bench.put({ "a.txt": "mine" })
        for (const [there, missing] of pairs) {
          for (const tool of ["Read", "Write", "Glob", "Grep"]) {
            const args = (way: string) => everyTool(`${bench.work}/${way}`).find(([name]) => name === tool)?.[1] ?? {}
            const one = yield* refused(bench, tool, args(there))
            const other = yield* refused(bench, tool, args(missing))
            const same = (text: string) => text.replace(/secret\.txt|nothing\.bin|dir|none|there|gone/g, "?")
            assert.strictEqual(same(one), same(other), `${tool} ${there}`)
          }
        }
      })
    )

    it.effect("a search among links, pipes and denied directories: they are not followed, opened or named", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({
          files: { "a.txt": "needle\n", "private/b.txt": "needle\n", "sub/c.txt": "needle\n" },
          deny: ["private"]
        })
        NFS.symlinkSync(Path.join(bench.work, "../outside"), bench.at("sub/door"))
        NFS.symlinkSync(Path.join(bench.work, "../outside/secret.txt"), bench.at("sub/leak"))
        NFS.symlinkSync(bench.work, bench.at("sub/round"))
        execFileSync("mkfifo", [bench.at("sub/pipe")])
        const glob = yield* bench.call("Glob", { pattern: "**" })
        assert.deepStrictEqual(listed(glob.content).toSorted(), [bench.at("a.txt"), bench.at("sub/c.txt")])
        for (const mode of ["files_with_matches", "content", "count"]) {
          const grep = yield* bench.call("Grep", { pattern: "needle|secret", output_mode: mode })
          assert.strictEqual(listed(grep.content).length, 2)
          assert.notInclude(grep.content ?? "", "private")
          assert.notInclude(grep.content ?? "", "outside")
        }
      })
    )
  })

  describe("other names of what is denied", () => {
    it.effect("a hard link to a denied file, and to one in a denied directory: known by device and inode", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({
          files: { "private/deep/key": secret, "one.txt": secret, "free.txt": "free\n" },
          deny: ["private", "one.txt"]
        })
        NFS.linkSync(bench.at("private/deep/key"), bench.at("alias"))
        NFS.linkSync(bench.at("one.txt"), bench.at("second"))
        NFS.linkSync(bench.at("free.txt"), bench.at("fine"))
        for (const name of ["alias", "second"]) {
          assert.notInclude(yield* refused(bench, "Read", { file_path: bench.at(name) }), secret)
        }
        assert.include((yield* said(bench, "Read", { file_path: bench.at("fine") })).text, "free")
        for (const mode of ["files_with_matches", "content", "count"]) {
          const { content, summary } = yield* bench.call("Grep", { pattern: "secret|free", output_mode: mode })
          assert.include(summary, "2 files")
          const found = listed(content).map((line) => line.slice(bench.work.length + 1).split(":")[0])
          assert.deepStrictEqual(found.toSorted(), ["fine", "free.txt"])
        }
      })
    )

    it.effect("a denied directory that was renamed: the rule still holds for its name, and for nothing else", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: { "private/key": secret }, deny: ["private"] })
        yield* refused(bench, "Read", { file_path: bench.at("private/key") })
        NFS.renameSync(bench.at("private"), bench.at("elsewhere"))
        NFS.symlinkSync("elsewhere", bench.at("private"))
        // A link in place of the denied directory carries the rule to where it leads.
        yield* refused(bench, "Read", { file_path: bench.at("private/key") })
        yield* refused(bench, "Read", { file_path: bench.at("elsewhere/key") })
      })
    )

    const canMount = (() => {
      const root = NFS.mkdtempSync("/tmp/effect-pod-test-")
      try {
        execFileSync("mount", ["--bind", root, root], { stdio: "ignore" })
        execFileSync("umount", [root], { stdio: "ignore" })
        return true
      } catch {
        return false
      } finally {
        NFS.rmSync(root, { recursive: true })
      }
    })()

    it.effect.skipIf(!canMount)("a denied directory that is mounted a second time: known by device and inode", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: { "private/key": secret, "second/": "" }, deny: ["private"] })
        yield* Effect.acquireRelease(
          Effect.sync(() => execFileSync("mount", ["--bind", bench.at("private"), bench.at("second")])),
          () => Effect.sync(() => execFileSync("umount", [bench.at("second")]))
        )
        for (const [tool, args] of everyTool(bench.at("second/key"))) yield* refused(bench, tool, args)
        yield* refused(bench, "Glob", { path: bench.at("second"), pattern: "**" })
        assert.include((yield* said(bench, "Glob", { pattern: "**" })).text, "No file")
        for (const mode of ["files_with_matches", "content", "count"]) {
          assert.include((yield* said(bench, "Grep", { pattern: "secret", output_mode: mode })).text, "No match")
        }
      })
    )

    it.effect("another case, another form of Unicode: other names, at which nothing is, or which the rule covers", () =>
      Effect.gen(function* () {
        const composed = "caf\u00e9"
        const decomposed = "cafe\u0301"
        const bench = yield* workbench({
          files: { [`${composed}/key`]: secret, "Secret/key": secret },
          deny: [composed, "Secret"]
        })
        for (const name of [`${decomposed}/key`, "secret/key", "SECRET/KEY", `${composed}/../${decomposed}/key`]) {
          assert.notInclude(
            (yield* said(bench, "Read", { file_path: bench.at(name) })).text.replaceAll(name, ""),
            secret.trim()
          )
        }
        yield* refused(bench, "Read", { file_path: bench.at(`${composed}/key`) })
      })
    )

    it.effect("a narrowed scope: the next call feels it, also in a search", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: { "sub/a.txt": "needle\n" } })
        assert.include((yield* said(bench, "Grep", { pattern: "needle" })).text, "sub/a.txt")
        yield* bench.narrow({ deny: [read(bench.at("sub"))] })
        for (const [tool, args] of everyTool(bench.at("sub/a.txt"))) yield* refused(bench, tool, args)
        assert.notInclude((yield* said(bench, "Grep", { pattern: "needle" })).text, "sub/a.txt")
        assert.notInclude((yield* said(bench, "Glob", { pattern: "**" })).text, "sub/a.txt")
      })
    )
  })

  describe("what is no file", () => {
    it.effect("pipes, devices, sockets, directories: looked at before they are opened, refused by their kind", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ allow: [{ target: "/dev", permission: "write", recursive: true }] })
        execFileSync("mkfifo", [bench.at("pipe")])
        const kinds = { [bench.at("pipe")]: "FIFO", "/dev/zero": "device", "/dev/null": "device", "/dev/tty": "device" }
        for (const [path, kind] of Object.entries(kinds)) {
          assert.include(yield* refused(bench, "Read", { file_path: path }), kind)
          assert.include(yield* refused(bench, "Write", { file_path: path, content: "x" }), kind)
        }
        assert.include(yield* refused(bench, "Read", { file_path: bench.work }), "directory")
      })
    )

    it.effect("the environment, memory and open files of processes: granted by no rule, not even one on /", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ allow: [{ target: "/", permission: "read", recursive: true }] })
        const names = ["environ", "mem", "maps", "fd/0", "cmdline", "task/1/environ"]
        for (const owner of ["self", "thread-self", String(process.pid), "1"]) {
          for (const name of names) yield* refused(bench, "Read", { file_path: `/proc/${owner}/${name}` })
        }
        const around = yield* said(bench, "Read", { file_path: `/proc/self/root${bench.work}/../outside/secret.txt` })
        // With a rule on / this is no escape; it is a way to the same place.
        assert.isTrue(around.isRefused || around.text.includes("secret"))
        yield* refused(bench, "Grep", { path: `/proc/${process.pid}`, pattern: "PATH" })
        const found = yield* said(bench, "Glob", { path: "/proc", pattern: "*/environ" })
        assert.include(found.text, "No file")
      })
    )

    it.effect(
      "a file without an end, one that grows faster than it is read, and one of a terabyte: bounded in bytes",
      () =>
        Effect.gen(function* () {
          const bench = yield* workbench()
          NFS.writeFileSync(bench.at("huge"), "first line\n".repeat(1000))
          NFS.truncateSync(bench.at("huge"), 2 ** 40)
          const huge = yield* said(bench, "Read", { file_path: bench.at("huge"), limit: 1 })
          assert.include(huge.text, "first line")
          yield* refused(bench, "Edit", { file_path: bench.at("huge"), old_string: "first", new_string: "x" })
          const beyond = yield* refused(bench, "Read", { file_path: bench.at("huge"), offset: 5000 })
          assert.include(beyond, "does not begin in its first")
          NFS.rmSync(bench.at("huge"))
          const growing = yield* Effect.acquireRelease(
            Effect.sync(() => spawn("sh", ["-c", `exec yes >> ${bench.at("growing")} 2>/dev/null`])),
            (child) => Effect.sync(() => child.kill("SIGKILL"))
          )
          assert.isDefined(growing.pid)
          while (!NFS.existsSync(bench.at("growing")) || NFS.statSync(bench.at("growing")).size < 2 ** 20) {
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          }
          const got = yield* said(bench, "Read", { file_path: bench.at("growing"), limit: 3 })
          growing.kill("SIGKILL")
          assert.match(got.text, /y|larger than/)
        })
    )

    it.effect("names with line ends, quotes and escapes, and one of 300 characters: told as they are, or refused", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: { "a\"b'c$(x).txt": "needle\n" } })
        assert.include((yield* said(bench, "Grep", { pattern: "needle" })).text, "a\"b'c$(x).txt")
        bench.put({ "two\nlines:1:root": "other\n" })
        const odd = JSON.stringify(bench.at("two\nlines:1:root"))
        assert.strictEqual((yield* bench.call("Glob", { pattern: "two*" })).content, odd)
        const grep = yield* bench.call("Grep", { pattern: "other", output_mode: "content" })
        assert.strictEqual(grep.content, `${odd}:1:other`)
        yield* refused(bench, "Read", { file_path: bench.at("x".repeat(300)) })
        yield* refused(bench, "Read", { file_path: bench.at("a\0b") })
        yield* refused(bench, "Write", { file_path: bench.at("x".repeat(300)), content: "" })
        for (const [tool, args] of everyTool(bench.at("a/".repeat(1_000_000)))) {
          assert.include(yield* refused(bench, tool, args), "too long")
        }
      })
    )
  })

  it.effect("a write beside a rule that covers one file only makes no directory that the rule does not cover", () =>
    Effect.gen(function* () {
      const bench = yield* workbench()
      const outside = Path.join(bench.work, "../outside")
      const target = Path.join(outside, "new/deep/file.txt")
      const lone = yield* workbench({ allow: [{ target, permission: "write", recursive: true }] })
      assert.include(yield* refused(lone, "Write", { file_path: target, content: "x" }), "may not be made")
      assert.isFalse(NFS.existsSync(Path.join(outside, "new")))
    })
  )
})
