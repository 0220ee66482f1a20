/**
 * `Launcher` on Node: each process leads its own session and group, writes into one pipe, and is ended with its group.
 *
 * Ending is TERM, a short grace on the Effect clock, then KILL. Only the leader is waited for: orphans are collected by
 * PID 1, in its own time. The children of `effect/process` are not used, because there an interruption waits for that.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import * as NFS from "node:fs"
import { LaunchError, Launcher, type LaunchSpec, type ProcessExit } from "../../src/runtime/Launcher.ts"
import * as Group from "./LauncherGroup.ts"
import * as Leash from "./LauncherLeash.ts"
import * as Output from "./LauncherOutput.ts"
import * as Pipes from "./LauncherPipes.ts"

export interface LauncherOptions {
  /** Between TERM and KILL. Default: one second. */
  readonly grace?: Duration.Input
}

const defaultGrace = Duration.seconds(1)

/** After KILL only the kernel can delay a process, for instance in a hung network file system. */
const killLimit = Duration.seconds(2)

/** How soon it is looked whether the rest of a group has gone, in milliseconds; the last one repeats. */
const looks = [1, 2, 4, 8, 16, 32]

interface Running {
  readonly pid: number
  readonly exit: Deferred.Deferred<ProcessExit>
  readonly hasExited: () => boolean
  /** False once the leader is gone and nothing was left in its group: the number may then be another's. */
  readonly mayRun: () => boolean
  readonly output: Output.Output
}

const reasons: { readonly [code: string]: (spec: LaunchSpec) => string } = {
  ENOENT: (spec) =>
    NFS.existsSync(spec.cwd) ? "there is no such program in PATH" : `the directory ${spec.cwd} does not exist`,
  ENOTDIR: (spec) => `${spec.cwd} is not a directory`,
  EACCES: (spec) => `it may not be executed, or ${spec.cwd} may not be entered`,
  E2BIG: (spec) =>
    `its arguments are too long (${spec.args.reduce((sum, arg) => sum + Buffer.byteLength(arg) + 1, 0)} bytes; one ` +
    "argument may have 131071)",
  EAGAIN: () => "no more processes can be started now",
  EMFILE: () => "too many files are open",
  ENFILE: () => "too many files are open on this machine",
  ENOMEM: () => "there is not enough memory"
}

const launchError = (spec: LaunchSpec, error: unknown): LaunchError => {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  const reason = reasons[code]?.(spec) ?? (error instanceof Error ? error.message : String(error))
  return new LaunchError({ command: spec.command, message: `${spec.command} could not be started: ${reason}.` })
}

const launch = (spec: LaunchSpec, path: string, leash: Leash.Leash): Effect.Effect<Running, LaunchError> =>
  Effect.callback<Running, LaunchError>((resume) => {
    const refuse = (error: unknown) => resume(Effect.fail(launchError(spec, error)))
    let pipe: Pipes.Pipe | undefined
    try {
      pipe = Pipes.openUnsafe(path)
      const { read, write } = pipe
      const exit = Deferred.makeUnsafe<ProcessExit>()
      let hasExited = false
      let mayRun = true
      const child = spawn(spec.command, [...spec.args], {
        cwd: spec.cwd,
        detached: true,
        env: { ...spec.env },
        stdio: ["ignore", write, write]
      })
      NFS.closeSync(write)
      if (child.pid === undefined) {
        NFS.closeSync(read)
        child.once("error", refuse)
        return
      }
      const { pid } = child
      leash.add(pid)
      child.on("error", () => {})
      child.once("exit", (code, signal) => {
        hasExited = true
        mayRun = Group.exists(pid)
        const ended: ProcessExit = code === null
          ? { _tag: "Signal", signal: signal ?? "SIGKILL" }
          : { _tag: "Code", code }
        Deferred.doneUnsafe(exit, Exit.succeed(ended))
      })
      const output = Output.make(read)
      resume(Effect.succeed({ pid, exit, hasExited: () => hasExited, mayRun: () => mayRun, output }))
    } catch (error) {
      if (pipe !== undefined) {
        NFS.closeSync(pipe.read)
        NFS.closeSync(pipe.write)
      }
      refuse(error)
    }
  })

const gone = Effect.fnUntraced(function*(running: Running) {
  yield* Deferred.await(running.exit)
  for (let look = 0; Group.isAlive(running.pid); look++) {
    yield* Effect.sleep(Duration.millis(looks[Math.min(look, looks.length - 1)] as number))
  }
})

const end = Effect.fnUntraced(function*(running: Running, leash: Leash.Leash, grace: Duration.Duration) {
  if (!running.hasExited() || (running.mayRun() && Group.isAlive(running.pid))) {
    Group.signal(running.pid, "SIGTERM")
    // A stopped process takes the signal only when it goes on.
    Group.signal(running.pid, "SIGCONT")
    const left = yield* Effect.timeoutOption(Effect.interruptible(gone(running)), grace)
    if (left._tag === "None") {
      Group.signal(running.pid, "SIGKILL")
      const killed = yield* Effect.timeoutOption(Effect.interruptible(Deferred.await(running.exit)), killLimit)
      if (killed._tag === "None") {
        yield* Effect.logWarning(`Process ${running.pid} does not end although it was killed; it is left behind.`)
      }
    }
  }
  running.output.finish()
  leash.remove(running.pid)
})

const make = Effect.fnUntraced(function*(options: LauncherOptions) {
  const grace = Duration.fromInputUnsafe(options.grace ?? defaultGrace)
  const leash = yield* Effect.acquireRelease(Effect.sync(Leash.make), (leash) => Effect.sync(leash.close))
  const pipes = yield* Pipes.make(leash.ready)
  return Launcher.of({
    start: Effect.fn("Launcher.start")(function*(spec) {
      yield* leash.ready
      const path = yield* pipes.take
      const running = yield* Effect.acquireRelease(
        launch(spec, path, leash),
        (running) => end(running, leash, grace)
      )
      return { pid: running.pid, output: running.output.stream, exit: Deferred.await(running.exit) }
    })
  })
})

export const layerWith = (options: LauncherOptions): Layer.Layer<Launcher> => Layer.effect(Launcher, make(options))

export const layer: Layer.Layer<Launcher> = layerWith({})
