/** Ignore files that are not what they seem: what ripgrep must not open, and what it must not learn from them. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import * as LauncherLive from "../../layers/runtime/Launcher.ts"
import * as SandboxBubblewrap from "../../layers/runtime/SandboxBubblewrap.ts"
import { read } from "../scope/support.ts"
import { canFence } from "../support/bubblewrap.ts"
import { live, names, workbench, type Workbench } from "./support.ts"

const note = "Ignored files were searched too"

const world = Layer.merge(live, Layer.provide(SandboxBubblewrap.layer({ hidden: [] }), LauncherLive.layer))

const fifo = (path: string) => execFileSync("mkfifo", [path])

const outside = (bench: Workbench, name: string) => Path.join(bench.work, "../outside", name)

const policies = [
  { title: "without a fence", isFenced: false, policy: { mode: "off", network: "allow" } },
  ...(canFence
    ? [{ title: "behind the fence", isFenced: true, policy: { mode: "required", network: "deny" } } as const]
    : [])
] as const

for (const { isFenced, policy, title } of policies) {
  layer(world)(`ignore files ${title}`, (it) => {
    const files = { ".git/": "", "in.txt": "x", "sub/deep/in.txt": "x", ".hidden/": "", "node_modules/": "" }
    const grep = (bench: Workbench, args: { readonly [key: string]: string | boolean } = {}) =>
      Effect.map(bench.call("Grep", { pattern: "x", ...args }), ({ content, summary }) => ({
        found: names(bench, content),
        hasNote: summary.includes(note),
        summary
      }))

    it.effect("that are pipes hold up nobody: the search is run again without any, and says which", () =>
      Effect.gen(function* () {
        for (const place of [".gitignore", ".ignore", ".rgignore", "sub/deep/.gitignore", "sub/.ignore"]) {
          const bench = yield* workbench({ policy, files })
          fifo(bench.at(place))
          const { found, hasNote, summary } = yield* grep(bench)
          assert.deepStrictEqual(found, ["in.txt", "sub/deep/in.txt"])
          assert.isTrue(hasNote)
          assert.include(summary, bench.at(place))
          for (const output_mode of ["content", "count"]) assert.isTrue((yield* grep(bench, { output_mode })).hasNote)
          assert.isFalse((yield* grep(bench, { ignored: true })).hasNote)
          assert.isTrue((yield* grep(bench, { path: bench.at("sub/deep") })).hasNote)
          const glob = yield* bench.call("Glob", { pattern: "**/*.txt", ignored: false })
          assert.strictEqual(names(bench, glob.content).length, 2)
          assert.include(glob.summary, note)
          assert.notInclude((yield* bench.call("Glob", { pattern: "**/*.txt", hidden: false })).summary, note)
        }
      })
    )

    it.effect("that are pipes are found in hidden and ignored directories too: ripgrep opens them there", () =>
      Effect.gen(function* () {
        for (const place of [".hidden/.gitignore", ".git/.gitignore", "node_modules/.ignore"]) {
          const bench = yield* workbench({ policy, files: { ...files, ".gitignore": "node_modules\n" } })
          fifo(bench.at(place))
          assert.include((yield* grep(bench)).summary, bench.at(place))
        }
      })
    )

    it.effect("that are links to pipes, endless or enormous are not opened", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy, files })
        fifo(bench.at("pipe"))
        NFS.symlinkSync("../pipe", bench.at("sub/.gitignore"))
        assert.isTrue((yield* grep(bench)).hasNote)
        NFS.rmSync(bench.at("sub/.gitignore"))
        NFS.symlinkSync("/dev/zero", bench.at("sub/.gitignore"))
        assert.strictEqual((yield* grep(bench)).hasNote, !isFenced)
        NFS.rmSync(bench.at("sub/.gitignore"))
        NFS.writeFileSync(bench.at("sub/.gitignore"), "")
        NFS.truncateSync(bench.at("sub/.gitignore"), 4 * 1024 * 1024 + 1)
        const { found, hasNote } = yield* grep(bench)
        assert.deepStrictEqual(found, ["in.txt", "sub/deep/in.txt"])
        // Behind the fence ripgrep may be done before the file is found; without one it is waited for.
        if (!isFenced) assert.isTrue(hasNote)
      })
    )

    it.effect("behind a link out of the scope tell nothing, not even whether they are there", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy, files })
        NFS.writeFileSync(outside(bench, "list"), "in.txt\n")
        const seen: Array<object> = []
        for (const target of ["list", "gone"]) {
          NFS.symlinkSync(outside(bench, target), bench.at(".gitignore"))
          seen.push(yield* grep(bench))
          NFS.rmSync(bench.at(".gitignore"))
        }
        assert.deepStrictEqual(seen[0], seen[1])
        assert.deepInclude(seen[0], { found: ["in.txt", "sub/deep/in.txt"], hasNote: !isFenced })
      })
    )

    it.effect("behind a link within the scope are followed, as are those above the directory", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy, files: { ...files, ".list": "in.txt\n" } })
        NFS.symlinkSync(".list", bench.at(".gitignore"))
        for (const args of [{}, { path: bench.at("sub") }]) {
          const { found, hasNote } = yield* grep(bench, args)
          assert.deepStrictEqual(found, [])
          assert.isFalse(hasNote)
        }
      })
    )

    it.effect("that are denied, or lie above the scope, are not followed, and a denied one is not named", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy, files: { ...files, "sub/deep/.ignore": "in*\n" } })
        yield* bench.narrow({ deny: [read(bench.at("sub/deep/.ignore"))] })
        const { found, hasNote, summary } = yield* grep(bench)
        assert.deepStrictEqual(found, ["in.txt", "sub/deep/in.txt"])
        assert.strictEqual(hasNote, !isFenced)
        assert.notInclude(summary, ".ignore")
        const other = yield* workbench({ policy, files })
        NFS.writeFileSync(Path.join(other.work, "../.ignore"), "in*\n")
        for (const path of [other.work, other.at("sub")]) {
          assert.isNotEmpty((yield* grep(other, { path })).found)
        }
      })
    )

    it.effect("of the repository alone, which lie beside it, are not followed", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy, files: { ...files, ".git/info/exclude": "in*\n" } })
        assert.deepStrictEqual((yield* grep(bench)).found, ["in.txt", "sub/deep/in.txt"])
        const linked = yield* workbench({ policy, files: { "in.txt": "x", ".git": "gitdir: ../outside\n" } })
        NFS.mkdirSync(outside(linked, "info"))
        NFS.writeFileSync(outside(linked, "commondir"), ".\n")
        NFS.writeFileSync(outside(linked, "info/exclude"), "in*\n")
        assert.deepStrictEqual((yield* grep(linked)).found, ["in.txt"])
      })
    )
  })
}
