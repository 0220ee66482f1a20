/**
 * What holds for Bash where there is no sandbox, and what does not: the reduced promise, case by case. What is promised
 * with one is in `BashFence.test.ts`; both are written down in docs/operating.md.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { canary, eventually, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { live, workbench, type Workbench } from "./support.ts"

const bash = (bench: Workbench, command: string, timeout?: number) =>
  bench.call("Bash", { command, ...(timeout === undefined ? {} : { timeout }) })

const written = Effect.fnUntraced(function* (bench: Workbench, name: string) {
  while (!NFS.existsSync(bench.at(name)) || !bench.text(name).endsWith("\n")) yield* Effect.yieldNow
  return bench.text(name).trim()
})

layer(live)("without a fence", (it) => {
  describe("holds", () => {
    it.effect("keys are not in the environment: only allowed names are", () =>
      Effect.gen(function* () {
        const env = {
          PATH: process.env["PATH"],
          HOME: "/h",
          OPENAI_API_KEY: "key",
          GITHUB_TOKEN: "key",
          AWS_SECRET: "key"
        }
        const bench = yield* workbench({ env, envAllow: ["OPENAI_*"] })
        assert.notInclude((yield* bash(bench, "env; set; cat /proc/self/environ")).content, "key")
      })
    )

    it.effect("a tree that ignores TERM is killed after a second", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const held = canary(bench.work)
        const deaf =
          "trap '' TERM; (trap '' TERM; sleep 300) & (sleep 300 | sleep 300) & echo > up; wait; wait; sleep 300"
        const running = yield* Effect.forkChild(bash(bench, `exec 9>canary; ${deaf}`, 5), { startImmediately: true })
        yield* written(bench, "up")
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("1 second")
        assert.include((yield* Fiber.join(running)).summary, "timed out")
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("a fork bomb within its group dies at once", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const held = canary(bench.work)
        // The depth keeps the machine alive if the group does not end.
        const bomb =
          "b() { trap '' TERM; [ $1 -gt 5 ] || { b $(($1+1)) & b $(($1+1)) & }; [ $1 -gt 0 ] || echo > up; sleep 300; }"
        const running = yield* Effect.forkChild(bash(bench, `exec 9>canary; ${bomb}; b 0`, 5), {
          startImmediately: true
        })
        yield* written(bench, "up")
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(running)
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("file tools keep to the scope", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const outside = Path.resolve(bench.work, "../outside/secret.txt")
        assert.strictEqual((yield* Effect.flip(bench.call("Read", { file_path: outside }))).reason, "InvalidArgument")
      })
    )
  })

  describe("does not hold", () => {
    it.effect("commands read and write outside of the scope", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        assert.strictEqual(
          (yield* bash(bench, "cat ../outside/secret.txt; echo > ../outside/new && echo made")).content,
          "secret\nmade\n"
        )
      })
    )

    it.effect("who leaves the session can outlive the call", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        yield* bash(
          bench,
          "setsid bash -c 'echo $$ > pid; exec sleep 300' >/dev/null 2>&1 & until [ -s pid ]; do sleep 0.01; done"
        )
        const pid = Number(yield* written(bench, "pid"))
        assert.isTrue(isRunning(pid))
        process.kill(pid, "SIGKILL")
        assert.isTrue(eventually(() => !isRunning(pid)))
      })
    )
  })
})
