import { assert, describe, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import { Sandbox } from "../../src/runtime/Sandbox.ts"
import { canary, eventually, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { tempDir } from "../scope/support.ts"
import { live, workbench, type Workbench } from "./support.ts"

const bash = (bench: Workbench, command: string, timeout?: number) =>
  bench.call("Bash", { command, ...(timeout === undefined ? {} : { timeout }) })

/** Waits until a command of the call has written a line into a file. */
const written = Effect.fnUntraced(function* (bench: Workbench, name: string) {
  while (!NFS.existsSync(bench.at(name)) || !bench.text(name).endsWith("\n")) yield* Effect.yieldNow
  return bench.text(name).trim()
})

const bytesOf = (text: string | undefined) => new TextEncoder().encode(text).length

layer(live)("Bash", (it) => {
  describe("the result", () => {
    it.effect("is what was written, in order, and how it ended", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        assert.deepStrictEqual(yield* bash(bench, "echo out; echo err >&2; pwd"), {
          summary: "$ echo out; echo err >&2; pwd",
          content: `out\nerr\n${bench.work}\n`
        })
        assert.deepStrictEqual(yield* bash(bench, "true"), { summary: "$ true" })
        assert.strictEqual((yield* bash(bench, "exit 3")).summary, "$ exit 3 (exit code 3)")
        assert.strictEqual((yield* bash(bench, "kill -TERM $$")).summary, "$ kill -TERM $$ (killed by SIGTERM)")
        assert.strictEqual((yield* bash(bench, "nosuch 2>/dev/null")).summary, "$ nosuch 2>/dev/null (exit code 127)")
      })
    )

    it.effect("has the first line of the command as its title, cut when it is long", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        assert.strictEqual((yield* bash(bench, "true one\ntrue two")).summary, "$ true one")
        const { summary } = yield* bash(bench, `true ${"é".repeat(100)}`)
        assert.strictEqual(summary, `$ true ${"é".repeat(74)}…`)
      })
    )

    it.effect("is as that of `bash -c`, for every kind of command", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        assert.deepStrictEqual(yield* bash(bench, ""), { summary: "$ " })
        assert.deepStrictEqual(yield* bash(bench, "# nothing"), { summary: "$ # nothing" })
        assert.deepStrictEqual(yield* bash(bench, "  \n  "), { summary: "$   " })
        assert.strictEqual((yield* bash(bench, "echo a\\")).content, "a\\\n")
        assert.strictEqual((yield* bash(bench, "cat <<END\nhere")).content?.includes("here"), true)
        const unbalanced = yield* bash(bench, "echo }; { echo x")
        assert.include(unbalanced.summary, "(exit code 2)")
        assert.include(unbalanced.content, "syntax error")
        assert.include((yield* bash(bench, "-x")).summary, "(exit code 127)")
        assert.strictEqual((yield* bash(bench, "exec echo replaced")).content, "replaced\n")
        assert.include((yield* bash(bench, "cat; read x")).summary, "(exit code 1)")
      })
    )

    it.effect("is the same for a new shell each time", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        yield* bash(bench, "cd /; export A=1; f() { :; }")
        assert.strictEqual((yield* bash(bench, 'pwd; echo "<$A>"')).content, `${bench.work}\n<>\n`)
      })
    )

    it.effect("cannot show what the environment does not have", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({
          env: { PATH: process.env.PATH, HOME: "/h", SECRET: "s", OPENAI_API_KEY: "k", CI: "1" },
          envAllow: ["CI"]
        })
        const { content = "" } = yield* bash(bench, "env | grep -v '^\\(PATH\\|PWD\\|SHLVL\\|_\\)=' | sort")
        assert.strictEqual(content, "CI=1\nHOME=/h\n")
      })
    )
  })

  describe("long output", () => {
    it.effect("is returned whole up to 12 KiB and 80 lines, and kept nowhere", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const whole = yield* bash(bench, "seq 80")
        assert.strictEqual(whole.content?.split("\n").length, 81)
        assert.isUndefined(whole.truncated)
        assert.strictEqual(bytesOf((yield* bash(bench, "head -c 12288 /dev/zero | tr '\\0' x")).content), 12_288)
        assert.isFalse(NFS.existsSync(bench.outputDir))
      })
    )

    it.effect("comes with its beginning, its end, and a file that Read can show", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const { content = "", outputPath = "", truncated } = yield* bash(bench, "seq 5000")
        assert.isTrue(truncated)
        assert.isTrue(content.startsWith(`[5000 lines, 23893 bytes of output; all of it is in ${outputPath}]\n1\n2\n`))
        assert.isTrue(content.endsWith("\n4999\n5000\n"))
        assert.match(content, /\n20\n\[\.\.\. \d+ bytes left out \.\.\.\]\n4941\n/)
        assert.strictEqual(NFS.readFileSync(outputPath, "utf8").length, 23_893)
        assert.strictEqual(NFS.statSync(outputPath).mode & 0o777, 0o600)
        const page = yield* bench.call("Read", { file_path: outputPath, offset: 2500, limit: 1 })
        assert.strictEqual(page.content, "  2501\t2501\n")
        const left = Number(/\[\.\.\. (\d+) bytes/.exec(content)?.[1])
        const shown = content
          .split("\n")
          .slice(1)
          .filter((line) => !line.startsWith("["))
          .join("\n")
        assert.strictEqual(bytesOf(shown) + left, 23_893)
      })
    )

    it.effect("of one line over is cut in lines, none of them twice", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const { content = "" } = yield* bash(bench, "seq 81")
        const numbers = content
          .split("\n")
          .filter((line) => /^\d+$/.test(line))
          .map(Number)
        assert.deepStrictEqual(
          numbers,
          [...Array(81).keys()].map((index) => index + 1).filter((number) => number !== 21)
        )
      })
    )

    it.effect("with very wide lines is cut in bytes, between characters", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const wide = "printf 'é%.0s' $(seq 1 500000)"
        const { content = "" } = yield* bash(bench, `${wide}; echo; echo x${"; echo"}; printf x; ${wide}`)
        assert.isBelow(bytesOf(content), 13_000)
        assert.notInclude(content, "\ufffd")
        assert.match(content, /1000001 bytes of output|bytes of output/)
      })
    )

    it.effect("keeps the files of the last 32 commands", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const first = yield* bash(bench, "seq 100")
        for (let count = 0; count < 32; count++) yield* bash(bench, "seq 100")
        assert.isFalse(NFS.existsSync(first.outputPath as string))
        assert.strictEqual(NFS.readdirSync(bench.outputDir).length, 32)
      })
    )

    it.effect("over the quota ends the command, and says so", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ outputQuotaBytes: 1_000_000 })
        const { content = "", outputPath = "", summary } = yield* bash(bench, "yes; echo never")
        assert.strictEqual(summary, "$ yes; echo never (ended: it wrote more than 1000000 bytes)")
        assert.strictEqual(NFS.statSync(outputPath).size, 1_000_000)
        assert.include(content, "500000 lines, 1000000 bytes")
      })
    )

    it.effect("that cannot be kept is still shown in part", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        NFS.writeFileSync(bench.outputDir, "in the way")
        const { content = "", outputPath, summary } = yield* bash(bench, "seq 500")
        assert.strictEqual(summary, "$ seq 500")
        assert.include(content, "could not be kept in a file")
        assert.isTrue(content.endsWith("\n500\n"))
        assert.isUndefined(outputPath)
      })
    )

    it.effect("is shown while it comes, characters whole", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const running = yield* Effect.forkChild(
          bash(bench, "printf 'one \\303'; until [ -e go ]; do sleep 0.005; done; printf '\\251 two'"),
          { startImmediately: true }
        )
        while (bench.shown() !== "one ") yield* Effect.yieldNow
        bench.put({ go: "" })
        assert.strictEqual((yield* Fiber.join(running)).content, "one é two")
        assert.strictEqual(bench.shown(), "one é two")
      })
    )
  })

  describe("the process tree", () => {
    it.effect("is ended at the time limit, and the output so far is the result", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const held = canary(yield* tempDir)
        const running = yield* Effect.forkChild(
          bash(bench, `exec 9>${held.path}; echo partial; sleep 300 & sleep 300 | sleep 300 & echo up > up; wait`, 5),
          { startImmediately: true }
        )
        yield* written(bench, "up")
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(running.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const output = yield* Fiber.join(running)
        assert.include(output.summary, "(timed out after 5 s)")
        assert.strictEqual(output.content, "partial\n")
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("has a time limit of 1 to 600 seconds, 120 by default", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        for (const [given, seconds] of [
          [undefined, 120],
          [0, 1],
          [10_000, 600]
        ] as const) {
          const name = `up${seconds}`
          const running = yield* Effect.forkChild(bash(bench, `echo > ${name}; exec sleep 3000`, given), {
            startImmediately: true
          })
          yield* written(bench, name)
          yield* TestClock.adjust((seconds - 1) * 1000 + 999)
          assert.isUndefined(running.pollUnsafe())
          yield* TestClock.adjust(1)
          assert.include((yield* Fiber.join(running)).summary, `(timed out after ${seconds} s)`)
        }
      })
    )

    it.effect("does not outlive the shell, and jobs in the background do not hold the call", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const held = canary(yield* tempDir)
        const output = yield* bash(bench, `exec 9>${held.path}; sleep 300 & (sleep 300; echo late) & echo done`)
        assert.deepStrictEqual(output.content, "done\n")
        assert.notInclude(output.summary, "timed out")
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("is gone when the call is interrupted, and so is what it had spilled", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const held = canary(yield* tempDir)
        const running = yield* Effect.forkChild(
          bash(bench, `exec 9>${held.path}; echo $$ > pid; seq 10000; sleep 300 & sleep 300`),
          { startImmediately: true }
        )
        while (!NFS.existsSync(bench.outputDir) || NFS.readdirSync(bench.outputDir).length === 0) yield* Effect.yieldNow
        yield* Fiber.interrupt(running)
        assert.isFalse(isRunning(Number(bench.text("pid"))))
        assert.deepStrictEqual(NFS.readdirSync(bench.outputDir), [])
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("may hold somebody who left it: the call does not wait for him", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const { content = "" } = yield* bash(
          bench,
          "setsid bash -c 'echo $$; echo > up; exec sleep 300' & until [ -e up ]; do sleep 0.005; done; echo over"
        )
        const [pid, rest] = content.split("\n")
        assert.strictEqual(rest, "over")
        assert.isTrue(isRunning(Number(pid)))
        process.kill(Number(pid), "SIGKILL")
        assert.isTrue(eventually(() => !isRunning(Number(pid))))
      })
    )

    it.effect("takes all its calls at once", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const outputs = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, index) => index),
          (index) => bash(bench, `seq 1000 | tail -1; echo ${index}`),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          outputs.map((output) => output.content),
          outputs.map((_, index) => `1000\n${index}\n`)
        )
      })
    )
  })

  it.effect("cannot start: the reason is the result of the call", () =>
    Effect.gen(function* () {
      const bench = yield* workbench()
      const long = yield* Effect.flip(bash(bench, `: ${"x".repeat(200_000)}`))
      assert.strictEqual(long.reason, "ExecutionFailed")
      assert.include(long.message, "too long")
      const withNul = yield* Effect.flip(bash(bench, "a\0b"))
      assert.deepStrictEqual([withNul.reason, withNul.message.includes("NUL")], ["InvalidArgument", true])
      NFS.rmSync(bench.work, { recursive: true })
      assert.include((yield* Effect.flip(bash(bench, "true"))).message, `${bench.work} does not exist`)
    })
  )

  it.effect("is wrapped by the sandbox with the scope of the moment", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<number>()
      const fence = Layer.succeed(Sandbox, {
        open: () =>
          Effect.succeed({
            report: () => Effect.succeed({ mode: "bubblewrap", enforced: true, reason: "test" }),
            wrap: (spec, scope) =>
              Effect.as(Deferred.succeed(seen, scope.written.deny.length), {
                ...spec,
                command: "env",
                args: ["FENCED=1", spec.command, ...spec.args]
              }),
            wrapReader: () => Effect.undefined
          })
      })
      const bench = yield* workbench().pipe(Effect.provide(fence))
      yield* bench.narrow({ deny: [{ target: bench.at("x"), permission: "read", recursive: true }] })
      assert.strictEqual((yield* bash(bench, "echo $FENCED")).content, "1\n")
      assert.strictEqual(yield* Deferred.await(seen), 1)
    })
  )
})
