/** Files, names and patterns that a search has to survive: bounded, and told as they are. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NFS from "node:fs"
import { Ripgrep } from "../../src/tools/Ripgrep.ts"
import { lines, listed, live, names, workbench, type Workbench } from "./support.ts"

const modes = ["files_with_matches", "count", "content"] as const

const instead = (bench: Workbench, script: string) => {
  bench.put({ "../rg": `#!/bin/bash\n${script}\n` })
  NFS.chmodSync(bench.at("../rg"), 0o755)
  return Layer.succeed(Ripgrep, { path: Effect.succeed(bench.at("../rg")) })
}

const bytes = (bench: Workbench, name: ReadonlyArray<number>) =>
  Buffer.concat([Buffer.from(`${bench.work}/`), Buffer.from(name)])

layer(live)("Grep", (it) => {
  it.effect("searches up to the block with the first NUL, in every mode alike", () =>
    Effect.gen(function* () {
      const filler = "a line\n".repeat(30_000)
      const files = {
        early: "needle\n\0\nneedle\n",
        late: `needle\n${filler}needle\n\0\nneedle\n`,
        "text.txt": "needle\nneedle needle\n"
      }
      const bench = yield* workbench({ files })
      for (const multiline of [false, true]) {
        const [found, counts, content] = yield* Effect.forEach(modes, (output_mode) =>
          bench.call("Grep", { pattern: "needle", output_mode, multiline })
        )
        assert.deepStrictEqual(names(bench, found?.content), ["late", "text.txt"])
        const shown = names(bench, content?.content).map((line) => line.split(":")[0])
        const counted = ["late", "text.txt"].map((name) => `${name}:${shown.filter((one) => one === name).length}`)
        assert.deepStrictEqual(names(bench, counts?.content), counted)
        assert.include(counts?.summary, `Found ${shown.length} matches in 2 files`)
        assert.include(content?.summary, `Found ${shown.length} matches in 2 files`)
        if (!multiline) assert.deepStrictEqual(counted, ["late:1", "text.txt:2"])
      }
    })
  )

  it.effect("counts matches in files whose names differ in bytes that are no UTF-8", () =>
    Effect.gen(function* () {
      const bench = yield* workbench()
      for (const byte of [0xfe, 0xff]) NFS.writeFileSync(bytes(bench, [0x61, byte]), "x\n")
      for (const output_mode of modes) {
        assert.include((yield* bench.call("Grep", { pattern: "x", output_mode })).summary, "2 files")
      }
    })
  )

  it.effect("bounds the context of a match in bytes, and says what is left out", () =>
    Effect.gen(function* () {
      const wide = lines(2001, (number) => (number === 1000 ? "needle" : `${number} ${"é".repeat(200)}`))
      const bench = yield* workbench({ files: { "a.txt": wide, "b.txt": "needle\n" }, contentBytes: 10_000 })
      for (const context of [{ "-C": 900 }, { "-A": 900 }, { "-B": 900 }]) {
        const { content = "", summary } = yield* bench.call("Grep", {
          pattern: "needle",
          output_mode: "content",
          ...context
        })
        assert.isAtMost(new TextEncoder().encode(content).length, 11_000)
        assert.include(content, "[... context left out]")
        assert.include(content, ":1000:needle")
        assert.include(summary, "Found 2 matches in 2 files")
        if (!("-A" in context)) assert.match(content, /-999-999 é+\n[^\n]*:1000:needle/)
        if (!("-B" in context)) assert.match(content, /:1000:needle\n[^\n]*-1001-1001 é/)
      }
      const small = yield* bench.call("Grep", { pattern: "needle", output_mode: "content", "-C": 3, head_limit: 1 })
      assert.strictEqual(listed(small.content).length, 7)
    })
  )

  it.effect("shows names with escape sequences so that they tell no terminal what to do", () =>
    Effect.gen(function* () {
      const odd = { "a\u001b[2Jb": "\\u001b", "c\u009b1m": "\\u009b", "d\u2028e": "\\u2028", "f\u007f": "\\u007f" }
      const bench = yield* workbench({ files: Object.fromEntries(Object.keys(odd).map((name) => [name, "x\n"])) })
      for (const { content = "" } of [
        yield* bench.call("Glob", { pattern: "*" }),
        ...(yield* Effect.forEach(modes, (output_mode) => bench.call("Grep", { pattern: "x", output_mode })))
      ]) {
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(content, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/)
        assert.strictEqual(listed(content).length, 4)
        for (const [name, escape] of Object.entries(odd)) {
          assert.include(content, escape)
          assert.isTrue(
            listed(content).some(
              (line) => line.startsWith('"') && JSON.parse(line.replace(/:\d.*$/, "")) === bench.at(name)
            )
          )
        }
      }
    })
  )

  it.effect("refuses patterns that no program can be given, or that come to too much, in words", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ files: { "a.txt": `${"x".repeat(100_000)}\n` } })
      const message = (args: { readonly [key: string]: string }) =>
        Effect.map(Effect.flip(bench.call("Grep", { pattern: "x", ...args })), (error) => error.message)
      assert.include(yield* message({ pattern: "a\0b" }), "null bytes")
      assert.include(yield* message({ glob: "a\0b" }), "null bytes")
      assert.include(yield* message({ pattern: "x".repeat(200_000) }), "too long")
      assert.include(yield* message({ pattern: "((x{1000}){1000}){1000}" }), "size limit")
      assert.include(yield* message({ pattern: "a\nb" }), "\\n")
      assert.include((yield* bench.call("Grep", { pattern: "(x+x+)+y" })).summary, "No match")
      assert.include((yield* bench.call("Grep", { pattern: `-${"y".repeat(50_000)}` })).summary, "No match")
    })
  )

  it.effect("takes no settings and no programs from the environment", () =>
    Effect.gen(function* () {
      const bench = yield* workbench()
      const program = bench.at("../pre")
      NFS.writeFileSync(program, "#!/bin/sh\necho needle\n", { mode: 0o755 })
      NFS.writeFileSync(bench.at("../rc"), `--hidden\n--pre=${program}\n`)
      const env = { ...process.env, RIPGREP_CONFIG_PATH: bench.at("../rc") }
      const other = yield* workbench({ env, envAllow: ["RIPGREP_*"], files: { "a.txt": "x", ".b.txt": "needle" } })
      assert.include((yield* other.call("Grep", { pattern: "needle" })).summary, "No match")
    })
  )
})

layer(live)("a search program", (it) => {
  it.effect("that complains has found nothing, whoever complains", () =>
    Effect.gen(function* () {
      const plain = yield* workbench()
      const script = 'echo "bwrap: Can\'t chdir to ./a.txt: No such file or directory" >&2; exit 1'
      const bench = yield* workbench({ files: { "a.txt": "x" } }).pipe(Effect.provide(instead(plain, script)))
      for (const output_mode of modes) {
        const { message, reason } = yield* Effect.flip(bench.call("Grep", { pattern: "x", output_mode }))
        assert.strictEqual(reason, "ExecutionFailed")
        assert.include(message, "The search could not be run: bwrap: Can't chdir")
      }
      assert.include((yield* Effect.flip(bench.call("Glob", { pattern: "*" }))).message, "could not be run")
    })
  )

  it.effect("that was stopped while it found what is to be left in makes the result one that may have more", () =>
    Effect.gen(function* () {
      const plain = yield* workbench()
      const script = `case "$*" in *sortr*) printf './a.txt\\0';; *) yes "./a.txt-${"y".repeat(500)}" | tr '\\n' '\\0' | head -c 68000000;; esac`
      const bench = yield* workbench({ files: { "a.txt": "" } }).pipe(Effect.provide(instead(plain, script)))
      const { content, summary, truncated } = yield* bench.call("Glob", { pattern: "*", hidden: false })
      assert.isUndefined(content)
      assert.include(summary, "its output was too large")
      assert.isTrue(truncated)
    })
  )

  it.effect("that has no count to its end is counted by its lines, however many bytes they are", () =>
    Effect.gen(function* () {
      const plain = yield* workbench()
      const path = '"path":{"text":"./a.txt"}'
      const script = [
        `echo '{"type":"begin","data":{${path}}}'`,
        `yes '{"type":"match","data":{${path},"lines":{"text":"${"x".repeat(4000)}"}}}' | head -n 70000`,
        `echo '{"type":"end","data":{${path}}}'`
      ].join("\n")
      const bench = yield* workbench({ files: { "a.txt": "" } }).pipe(Effect.provide(instead(plain, script)))
      const { content, summary } = yield* bench.call("Grep", { pattern: "x", output_mode: "count" })
      assert.strictEqual(content, `${bench.at("a.txt")}:70000`)
      assert.include(summary, "Found 70000 matches in 1 file")
    })
  )
})
