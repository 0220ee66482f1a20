/**
 * Glob and Grep behind the fence. Each case says what was tried and what stopped it; without bubblewrap it counts as
 * skipped. What holds without is in `SearchIgnore.test.ts` and `Hostile.test.ts`.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import * as Seccomp from "../../layers/runtime/SandboxSeccomp.ts"
import { Ripgrep } from "../../src/tools/Ripgrep.ts"
import { canary } from "../layers/runtime/LauncherSupport.ts"
import { read } from "../scope/support.ts"
import { canFence } from "../support/bubblewrap.ts"
import { fencedBy } from "./fenceSupport.ts"
import { listed, names, workbench, type Workbench } from "./support.ts"

const fenced = fencedBy({})

const deny = { policy: { mode: "required", network: "deny" } } as const
const off = { policy: { mode: "off", network: "allow" } } as const

/** A program in place of ripgrep, which has all the time that a race would have to win. */
const instead = (bench: Workbench, script: string) => {
  bench.put({ "../rg": `#!/bin/bash\n[ "$1" = --version ] && exit 0\n${script}\n` })
  NFS.chmodSync(bench.at("../rg"), 0o755)
  return Layer.succeed(Ripgrep, { path: Effect.succeed(bench.at("../rg")) })
}

/** What it wrote, in place of names that were found. */
const said = (bench: Workbench) =>
  Effect.map(bench.call("Glob", { pattern: "**" }), ({ content }) => names(bench, content).join("\n"))

describe.skipIf(!canFence)("a search behind the fence", () => {
  layer(fenced)((it) => {
    it.effect("that is led through a link out of the scope finds nothing there: it is not mounted", () =>
      Effect.gen(function* () {
        const plain = yield* workbench()
        const script = `printf './%s\\0' "$(cat door/secret.txt 2>&1)" "$(ls -A door/ 2>&1)" "$(ls -A .. | tr '\\n' ' ')"`
        const bench = yield* workbench({ ...deny, files: { "a.txt": "" } }).pipe(Effect.provide(instead(plain, script)))
        NFS.symlinkSync(Path.join(bench.work, "../outside"), bench.at("door"))
        const found = yield* said(bench)
        assert.notInclude(found.replaceAll("secret.txt", ""), "secret")
        assert.match(found, /No such file[^]*No such file[^]*work $/)
        const open = yield* workbench({ ...off }).pipe(Effect.provide(instead(plain, script)))
        NFS.symlinkSync(Path.join(open.work, "../outside"), open.at("door"))
        assert.include((yield* said(open)).replaceAll("secret.txt", ""), "secret")
      })
    )

    it.effect("that is led to what is denied finds nothing there: it is hidden, and nothing can be written", () =>
      Effect.gen(function* () {
        const plain = yield* workbench()
        const script = `printf './%s\\0' "$(cat key keys/key 2>&1)" "$( (echo x > new) 2>&1 | tr / _)"`
        const files = { "keys/key": "secret", key: "secret" }
        const bench = yield* workbench({ ...deny, files, deny: ["keys", "key"] }).pipe(
          Effect.provide(instead(plain, script))
        )
        NFS.writeFileSync(bench.at("other"), "")
        const found = yield* said(bench)
        assert.notInclude(found, "secret")
        assert.include(found, "Read-only file system")
        assert.isFalse(NFS.existsSync(bench.at("new")))
      })
    )

    it.effect("sees neither network, home nor processes, also with a scope of everything", () =>
      Effect.gen(function* () {
        const plain = yield* workbench()
        const shows = (command: string) => `"$( (${command}) 2>&1 | tr '\\n' ' ')"`
        const script = `printf './%s\\0' ${shows(`cat /proc/${process.pid}/environ`)} ${shows("tail -n +3 /proc/self/net/dev | cut -d: -f1")} ${shows('ls -A "$HOME"')}`
        const home = (yield* workbench()).work
        NFS.writeFileSync(Path.join(home, "private"), "")
        const env = { ...process.env, HOME: home }
        const everything = { ...deny, env, allow: [read("/")] }
        const bench = yield* workbench(everything).pipe(Effect.provide(instead(plain, script)))
        const [environment, interfaces] = (yield* said(bench)).split("\n")
        assert.include(environment, "No such file")
        assert.strictEqual(interfaces?.trim(), "lo")
        const narrow = yield* workbench({ ...deny, env }).pipe(Effect.provide(instead(plain, script)))
        assert.notInclude(yield* said(narrow), "private")
      })
    )

    it.effect("has its system calls filtered, as commands have", () =>
      Effect.gen(function* () {
        if (Seccomp.program(process.arch) === undefined) return
        const plain = yield* workbench()
        const script = `printf './%s\\0' "$(grep '^Seccomp:' /proc/self/status | tr -dc 0-9)"`
        const bench = yield* workbench(deny).pipe(Effect.provide(instead(plain, script)))
        assert.strictEqual(yield* said(bench), "2")
      })
    )

    it.effect("finds what it finds without the fence, whatever the rules are", () =>
      Effect.gen(function* () {
        const files = {
          ".git/": "",
          ".gitignore": "out\n",
          "a/f.txt": "needle\n",
          "a/b/g.txt": "needle\n",
          "a/b/out": "needle\n",
          "c/h.txt": "needle\n",
          "top.txt": "needle\n"
        }
        const find = Effect.fnUntraced(function* (bench: Workbench) {
          const found: Array<string> = []
          for (const path of [bench.work, bench.at("a"), bench.at("a/b")]) {
            for (const [tool, args] of [
              ["Glob", { path, pattern: "**" }],
              ["Grep", { path, pattern: "needle" }],
              ["Grep", { path, pattern: "needle", output_mode: "content" }],
              ["Grep", { path, pattern: "needle", output_mode: "count", ignored: true }]
            ] as const) {
              const text = yield* bench.call(tool, args).pipe(
                Effect.map(({ content, summary }) => `${summary}\n${listed(content).toSorted().join("\n")}`),
                Effect.catch(({ message }) => Effect.succeed(message))
              )
              found.push(text.replaceAll(bench.work, ""))
            }
          }
          return found.join("\n")
        })
        const rules: ReadonlyArray<(at: (name: string) => string) => Parameters<Workbench["narrow"]>[0]> = [
          () => ({ deny: [] }),
          (at) => ({ deny: [read(at("a/b"))] }),
          (at) => ({ deny: [read(at("a"), false)] }),
          (at) => ({ deny: [read(at("a/f.txt"))] }),
          (at) => ({ deny: [read(at("to-come/x")), read(at("a/b"), false)] })
        ]
        for (const rule of rules) {
          const seen: Array<string> = []
          for (const policy of [deny, off]) {
            const bench = yield* workbench({ ...policy, files })
            yield* bench.narrow(rule(bench.at))
            seen.push(yield* find(bench))
          }
          assert.strictEqual(seen[0], seen[1])
          assert.include(seen[0] ?? "", "top.txt")
        }
        const flat = yield* workbench({ ...deny, files })
        for (const policy of [deny, off]) {
          const only = yield* workbench({ ...policy, cwd: flat.at("a"), allow: [read(flat.at("a"), false)] })
          assert.deepStrictEqual(listed((yield* only.call("Grep", { pattern: "needle" })).content), [
            flat.at("a/f.txt")
          ])
        }
      })
    )

    it.effect("follows ignore files of the scope, and not those above it or behind a link out of it", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({
          ...deny,
          files: {
            ".gitignore": "inside*\n",
            ".git/": "",
            "sub/inside.txt": "x",
            "sub/above.txt": "x",
            "sub/leak.txt": "x"
          }
        })
        NFS.writeFileSync(Path.join(bench.work, "../.ignore"), "above*\n")
        NFS.writeFileSync(Path.join(bench.work, "../outside/list"), "leak*\n")
        NFS.symlinkSync(Path.join(bench.work, "../outside/list"), bench.at("sub/.ignore"))
        const { content, summary } = yield* bench.call("Grep", { pattern: "x", path: bench.at("sub") })
        assert.deepStrictEqual(names(bench, content), ["sub/above.txt", "sub/leak.txt"])
        assert.notInclude(summary, "Ignored files were searched")
      })
    )

    it.effect("goes on past what its user may not read, also where the pod is root, and says so", () =>
      Effect.gen(function* () {
        if (process.getuid?.() !== 0) return
        const bench = yield* workbench({ ...deny, files: { "a.txt": "x", "closed.txt": "x", "dir/b.txt": "x" } })
        NFS.chownSync(bench.at("closed.txt"), 12_345, 12_345)
        NFS.chmodSync(bench.at("closed.txt"), 0o600)
        NFS.chownSync(bench.at("dir"), 12_345, 12_345)
        NFS.chmodSync(bench.at("dir"), 0o700)
        const { content, summary } = yield* bench.call("Grep", { pattern: "x" })
        assert.deepStrictEqual(names(bench, content), ["a.txt"])
        assert.include(summary, "could not be read and were skipped")
      })
    )

    it.effect("is over with all that it started, at its time limit and when it is interrupted", () =>
      Effect.gen(function* () {
        for (const stop of ["limit", "interrupt"]) {
          const plain = yield* workbench()
          const bench = yield* workbench({ ...deny, files: { "a.txt": "" } })
          const held = canary(bench.work)
          execFileSync("mkfifo", [bench.at("up")])
          const script = `trap '' TERM; exec 9> canary; printf './a.txt\\0'; setsid sleep 300 <&1 & echo > up; sleep 300`
          const slow = yield* workbench({ ...deny, cwd: bench.work, allow: [read(bench.work)] }).pipe(
            Effect.provide(instead(plain, script))
          )
          const searching = yield* Effect.forkChild(slow.call("Glob", { pattern: "*" }), { startImmediately: true })
          yield* Effect.promise(() => NFS.promises.readFile(bench.at("up")))
          if (stop === "limit") {
            yield* TestClock.adjust("30 seconds")
            yield* TestClock.adjust("1 second")
            assert.include((yield* Fiber.join(searching)).summary, "stopped after 30 seconds")
          } else {
            const interrupting = yield* Effect.forkChild(Fiber.interrupt(searching), { startImmediately: true })
            yield* TestClock.adjust("1 second")
            yield* Fiber.join(interrupting)
          }
          yield* Effect.promise(() => held.ended)
        }
      })
    )
  })
})
