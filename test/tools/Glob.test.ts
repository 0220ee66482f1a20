import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import { listed, live, names, workbench, type Workbench } from "./support.ts"

const age = (bench: Workbench, name: string, seconds: number): void =>
  NFS.utimesSync(bench.at(name), 1_700_000_000 - seconds, 1_700_000_000 - seconds)

layer(live)("Glob", (it) => {
  it.effect("matches the path relative to the directory, where * stays within one name", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: { "a.ts": "", "src/b.ts": "", "src/deep/c.ts": "", "src/d.tsx": "", "src/[x].md": "" }
      })
      const glob = (pattern: string, path?: string) =>
        Effect.map(bench.call("Glob", { pattern, ...(path === undefined ? {} : { path }) }), (output) =>
          names(bench, output.content).toSorted()
        )
      assert.deepStrictEqual(yield* glob("*.ts"), ["a.ts"])
      assert.deepStrictEqual(yield* glob("src/*.ts"), ["src/b.ts"])
      assert.deepStrictEqual(yield* glob("**/*.ts"), ["a.ts", "src/b.ts", "src/deep/c.ts"])
      assert.deepStrictEqual(yield* glob("**"), ["a.ts", "src/[x].md", "src/b.ts", "src/d.tsx", "src/deep/c.ts"])
      assert.deepStrictEqual(yield* glob("src/{b,d}.{ts,tsx}"), ["src/b.ts", "src/d.tsx"])
      assert.deepStrictEqual(yield* glob("src/?.ts*"), ["src/b.ts", "src/d.tsx"])
      assert.deepStrictEqual(yield* glob("./src/[!b].*"), ["src/d.tsx"])
      assert.deepStrictEqual(yield* glob("src/\\[x\\].md"), ["src/[x].md"])
      assert.deepStrictEqual(yield* glob("*.ts", bench.at("src")), ["src/b.ts"])
      assert.deepStrictEqual(yield* glob(`${bench.work}/src/**/*.ts`), ["src/b.ts", "src/deep/c.ts"])
    })
  )

  it.effect("lists the newest first", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { old: "", "new": "", "d/middle": "" } })
      age(bench, "old", 30)
      age(bench, "d/middle", 20)
      age(bench, "new", 10)
      const { content, summary } = yield* bench.call("Glob", { pattern: "**" })
      assert.deepStrictEqual(names(bench, content), ["new", "d/middle", "old"])
      assert.strictEqual(
        summary,
        `Found 3 files matching ** in ${bench.work}. Returned 3 of 3 files; next offset: none.`
      )
    })
  )

  it.effect("finds hidden and ignored files, but no links, pipes or directories", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: { ".gitignore": "ignored", ignored: "", ".git/config": "", "node_modules/m.js": "", "dir/": "" }
      })
      NFS.symlinkSync("ignored", bench.at("link"))
      NFS.symlinkSync("/", bench.at("rootlink"))
      execFileSync("mkfifo", [bench.at("pipe")])
      const { content } = yield* bench.call("Glob", { pattern: "**" })
      assert.deepStrictEqual(names(bench, content).toSorted(), [
        ".git/config",
        ".gitignore",
        "ignored",
        "node_modules/m.js"
      ])
    })
  )

  it.effect("leaves out what may not be read", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { a: "", "private/b": "", "c/d": "" }, deny: ["private"] })
      const { content, summary } = yield* bench.call("Glob", { pattern: "**" })
      assert.deepStrictEqual(names(bench, content).toSorted(), ["a", "c/d"])
      assert.include(summary, "Found 2 files")
    })
  )

  it.effect("lists at most 1000 and says how many there are", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`f${index}`, ""])),
        contentBytes: 1_000_000
      })
      age(bench, "f17", 1_000_000)
      const output = yield* bench.call("Glob", { pattern: "f*" })
      assert.strictEqual(listed(output.content).length, 1000)
      assert.notInclude(listed(output.content), bench.at("f17"))
      assert.include(output.summary, "Found 1001 files")
      assert.include(output.summary, "Returned 1000 of 1001 files; next offset: 1000.")
      const rest = yield* bench.call("Glob", { pattern: "f*", offset: 1000 })
      assert.deepStrictEqual(listed(rest.content), [bench.at("f17")])
      assert.include(rest.summary, "Returned 1 of 1001 files; next offset: none.")
      assert.isTrue(output.truncated)
      const exact = yield* bench.call("Glob", { pattern: "f[0-9]*[!7]" })
      assert.isUndefined(exact.truncated)
    })
  )

  it.effect("leaves out hidden and ignored files when it is asked to, and takes files of a type alone", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({
        files: { ".git/": "", ".gitignore": "out\n", "a.ts": "", "b.rs": "", "out/c.ts": "", ".hidden.ts": "" }
      })
      const found = (args: { readonly [key: string]: boolean | string }) =>
        Effect.map(bench.call("Glob", { pattern: "**/*.*", ...args }), ({ content }) =>
          names(bench, content).toSorted()
        )
      assert.deepStrictEqual(yield* found({ type: "ts" }), [".hidden.ts", "a.ts", "out/c.ts"])
      assert.deepStrictEqual(yield* found({ hidden: false, ignored: false }), ["a.ts", "b.rs"])
      assert.deepStrictEqual(yield* found({ type: "ts", ignored: false }), [".hidden.ts", "a.ts"])
    })
  )

  it.effect("stays below the bytes of a result", () =>
    Effect.gen(function* () {
      const files = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`${"é".repeat(60)}${index}`, ""]))
      const bench = yield* workbench({ files, contentBytes: 2000 })
      const { content = "", summary, truncated } = yield* bench.call("Glob", { pattern: "*" })
      assert.isAtMost(new TextEncoder().encode(content).length, 2000)
      assert.include(summary, "Found 50 files")
      assert.isTrue(truncated)
    })
  )

  it.effect("refuses a bad pattern and a directory that may not be searched", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { "a.txt": "", "sub/": "" } })
      NFS.symlinkSync("sub", bench.at("link"))
      const fails = (args: { readonly [key: string]: string }) =>
        Effect.map(Effect.flip(bench.call("Glob", { pattern: "*", ...args })), (error) => error.message)
      assert.include(yield* fails({ pattern: "[a" }), "unclosed character class")
      assert.include(yield* fails({ pattern: "" }), "empty")
      assert.include(yield* fails({ pattern: "/etc/*" }), "does not lie below")
      assert.include(yield* fails({ path: "sub" }), "not an absolute path")
      assert.include(yield* fails({ path: bench.at("none") }), "does not exist")
      assert.include(yield* fails({ path: bench.at("a.txt") }), "not a directory")
      assert.include(yield* fails({ path: bench.at("link") }), "is a link to the directory")
      assert.include(yield* fails({ path: bench.at("../outside") }), "outside of what may be read")
      assert.strictEqual((yield* bench.call("Glob", { pattern: "*.none" })).content, undefined)
    })
  )
})
