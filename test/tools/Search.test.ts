import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import * as TestClock from "effect/testing/TestClock"
import { Ripgrep } from "../../src/tools/Ripgrep.ts"
import { eventually } from "../layers/runtime/LauncherSupport.ts"
import { read } from "../scope/support.ts"
import { lines, live, workbench, type Workbench } from "./support.ts"

const listed = (content: string | undefined): ReadonlyArray<string> => content?.split("\n") ?? []

/** Paths below the work directory, in the order in which they came. */
const names = (bench: Workbench, content: string | undefined): ReadonlyArray<string> =>
  listed(content).map((path) => path.replace(`${bench.work}/`, ""))

const age = (bench: Workbench, name: string, seconds: number): void =>
  NFS.utimesSync(bench.at(name), 1_700_000_000 - seconds, 1_700_000_000 - seconds)

/** A program in place of ripgrep. */
const instead = (bench: Workbench, script: string) => {
  bench.put({ "../rg": `#!/bin/bash\n${script}\n` })
  NFS.chmodSync(bench.at("../rg"), 0o755)
  return Layer.succeed(Ripgrep, { path: Effect.succeed(bench.at("../rg")) })
}

layer(live)("search tools", (it) => {
  describe("Glob", () => {
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
        assert.strictEqual(summary, `Found 3 files matching ** in ${bench.work}.`)
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
        assert.include(output.summary, "the newest 1000 are listed")
        assert.isTrue(output.truncated)
        const exact = yield* bench.call("Glob", { pattern: "f[0-9]*[!7]" })
        assert.isUndefined(exact.truncated)
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

  describe("Grep", () => {
    const source = {
      "a.txt": "one x\ntwo\nthree x\nfour\nfive\nsix x\n",
      "src/b.ts": "let x = 1\r\n",
      "src/c.js": "X\n"
    }

    it.effect("names the files that match, sorted by path", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: source })
        assert.deepStrictEqual(yield* bench.call("Grep", { pattern: "x" }), {
          summary: `Found 2 files for x in ${bench.work}.`,
          content: `${bench.at("a.txt")}\n${bench.at("src/b.ts")}`
        })
        const ignoringCase = yield* bench.call("Grep", { pattern: "x", "-i": true })
        assert.deepStrictEqual(names(bench, ignoringCase.content), ["a.txt", "src/b.ts", "src/c.js"])
        assert.deepStrictEqual(yield* bench.call("Grep", { pattern: "none" }), {
          summary: `No match for none in ${bench.work}.`
        })
      })
    )

    it.effect("counts matching lines", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: source })
        assert.deepStrictEqual(yield* bench.call("Grep", { pattern: "x", output_mode: "count" }), {
          summary: `Found 4 matches in 2 files for x in ${bench.work}.`,
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
        assert.deepStrictEqual(yield* content({ "-B": 1, offset: 1, head_limit: 1 }), [
          "a.txt-2-two",
          "a.txt:3:three x"
        ])
        assert.deepStrictEqual(yield* content({ "-C": 2, offset: 2 }), [
          "a.txt-4-four",
          "a.txt-5-five",
          "a.txt:6:six x"
        ])
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
        NFS.writeFileSync(
          Buffer.concat([Buffer.from(`${bench.work}/n`), Buffer.from([0xe9]), Buffer.from("\nm")]),
          "x\n"
        )
        const { content } = yield* bench.call("Grep", { pattern: "x", output_mode: "content" })
        assert.strictEqual(content, `${bench.at("latin.txt")}:1:x\ufffd\n${bench.at("n\ufffd\nm")}:1:x`)
        const files = yield* bench.call("Grep", { pattern: "x" })
        assert.strictEqual(files.content, `${bench.at("latin.txt")}\n${bench.at("n\ufffd\nm")}`)
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

  describe("a search", () => {
    it.effect("goes on when something cannot be read, and says so", () =>
      Effect.gen(function* () {
        const plain = yield* workbench({ files: { "a.txt": "x" } })
        const rg = yield* (yield* Ripgrep).path
        const bench = yield* workbench({ files: { "a.txt": "x" } }).pipe(
          Effect.provide(instead(plain, `"${rg}" "$@"; exit 2`))
        )
        for (const output of [
          yield* bench.call("Grep", { pattern: "x" }),
          yield* bench.call("Grep", { pattern: "x", output_mode: "content" }),
          yield* bench.call("Glob", { pattern: "*" })
        ]) {
          assert.include(output.content, bench.at("a.txt"))
          assert.include(output.summary, "could not be read and were skipped")
        }
      })
    )

    it.effect("is ended at its time limit and returns what it has", () =>
      Effect.gen(function* () {
        const plain = yield* workbench()
        const script = `printf './a.txt\\0'; echo $$ > "${plain.at("pid")}"; exec sleep 300`
        const bench = yield* workbench({ files: { "a.txt": "" } }).pipe(Effect.provide(instead(plain, script)))
        const searching = yield* Effect.forkChild(bench.call("Glob", { pattern: "*" }), { startImmediately: true })
        while (!NFS.existsSync(plain.at("pid")) || plain.text("pid") === "") yield* Effect.yieldNow
        yield* TestClock.adjust("30 seconds")
        const output = yield* Fiber.join(searching)
        assert.strictEqual(output.content, bench.at("a.txt"))
        assert.include(output.summary, "at least 1 file")
        assert.include(output.summary, "stopped after 30 seconds")
        assert.isTrue(output.truncated)
      })
    )

    it.effect("leaves nothing behind when it is interrupted", () =>
      Effect.gen(function* () {
        const plain = yield* workbench()
        const bench = yield* workbench().pipe(
          Effect.provide(instead(plain, `echo $$ > "${plain.at("pid")}"; exec sleep 300`))
        )
        const searching = yield* Effect.forkChild(bench.call("Grep", { pattern: "x" }), { startImmediately: true })
        while (!NFS.existsSync(plain.at("pid")) || plain.text("pid") === "") yield* Effect.yieldNow
        yield* Fiber.interrupt(searching)
        assert.isTrue(eventually(() => !NFS.existsSync(`/proc/${plain.text("pid").trim()}`)))
      })
    )

    it.effect("that cannot start says what is missing", () =>
      Effect.gen(function* () {
        const bench = yield* workbench().pipe(
          Effect.provide(Layer.succeed(Ripgrep, { path: Effect.succeed("/nowhere/rg") }))
        )
        const error = yield* Effect.flip(bench.call("Glob", { pattern: "*" }))
        assert.strictEqual(error.reason, "ExecutionFailed")
        assert.include(error.message, "/nowhere/rg could not be started")
      })
    )

    it.effect("keeps to one scope, and the next one feels a narrowed scope", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ files: { "a.txt": "x", "sub/b.txt": "x" } })
        assert.include((yield* bench.call("Grep", { pattern: "x" })).summary, "2 files")
        yield* bench.narrow({ deny: [read(bench.at("sub"))] })
        assert.include((yield* bench.call("Grep", { pattern: "x" })).summary, "1 file")
        const error = yield* Effect.flip(bench.call("Grep", { pattern: "x", path: bench.at("sub") }))
        assert.include(error.message, "outside of what may be read")
      })
    )
  })
})
