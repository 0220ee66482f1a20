/** Paths as the permissions see them, on a real file system: where they lead, not how they are written. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Files from "../../../layers/runtime/Files.ts"
import * as OpenerLive from "../../../layers/runtime/Opener.ts"
import * as Unbash from "../../../layers/shell/Unbash.ts"
import { decideCall } from "../../../src/manifest/PermissionRules.ts"
import type { PermissionsTable } from "../../../src/manifest/tables/Permissions.ts"
import * as PermissionTargets from "../../../src/pod/PermissionTargets.ts"
import { ShellSyntax } from "../../../src/runtime/ShellSyntax.ts"
import type { Opener } from "../../../src/scope/Opener.ts"
import * as ScopedFs from "../../../src/scope/ScopedFs.ts"
import { tempDir } from "../store/TempDir.ts"

type Rule = readonly [tool: string, action: "allow" | "deny" | "ask", pattern: string]

const pod = Effect.gen(function* () {
  const root = yield* tempDir
  const cwd = Path.join(root, "work")
  for (const name of ["work/src", "work/docs", "other"]) Fs.mkdirSync(Path.join(root, name), { recursive: true })
  Fs.symlinkSync("../other", Path.join(cwd, "src", "out"))
  Fs.symlinkSync("../docs", Path.join(cwd, "src", "docs"))
  Fs.symlinkSync("nowhere", Path.join(cwd, "src", "broken"))
  Fs.symlinkSync("loop", Path.join(cwd, "src", "loop"))
  Fs.symlinkSync("nowhere", Path.join(cwd, "docs", "lost"))
  Fs.writeFileSync(Path.join(cwd, "src", "a.ts"), "")
  const scope = { allow: [{ target: cwd, permission: "write", recursive: true }], deny: [] } as const
  const { whereAre } = yield* ScopedFs.make({ cwd, rules: Effect.succeed(scope) })
  const targets = PermissionTargets.make({ whereAre, cwd, shell: yield* ShellSyntax })
  const action = Effect.fnUntraced(function* (
    tool: string,
    args: Record<string, string>,
    otherwise: "allow" | "deny" | "ask",
    ...rules: ReadonlyArray<Rule>
  ) {
    const table: PermissionsTable = {
      default_action: otherwise,
      rule: rules.map(([of, what, pattern]) => ({ tool: of, action: what, pattern: pattern.replace("ROOT", root) })),
      ask_timeout: Duration.minutes(10)
    }
    return decideCall(table, yield* targets(tool, args)).action
  })
  return { action, cwd, root, targets }
})

const provided = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem | Opener | ShellSyntax>) =>
  Effect.provide(effect, Layer.mergeAll(Files.layer, OpenerLive.layer, Unbash.layer))

describe("a target that is too long to be judged", () => {
  it.effect("may be anything, for every tool, and is not remembered", () =>
    Effect.gen(function* () {
      const { action, targets } = yield* pod
      const limit = 128 * 1024
      for (const [tool, key] of [
        ["Bash", "command"],
        ["Write", "file_path"],
        ["WebFetch", "url"],
        ["Mine", "text"]
      ] as const) {
        const of = (length: number) => ({ [key]: "a".repeat(length) })
        assert.strictEqual(yield* action(tool, of(limit + 1), "ask"), "ask", tool)
        assert.strictEqual(yield* action(tool, of(limit + 1), "allow", [tool, "deny", "*rm*"]), "deny", tool)
        assert.strictEqual(yield* action(tool, of(limit + 1), "ask", [tool, "allow", "*"]), "allow", tool)
        assert.strictEqual(yield* action(tool, of(limit + 1), "ask", [tool, "allow", "*a*"]), "ask", tool)
        assert.isUndefined((yield* targets(tool, of(limit + 1))).remembered, tool)
      }
      assert.strictEqual(
        yield* action("Mine", { query: "a".repeat(limit) }, "allow", ["Mine", "deny", "*rm*"]),
        "allow"
      )
    }).pipe(Effect.scoped, provided)
  )
})

describe("the target of a file tool", () => {
  it.effect("is the place that its path names, absolute or from the working directory", () =>
    Effect.gen(function* () {
      const { action, cwd } = yield* pod
      const write = (path: string, ...rules: ReadonlyArray<Rule>) =>
        action("Write", { file_path: path }, "ask", ...rules)
      const src: Rule = ["Write", "allow", "src/*"]
      const all: Rule = ["Write", "allow", "ROOT/work/src/*"]
      for (const rule of [src, all]) {
        assert.strictEqual(yield* write(`${cwd}/src/a.ts`, rule), "allow")
        assert.strictEqual(yield* write(`${cwd}/src/new/b.ts`, rule), "allow")
        assert.strictEqual(yield* write(`${cwd}/docs/../src/a.ts`, rule), "allow")
        assert.strictEqual(yield* write("src/a.ts", rule), "allow")
        for (const path of [
          "src/../docs/x",
          "src/out/x",
          "src/docs/x",
          "src/broken",
          "src/loop/x",
          "src/missing/../../x",
          "src"
        ]) {
          assert.strictEqual(yield* write(`${cwd}/${path}`, rule), "ask", path)
        }
      }
    }).pipe(Effect.scoped, provided)
  )

  it.effect("is denied by where it leads and by how it is written", () =>
    Effect.gen(function* () {
      const { action, cwd } = yield* pod
      const read = (path: string, ...rules: ReadonlyArray<Rule>) =>
        action("Read", { file_path: path }, "allow", ...rules)
      assert.strictEqual(yield* read(`${cwd}/src/out/key`, ["Read", "deny", "ROOT/other/*"]), "deny")
      assert.strictEqual(yield* read(`${cwd}/src/out/key`, ["Read", "deny", "*/src/out/*"]), "deny")
      assert.strictEqual(yield* read(`${cwd}/src/./a.ts`, ["Read", "deny", "src/a.ts"]), "deny")
      assert.strictEqual(yield* read(`${cwd}/src/a.ts`, ["Read", "deny", "ROOT/other/*"]), "allow")
      // As it was sent, as it reads without its detours, and where a link that leads nowhere lies itself.
      assert.strictEqual(yield* read("src/../src/a.ts", ["Read", "deny", "src/../*"]), "deny")
      assert.strictEqual(yield* read(`${cwd}/docs/../src/out/key`, ["Read", "deny", "ROOT/work/src/out/*"]), "deny")
      assert.strictEqual(yield* read("src/docs/lost", ["Read", "deny", "ROOT/work/docs/*"]), "deny")
    }).pipe(Effect.scoped, provided)
  )

  it.effect("of a search is its directory, the working directory where none is named", () =>
    Effect.gen(function* () {
      const { action, cwd } = yield* pod
      const grep = (args: Record<string, string>, ...rules: ReadonlyArray<Rule>) =>
        action("Grep", args, "allow", ...rules)
      assert.strictEqual(yield* grep({ pattern: "x", path: `${cwd}/src/docs` }, ["Grep", "deny", "docs"]), "deny")
      assert.strictEqual(yield* grep({ pattern: "x" }, ["Grep", "deny", "ROOT/work"]), "deny")
      assert.strictEqual(yield* grep({ pattern: "secret" }, ["Grep", "deny", "*secret*"]), "deny")
      assert.strictEqual(yield* grep({ pattern: "x" }, ["Grep", "deny", "src*"]), "allow")
      assert.strictEqual(yield* grep({ pattern: "x", path: cwd }, ["Grep", "deny", "."]), "deny")
    }).pipe(Effect.scoped, provided)
  )

  it.effect("that is remembered is the place, not its spelling", () =>
    Effect.gen(function* () {
      const { cwd, targets } = yield* pod
      const a = yield* targets("Edit", { file_path: `${cwd}/src/docs/x` })
      const b = yield* targets("Edit", { file_path: "docs/./x" })
      assert.strictEqual(a.remembered, b.remembered)
      assert.strictEqual((yield* targets("Mine", { path: "docs/./x" })).remembered, "docs/./x")
      // A pattern that looks like a path is no word about that path.
      for (const tool of ["Grep", "Glob"]) {
        const pattern = (yield* targets(tool, { pattern: `${cwd}/src` })).remembered
        assert.strictEqual((yield* targets(tool, { pattern: `${cwd}/src` })).remembered, pattern)
        assert.notStrictEqual((yield* targets(tool, { path: `${cwd}/src`, pattern: "x" })).remembered, pattern)
      }
    }).pipe(Effect.scoped, provided)
  )
})

describe("the target of a web tool", () => {
  it.effect("is what the tool reads, not an argument that it ignores", () =>
    Effect.gen(function* () {
      const { action } = yield* pod
      const args = { command: "https://docs.test/", file_path: "https://docs.test/", url: "http://evil.test/" }
      assert.strictEqual(yield* action("WebFetch", args, "deny", ["WebFetch", "allow", "https://docs.test/*"]), "deny")
      assert.strictEqual(yield* action("WebFetch", args, "allow", ["WebFetch", "deny", "*evil*"]), "deny")
      const search = { command: "x", query: "secret" }
      assert.strictEqual(yield* action("WebSearch", search, "allow", ["WebSearch", "deny", "secret"]), "deny")
    }).pipe(Effect.scoped, provided)
  )
})

describe("a file that a command opens", () => {
  it.effect("is judged like one that the tools open", () =>
    Effect.gen(function* () {
      const { action, root } = yield* pod
      const bash = (command: string, ...rules: ReadonlyArray<Rule>) =>
        action(
          "Bash",
          { command },
          "deny",
          ["Bash", "allow", "echo *"],
          ["Bash", "allow", "cd *"],
          ["Bash", "allow", "cat"],
          ...rules
        )
      const write: Rule = ["Write", "allow", "src/*"]
      assert.strictEqual(yield* bash("echo x 2>&1 >/dev/null"), "allow")
      assert.strictEqual(yield* bash("echo x > src/a.ts"), "deny")
      assert.strictEqual(yield* bash("echo x > src/a.ts", write), "allow")
      assert.strictEqual(yield* bash("echo x >| src/out/a", write), "deny")
      assert.strictEqual(yield* bash("echo x &> src/../docs/a", write), "deny")
      assert.strictEqual(yield* bash("cat < src/a.ts", write), "deny")
      assert.strictEqual(yield* bash("cat < src/a.ts", ["Read", "allow", "src/*"]), "allow")
      // Nobody knows where this is.
      assert.strictEqual(yield* bash("cd docs; echo x > src/a.ts", write), "deny")
      assert.strictEqual(yield* bash(`cd docs; echo x > ${root}/work/src/a.ts`, write), "allow")
      assert.strictEqual(yield* bash('echo x > "src/$F"', write), "deny")
      assert.strictEqual(yield* bash('echo x > "src/a.ts$F"', ["Write", "allow", "src/a.ts"]), "deny")
      assert.strictEqual(yield* bash('echo x > "src/$F"', ["Write", "allow", "*"]), "allow")
      assert.strictEqual(yield* bash('echo x > "$F"', write), "deny")
    }).pipe(Effect.scoped, provided)
  )
})

describe("the target of WebFetch", () => {
  it.effect("is the page that is asked for, however its URL is written", () =>
    Effect.gen(function* () {
      const { action } = yield* pod
      const fetch = (url: string, otherwise: "allow" | "deny", ...rules: ReadonlyArray<Rule>) =>
        action("WebFetch", { url }, otherwise, ...rules)
      const evil: Rule = ["WebFetch", "deny", "http://evil.test/secret*"]
      for (const url of [
        "http://evil.test/secret",
        "HTTP://EVIL.test/secret?x",
        "http:\\\\evil.test\\secret",
        "http://evil.test:80/secret",
        "http://evil.test./secret",
        "http://ｅvil%2etest/secret",
        "http://evil.test/a/../secret",
        "http://evil.test/%73ecret",
        " http://evil.test/sec\nret"
      ]) {
        assert.strictEqual(yield* fetch(url, "allow", evil), "deny", url)
      }
      assert.strictEqual(yield* fetch("http://evil.test/public", "allow", evil), "allow")
      for (const url of ["https://docs.test", "https://DOCS.test/", "https://docs.test:443"]) {
        assert.strictEqual(yield* fetch(url, "deny", ["WebFetch", "allow", "https://docs.test"]), "allow", url)
        assert.strictEqual(yield* fetch(url, "deny", ["WebFetch", "allow", "https://docs.test/*"]), "allow", url)
      }
      assert.strictEqual(
        yield* fetch("https://docs.test/inner", "deny", ["WebFetch", "allow", "https://docs.test"]),
        "deny"
      )
      // What only looks like it is not allowed by it.
      for (const url of [
        "https://docs.test@evil.test/",
        "https://evil.test/%2e%2e/docs.test",
        "https://docs.test.evil.test/"
      ]) {
        assert.strictEqual(yield* fetch(url, "deny", ["WebFetch", "allow", "https://docs.test/*"]), "deny", url)
      }
      assert.strictEqual(yield* fetch("no url", "deny", ["WebFetch", "allow", "no url"]), "allow")
    }).pipe(Effect.scoped, provided)
  )
})
