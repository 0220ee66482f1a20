import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NFS from "node:fs"
import * as TestClock from "effect/testing/TestClock"
import { Ripgrep } from "../../src/tools/Ripgrep.ts"
import { eventually } from "../layers/runtime/LauncherSupport.ts"
import { read } from "../scope/support.ts"
import { live, workbench, type Workbench } from "./support.ts"

/** A program in place of ripgrep. */
const instead = (bench: Workbench, script: string) => {
  bench.put({ "../rg": `#!/bin/bash\n${script}\n` })
  NFS.chmodSync(bench.at("../rg"), 0o755)
  return Layer.succeed(Ripgrep, { path: Effect.succeed(bench.at("../rg")) })
}

layer(live)("a search", (it) => {
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

  it.effect("whose program is killed has no result, not even what it found before", () =>
    Effect.gen(function* () {
      const plain = yield* workbench()
      const bench = yield* workbench({ files: { "a.txt": "" } }).pipe(
        Effect.provide(instead(plain, "printf './a.txt\\0'; kill -9 $$"))
      )
      const { message } = yield* Effect.flip(bench.call("Glob", { pattern: "*" }))
      assert.include(message, "ended in the middle")
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
      const bench = yield* workbench().pipe(Effect.provideService(Ripgrep, { path: Effect.succeed("/nowhere/rg") }))
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
