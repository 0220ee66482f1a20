/**
 * The fence of Bash against commands that do not want to end, or look for other processes. Each case says what was tried
 * and what stopped it. Without bubblewrap it counts as skipped; what holds without is in `BashUnfenced.test.ts`.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import * as NFS from "node:fs"
import * as OS from "node:os"
import { canary, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { canFence } from "../support/bubblewrap.ts"
import { bash, deaf, deny, fencedBy, forkBomb, runIntoLimit, tried, written } from "./fenceSupport.ts"
import { workbench } from "./support.ts"

describe.skipIf(!canFence)("processes behind the fence", () => {
  layer(fencedBy({}))((it) => {
    it.effect("others are not seen, not signalled, and their environment is not read: a pid namespace", () =>
      Effect.gen(function* () {
        const key = `canary-${process.pid}`
        const other = spawn("sleep", ["300"], { env: { ANTHROPIC_API_KEY: key }, stdio: "ignore" })
        yield* Effect.addFinalizer(() => Effect.sync(() => other.kill("SIGKILL")))
        const bench = yield* workbench({
          policy: deny,
          env: { PATH: process.env.PATH, ANTHROPIC_API_KEY: key, MY_TOKEN: key }
        })
        assert.include(yield* tried(bench, `kill -9 ${other.pid} ${process.pid}`), "No such process")
        assert.isTrue(isRunning(other.pid as number))
        assert.notInclude(yield* tried(bench, "cat /proc/[0-9]*/environ | tr '\\0' '\\n'; env; set"), key)
        assert.match(yield* tried(bench, "cat /proc/[0-9]*/comm"), /^bwrap\n(bash\n)*cat\n\(fine\)$/)
      })
    )

    it.effect("who leaves session and group, or forks twice, ends with the call: with the namespace", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        const held = canary(bench.work)
        const escape = "setsid sleep 300 & (setsid sh -c 'sleep 300 & sleep 300' &) ; nohup sleep 300 >/dev/null 2>&1 &"
        const output = yield* tried(bench, `exec 9>canary; ${escape} disown -a; echo done`)
        assert.strictEqual(output, "done\n(fine)")
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("commands get TERM and a second, then everything in the namespace is killed", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        const polite = yield* Effect.forkChild(
          bash(bench, "trap 'echo bye; exit 3' TERM; echo > up; while :; do sleep 0.01; done", 5),
          { startImmediately: true }
        )
        yield* written(bench, "up")
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(polite)).content?.endsWith("bye\n"), true)
        const other = yield* workbench({ policy: deny })
        const result = yield* runIntoLimit(other, deaf.replace("(sleep 300 |", "(setsid sleep 300 |"))
        assert.include(result.summary, "timed out")
      })
    )

    it.effect("a fork bomb dies at once, with all that it has forked", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        yield* runIntoLimit(bench, forkBomb)
      })
    )

    const isCounted = process.getuid?.() !== 0 && Number(OS.release().split(".")[0]) > 5

    it.effect.skipIf(!isCounted)("no more than 4,096 processes: a limit that is set inside", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(
          yield* tried(bench, "ulimit -u; ulimit -u 5000"),
          "4096\nbash: line 1: ulimit: max user processes: cannot modify limit: Operation not permitted\n(exit code 1)"
        )
      })
    )

    it.effect("an interrupted call leaves nothing", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        const held = canary(bench.work)
        const running = yield* Effect.forkChild(bash(bench, "exec 9>canary; setsid sleep 300 & echo > up; sleep 300"), {
          startImmediately: true
        })
        yield* written(bench, "up")
        yield* Fiber.interrupt(running)
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("there is no terminal to type into", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.match(yield* tried(bench, ": > /dev/tty"), /No such device/)
        assert.strictEqual(yield* tried(bench, "[ -t 0 ]"), "(exit code 1)")
      })
    )

    it.effect("a command is as it is with `bash -c`", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ policy: deny })
        assert.strictEqual(yield* tried(bench, "echo out; echo err >&2; exit 3"), "out\nerr\n(exit code 3)")
        assert.strictEqual(yield* tried(bench, ""), "(fine)")
        assert.strictEqual(yield* tried(bench, "# nothing"), "(fine)")
        assert.strictEqual(yield* tried(bench, "cat <<'E'\n$x\nE"), "$x\n(fine)")
        assert.include(yield* tried(bench, "echo 'x"), "(exit code 2)")
        assert.include(yield* tried(bench, "-x"), "(exit code 127)")
        assert.strictEqual(yield* tried(bench, "cat"), "(fine)")
        assert.strictEqual(yield* tried(bench, "trap '' TERM; kill 0; echo on"), "on\n(fine)")
        assert.strictEqual(yield* tried(bench, "kill -9 $$"), "(exit code 137)")
        assert.strictEqual(yield* tried(bench, "cat <(echo sub)"), "sub\n(fine)")
        assert.include((yield* Effect.flip(bash(bench, `: ${"x".repeat(200_000)}`))).message, "too long")
        NFS.rmSync(bench.work, { recursive: true })
        assert.include((yield* Effect.flip(bash(bench, "true"))).message, `${bench.work} does not exist`)
      })
    )
  })
})
