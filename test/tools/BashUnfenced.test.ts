/**
 * What holds for Bash where there is no sandbox, and what does not: the reduced promise, case by case. What is promised
 * with one is in `BashFence.test.ts`; both are written down in docs/operating.md.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import type * as Net from "node:net"
import * as Path from "node:path"
import { eventually, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { bash, deaf, forkBomb, listening, runIntoLimit, written } from "./fenceSupport.ts"
import { live, workbench } from "./support.ts"

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
        assert.include((yield* runIntoLimit(bench, deaf)).summary, "timed out")
      })
    )

    it.effect("a fork bomb within its group dies at once", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        yield* runIntoLimit(bench, forkBomb)
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

    it.effect("commands read the environment of the pod itself, and its keys with it", () =>
      Effect.gen(function* () {
        const key = `canary-${process.pid}`
        const other = spawn("sleep", ["300"], { env: { ANTHROPIC_API_KEY: key }, stdio: "ignore" })
        yield* Effect.addFinalizer(() => Effect.sync(() => other.kill("SIGKILL")))
        const bench = yield* workbench()
        assert.include((yield* bash(bench, `tr '\\0' '\\n' < /proc/${other.pid}/environ`)).content, key)
      })
    )

    it.effect(
      "commands reach the sockets of other pods, and servers of this machine although the network is denied",
      () =>
        Effect.gen(function* () {
          const bench = yield* workbench({ policy: { mode: "auto", network: "deny" } })
          const { port } = (yield* listening(0)).address() as Net.AddressInfo
          assert.strictEqual((yield* bash(bench, `cat < /dev/tcp/127.0.0.1/${port}`)).content, "hello")
          const sock = Path.resolve(bench.work, "../outside/sock")
          yield* listening(sock)
          const script = `require("net").connect("${sock}").pipe(process.stdout)`
          assert.strictEqual((yield* bash(bench, `${process.execPath} -e '${script}'`)).content, "hello")
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
