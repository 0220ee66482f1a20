/** The process that answers one question, whatever the program in it does. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { execFileSync, spawn } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import * as LauncherLive from "../../../layers/runtime/Launcher.ts"
import * as WorkerProcess from "../../../layers/runtime/WorkerProcess.ts"
import { Launcher, type LaunchSpec } from "../../../src/runtime/Launcher.ts"
import { tempDir } from "../../scope/support.ts"

/** A named pipe: what a program writes first, and that it and all its children are gone. */
const line = (directory: string) => {
  const path = Path.join(directory, "line")
  execFileSync("mkfifo", [path])
  const cat = spawn("cat", [path], { stdio: ["ignore", "pipe", "inherit"] })
  return {
    open: `const line = openSync(${JSON.stringify(path)}, "w"); const say = (text) => writeSync(line, text);`,
    said: new Promise<string>((resolve) => cat.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()))),
    gone: new Promise<void>((resolve) => cat.stdout.once("close", () => resolve())),
    leave: () => cat.kill()
  }
}

/** A worker with this program, and how often one was started. */
const worker = Effect.fnUntraced(function* (
  program: string | ((line: { readonly open: string }) => string),
  options: Partial<WorkerProcess.WorkerOptions> = {}
) {
  const directory = yield* tempDir
  const held = yield* Effect.acquireRelease(
    Effect.sync(() => line(directory)),
    ({ leave }) => Effect.sync(leave)
  )
  const file = Path.join(directory, "worker.mjs")
  const imports = `import { openSync, writeSync } from "node:fs"; import { spawn } from "node:child_process";
    import { buffer } from "node:stream/consumers"; const hang = () => setInterval(() => {}, 1e6);`
  NFS.writeFileSync(file, `${imports}\n${typeof program === "string" ? program : program(held)}`)
  const real = Context.get(yield* Layer.build(LauncherLive.layer), Launcher)
  const starts: Array<LaunchSpec> = []
  const pids: Array<number> = []
  const launcher: Launcher["Service"] = {
    ...real,
    start: (spec) => {
      starts.push(spec)
      return Effect.tap(real.start(spec), ({ pid }) => Effect.sync(() => pids.push(pid)))
    }
  }
  const ask = yield* Effect.provideService(
    WorkerProcess.make({
      subject: "the thing",
      file: pathToFileURL(file),
      timeout: "1 hour",
      heap: 64,
      maxAnswer: 1000,
      atOnce: 1,
      ...options
    }),
    Launcher,
    launcher
  )
  const refusal = (question = "?") =>
    Effect.map(Effect.flip(ask(question)), ({ message, reason }) => `${reason}: ${message}`)
  return { ask, refusal, held, starts, pids }
})

const isGone = (pid: number | undefined) => assert.throws(() => process.kill(pid ?? 0, 0), /ESRCH/)

describe("a question to a process", () => {
  it.live("comes on its standard input alone, whole, and the answer back as it was written", () =>
    Effect.gen(function* () {
      const { ask, pids, starts } = yield* worker(
        `const input = await buffer(process.stdin); console.error("of no interest");
         process.stdout.write(JSON.stringify([input.length, input.at(-1), Object.keys(process.env), process.argv.length]))`
      )
      const question = new Uint8Array(3_000_000).fill(7)
      const [length, end, names, args] = JSON.parse(yield* ask(question))
      assert.deepStrictEqual([length, end, args], [question.length, 7, 2])
      // The shell before it may set some; none is the pod's.
      assert.deepStrictEqual(
        (names as ReadonlyArray<string>).filter((name) => !["OLDPWD", "PWD", "SHLVL", "_"].includes(name)),
        []
      )
      assert.deepStrictEqual(starts[0]?.env, {})
      isGone(pids[0])
    })
  )

  it.live("may be answered up to a length and not a byte more, by a program that never stops as well", () =>
    Effect.gen(function* () {
      const { ask, refusal } = yield* worker("process.stdout.write('x'.repeat(Number(await buffer(process.stdin))))")
      assert.strictEqual((yield* ask("1000")).length, 1000)
      assert.strictEqual(yield* refusal("1001"), "TooLarge: the thing has more text than it may have")
      const flood = yield* worker("for (;;) writeSync(1, 'x'.repeat(65536))")
      assert.strictEqual(yield* flood.refusal(), "TooLarge: the thing has more text than it may have")
      isGone(flood.pids[0])
    })
  )

  it.live("has no answer where its process fails or dies, whatever was written before", () =>
    Effect.gen(function* () {
      const ends = [
        ["process.exitCode = 3", "Failed: the thing cannot be read: its reader gave no answer"],
        ["throw new Error('no')", "Failed: the thing cannot be read: its reader gave no answer"],
        ["this is no program", "Failed: the thing cannot be read: its reader gave no answer"],
        ["process.kill(process.pid, 'SIGKILL')", "Failed: the thing cannot be read: its reader was ended by SIGKILL"],
        ["process.abort()", "TooLarge: the thing needs more memory than it may have"]
      ] as const
      for (const [end, expected] of ends) {
        const { pids, refusal } = yield* worker(`writeSync(1, "half an answer"); ${end}`)
        assert.strictEqual(yield* refusal(), expected, end)
        isGone(pids[0])
      }
    })
  )

  it.live("gets no more memory than the heap that it was given, nor than the rest of it", () =>
    Effect.gen(function* () {
      const heap = yield* worker("const all = []; for (;;) all.push(new Array(1000).fill(all.length))", { heap: 32 })
      assert.strictEqual(yield* heap.refusal(), "TooLarge: the thing needs more memory than it may have")
      const outside = "const all = []; for (let n = 0; n < 64; n++) all.push(Buffer.alloc(16 * 1024 * 1024, 1));"
      const free = yield* worker(`${outside} writeSync(1, "had it")`)
      assert.strictEqual(yield* free.ask("?"), "had it")
      if (process.platform !== "linux") return
      const bound = yield* worker(`${outside} writeSync(1, "had it")`, { memory: 400 })
      assert.match(yield* bound.refusal(), /^(TooLarge|Failed): the thing /)
    })
  )
})

describe("a process that does not end", () => {
  const hangs = ({ open }: { readonly open: string }) => `${open} say("there"); hang()`

  it.effect("is ended when its time is over, also one that has closed its answer", () =>
    Effect.gen(function* () {
      for (const program of [
        hangs,
        ({ open }: { readonly open: string }) =>
          `import { closeSync } from "node:fs"; ${open} writeSync(1, "done"); closeSync(1); closeSync(2); say("there"); hang()`
      ]) {
        const { held, pids, refusal } = yield* worker(program)
        const asking = yield* Effect.forkChild(refusal())
        assert.strictEqual(yield* Effect.promise(() => held.said), "there")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* Fiber.join(asking), "TooSlow: the thing was not read within 1h")
        yield* Effect.promise(() => held.gone)
        isGone(pids[0])
      }
    })
  )

  it.live("is gone with its children when nobody waits for it any more, though they ignore that they shall end", () =>
    Effect.gen(function* () {
      const { ask, held, pids } = yield* worker(
        ({ open }) =>
          `process.on("SIGTERM", () => {}); ${open}
           const child = spawn("sh", ["-c", "trap '' TERM; echo up; while :; do read x < /dev/zero; done"], {
             stdio: ["ignore", "pipe", line]
           });
           child.stdout.once("data", () => say("there")); hang()`
      )
      const asking = yield* Effect.forkChild(ask("?"))
      assert.strictEqual(yield* Effect.promise(() => held.said), "there")
      yield* Fiber.interrupt(asking)
      // The end of the pipe is the end of everybody who had it.
      yield* Effect.promise(() => held.gone)
      isGone(pids[0])
    })
  )

  it.live("keeps others waiting only as far as not too many may run at one time", () =>
    Effect.gen(function* () {
      const { ask, held, starts } = yield* worker(
        ({ open }) => `if (String(await buffer(process.stdin)) === "hang") { ${open} say("there"); hang() }
           else writeSync(1, "an answer")`
      )
      const first = yield* Effect.forkChild(ask("hang"))
      yield* Effect.promise(() => held.said)
      const second = yield* Effect.forkChild(ask("?"), { startImmediately: true })
      const third = yield* Effect.forkChild(ask("?"), { startImmediately: true })
      yield* Effect.yieldNow
      assert.strictEqual(starts.length, 1)
      // Who leaves while it waits starts nothing.
      yield* Fiber.interrupt(second)
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* Fiber.join(third), "an answer")
      assert.strictEqual(starts.length, 2)
    })
  )
})
