import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import * as LauncherLive from "../../../layers/runtime/Launcher.ts"
import { LaunchError, Launcher, type LaunchSpec } from "../../../src/runtime/Launcher.ts"
import { tempDir } from "../../scope/support.ts"
import { canFence } from "../../support/bubblewrap.ts"
import { bash, canary, eventually, isRunning, obstinate, textOf, watchers } from "./LauncherSupport.ts"

const start = (spec: LaunchSpec) => Launcher.use((launcher) => launcher.start(spec))

const run = Effect.fnUntraced(function* (spec: LaunchSpec) {
  const running = yield* start(spec)
  return { output: yield* textOf(running), exit: yield* running.exit }
}, Effect.scoped)

const linkOf = (path: string): ReadonlyArray<string> => {
  try {
    return [NFS.readlinkSync(path)]
  } catch {
    return []
  }
}

const live =
  <A, E>(effect: Effect.Effect<A, E, Launcher | Scope.Scope>) =>
  () =>
    effect.pipe(Effect.provide(LauncherLive.layer), Effect.scoped)

describe("a process", () => {
  it.live(
    "writes stdout and stderr into one pipe, in order",
    live(
      Effect.gen(function* () {
        const script = "for i in 1 2 3; do echo out$i; echo err$i >&2; done; echo named > /dev/stderr"
        const { exit, output } = yield* run(bash(script))
        assert.strictEqual(output, "out1\nerr1\nout2\nerr2\nout3\nerr3\nnamed\n")
        assert.deepStrictEqual(exit, { _tag: "Code", code: 0 })
      })
    )
  )

  it.live(
    "says how it ended, as often as it is asked",
    live(
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* run(bash("exit 3"))).exit, { _tag: "Code", code: 3 })
        assert.deepStrictEqual((yield* run(bash("kill -9 $$"))).exit, { _tag: "Signal", signal: "SIGKILL" })
        const running = yield* start(bash("exit 4"))
        assert.deepStrictEqual(yield* running.exit, yield* running.exit)
      })
    )
  )

  it.live(
    "finds open what is opened for it at its start, and nobody else keeps it open",
    live(
      Effect.gen(function* () {
        const path = `${yield* tempDir}/file`
        NFS.writeFileSync(path, "text\n")
        const mine = () => NFS.readdirSync("/proc/self/fd").flatMap((fd) => linkOf(`/proc/self/fd/${fd}`))
        const opening = Effect.acquireRelease(
          Effect.sync(() => NFS.openSync(path, "r")),
          (fd) => Effect.sync(() => NFS.closeSync(fd))
        ).pipe(Effect.map((fd) => ({ args: ["-c", "cat <&4; echo $0"], descriptors: [fd] })))
        const running = yield* start({ ...bash(""), args: ["argument"], opening })
        assert.notInclude(mine(), path)
        assert.strictEqual(yield* textOf(running), "text\nargument\n")
        const refused = new LaunchError({ command: "bash", message: "no" })
        assert.strictEqual(yield* Effect.flip(start({ ...bash("true"), opening: Effect.fail(refused) })), refused)
        assert.strictEqual((yield* run(bash("echo on"))).output, "on\n")
      })
    )
  )

  it.live(
    "gets the environment it is given and no other, nothing on stdin, and a session of its own",
    live(
      Effect.gen(function* () {
        const { output } = yield* run({ command: "/usr/bin/env", args: [], cwd: "/", env: { A: "1", B: "two words" } })
        assert.strictEqual(output, "A=1\nB=two words\n")
        assert.strictEqual((yield* run(bash("cat"))).output, "")
        const running = yield* start(bash("cut -d' ' -f5,6 /proc/$$/stat; ls -l /proc/$$/fd"))
        const [ids, ...descriptors] = (yield* textOf(running)).split("\n")
        assert.strictEqual(ids, `${running.pid} ${running.pid}`)
        // Its output and nothing else of ours: no other pipe, and not the watcher's.
        assert.strictEqual(descriptors.filter((line) => line.includes("effect-pod-pipes")).length, 2)
        assert.strictEqual(descriptors.filter((line) => line.includes("socket:")).length, 0)
      })
    )
  )

  it.live(
    "that writes more than anybody reads is stopped by the pipe, and loses nothing",
    live(
      Effect.gen(function* () {
        const size = 5_000_000
        const running = yield* start(bash(`head -c ${size} /dev/zero; echo end`))
        const pull = yield* Stream.toPull(running.output)
        const first = yield* pull
        // Were it read ahead, it would long have ended.
        for (let count = 0; count < 15; count++) yield* run(bash("true"))
        assert.isTrue(isRunning(running.pid))
        const rest = yield* textOf({ ...running, output: Stream.fromPull(Effect.succeed(pull)) })
        assert.strictEqual(
          first.reduce((sum, chunk) => sum + chunk.length, rest.length),
          size + 4
        )
        assert.isTrue(rest.endsWith("\0end\n"))
        assert.deepStrictEqual(yield* running.exit, { _tag: "Code", code: 0 })
      })
    )
  )

  it.live(
    "starts beside many others",
    live(
      Effect.gen(function* () {
        const results = yield* Effect.forEach(
          Array.from({ length: 40 }, (_, index) => index),
          (index) => run(bash(`echo ${index}`)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          results.map((result) => result.output),
          results.map((_, index) => `${index}\n`)
        )
      })
    )
  )

  it.live(
    "leaves no descriptor behind, started or refused",
    live(
      Effect.gen(function* () {
        const open = () => NFS.readdirSync("/proc/self/fd").length
        yield* run(bash("true"))
        const before = open()
        for (let count = 0; count < 10; count++) {
          yield* run(bash("echo x"))
          yield* Effect.flip(run({ ...bash(""), command: "no-such-program" }))
        }
        assert.isTrue(eventually(() => open() <= before))
      })
    )
  )
})

describe("what cannot start", () => {
  const messageOf = (spec: LaunchSpec) => Effect.map(Effect.flip(run(spec)), (error) => error.message)

  it.live(
    "is refused with the reason",
    live(
      Effect.gen(function* () {
        const directory = yield* tempDir
        NFS.writeFileSync(`${directory}/plain`, "")
        assert.include(yield* messageOf({ ...bash(""), command: "no-such-program" }), "no such program")
        assert.include(yield* messageOf({ ...bash("true"), cwd: `${directory}/none` }), "none does not exist")
        assert.include(yield* messageOf({ ...bash("true"), cwd: `${directory}/plain` }), "not a directory")
        assert.include(yield* messageOf({ ...bash(""), command: `${directory}/plain` }), "may not be executed")
        assert.include(yield* messageOf(bash("x".repeat(200_000))), "200004 bytes")
        assert.include(yield* messageOf(bash("a\0b")), "bash could not be started")
        assert.strictEqual((yield* run(bash("echo still works"))).output, "still works\n")
      })
    )
  )

  it.live(
    "works again after the temporary directory was tidied away",
    live(
      Effect.gen(function* () {
        yield* run(bash("true"))
        const command = NFS.readFileSync(`/proc/${watchers()[0]}/cmdline`, "latin1").split("\0")
        NFS.rmSync(command.at(-2) as string, { recursive: true })
        assert.strictEqual((yield* run(bash("echo again"))).output, "again\n")
      })
    )
  )
})

describe("closing the scope", () => {
  it.live.skipIf(!canFence)(
    "ends a pid namespace that would outlive the program that made it",
    live(
      Effect.gen(function* () {
        const held = canary(yield* tempDir)
        const inside = `exec 9>${held.path}; trap "" TERM; echo up >&8; exec 8>&-; sleep 300; sleep 300`
        const scope = yield* Scope.make()
        const running = yield* Scope.provide(
          start({ ...bash(`exec 8>&1; ${obstinate(inside)}`), reportsInit: true }),
          scope
        )
        yield* Stream.runHead(running.output)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.promise(() => held.ended)
      })
    )
  )

  it.live(
    "ends the whole group, background jobs and pipelines with it",
    live(
      Effect.gen(function* () {
        const held = canary(yield* tempDir)
        const scope = yield* Scope.make()
        const running = yield* Scope.provide(
          start(bash(`exec 9>${held.path}; echo up >&9; sleep 300 & sleep 300 | sleep 300 & echo ready; wait`)),
          scope
        )
        yield* Stream.runHead(running.output)
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(isRunning(running.pid))
        assert.strictEqual(yield* Effect.promise(() => held.ended), "up\n")
      })
    )
  )

  it.live(
    "ends what a leader that has exited left behind, and the stream delivers what was written",
    live(
      Effect.gen(function* () {
        const directory = yield* tempDir
        const held = canary(directory)
        const scope = yield* Scope.make()
        const job = `(trap 'echo told; exit' TERM; echo > go; sleep 300 & wait)`
        const running = yield* Scope.provide(
          start(bash(`exec 9>${held.path}; mkfifo go; ${job} & read < go; echo left`, directory)),
          scope
        )
        const output = yield* Effect.forkChild(textOf(running))
        yield* running.exit
        yield* Scope.close(scope, Exit.void)
        yield* Effect.promise(() => held.ended)
        assert.strictEqual(yield* Fiber.join(output), "left\ntold\n")
      })
    )
  )

  it.live(
    "does not wait for somebody who left the group and keeps the pipe",
    live(
      Effect.gen(function* () {
        const directory = yield* tempDir
        const scope = yield* Scope.make()
        const running = yield* Scope.provide(
          start(
            bash("mkfifo go; setsid bash -c 'echo $$; echo > go; exec sleep 300' & read < go; echo over", directory)
          ),
          scope
        )
        const output = yield* Effect.forkChild(textOf(running))
        yield* running.exit
        yield* Scope.close(scope, Exit.void)
        const text = yield* Fiber.join(output)
        const escaped = Number(text.split("\n").find((line) => /^\d+$/.test(line)))
        assert.include(text, "over")
        assert.isTrue(isRunning(escaped))
        process.kill(escaped, "SIGKILL")
      })
    )
  )

  it.effect("gives a process that ignores TERM its grace on the Effect clock, then kills it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const running = yield* Scope.provide(
        start(bash("trap 'echo not yet' TERM; echo ready; while :; do sleep 300; done")),
        scope
      )
      const ready = yield* Deferred.make<void>()
      const told = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Stream.runForEach(running.output, (chunk) => {
          const text = new TextDecoder().decode(chunk)
          return text.includes("ready")
            ? Deferred.succeed(ready, undefined)
            : text.includes("not yet")
              ? Deferred.succeed(told, undefined)
              : Effect.void
        })
      )
      yield* Deferred.await(ready)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Deferred.await(told)
      yield* TestClock.adjust("999 millis")
      assert.isTrue(isRunning(running.pid))
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.isFalse(isRunning(running.pid))
      assert.deepStrictEqual(yield* running.exit, { _tag: "Signal", signal: "SIGKILL" })
      yield* Fiber.join(reading)
    }).pipe(Effect.provide(LauncherLive.layer))
  )

  it.live(
    "happens when the fiber is interrupted, and nothing is left when that returns",
    live(
      Effect.gen(function* () {
        const held = canary(yield* tempDir)
        const ready = yield* Deferred.make<number>()
        const fiber = yield* Effect.forkChild(
          Effect.scoped(
            Effect.gen(function* () {
              const running = yield* start(bash(`exec 9>${held.path}; sleep 300 & echo ready; sleep 300`))
              yield* Stream.runForEach(running.output, () => Deferred.succeed(ready, running.pid))
            })
          )
        )
        const pid = yield* Deferred.await(ready)
        yield* Fiber.interrupt(fiber)
        assert.isFalse(isRunning(pid))
        yield* Effect.promise(() => held.ended)
      })
    )
  )

  it.live(
    "ends a stopped process too",
    live(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const running = yield* Scope.provide(start(bash("echo ready; kill -STOP $$; sleep 300")), scope)
        yield* Stream.runHead(running.output)
        assert.isTrue(eventually(() => /\) T /.test(NFS.readFileSync(`/proc/${running.pid}/stat`, "latin1"))))
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* running.exit, { _tag: "Signal", signal: "SIGTERM" })
      })
    )
  )
})

describe("closing the layer", () => {
  it.live("kills what is still running, whoever holds its scope", () =>
    Effect.gen(function* () {
      const held = canary(yield* tempDir)
      const forgotten = yield* Scope.make()
      yield* Effect.gen(function* () {
        const script = `exec 9>${held.path}; trap '' TERM; sleep 300 & echo ready; wait`
        const running = yield* Scope.provide(start(bash(script)), forgotten)
        yield* Stream.runHead(running.output)
      }).pipe(Effect.provide(LauncherLive.layer))
      yield* Effect.promise(() => held.ended)
      yield* Scope.close(forgotten, Exit.void)
    })
  )
})

describe("the watcher", () => {
  it.live("is nobody's child, is one for all, and goes with the layer", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(watchers(), [])
        assert.strictEqual((yield* run(bash("jobs; wait; echo done"))).output, "done\n")
        yield* run(bash("true"))
        assert.strictEqual(watchers().length, 1)
      }).pipe(Effect.provide(LauncherLive.layer))
      assert.isTrue(eventually(() => watchers().length === 0))
    })
  )

  it.live(
    "is replaced when somebody has killed it",
    live(
      Effect.gen(function* () {
        yield* run(bash("true"))
        const [first] = watchers()
        process.kill(first as number, "SIGKILL")
        assert.isTrue(eventually(() => watchers().length === 0))
        // The exit of a child is an event of its own: the next commands are run until it has come.
        for (let count = 0; count < 50 && watchers().length === 0; count++) yield* run(bash("true"))
        assert.strictEqual(watchers().length, 1)
        assert.notStrictEqual(watchers()[0], first)
      })
    )
  )
})
