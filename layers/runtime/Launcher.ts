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
import { type ChildProcess, spawn } from "node:child_process"
import * as NFS from "node:fs"
import { LaunchError, Launcher, type LaunchSpec, type Opening, type ProcessExit } from "../../src/runtime/Launcher.ts"
import * as Group from "./LauncherGroup.ts"
import * as Init from "./LauncherInit.ts"
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

interface Running {
  readonly pid: number
  readonly exit: Deferred.Deferred<ProcessExit>
  readonly hasExited: () => boolean
  /** False once the leader is gone and nothing was left in its group: the number may then be another's. */
  readonly mayRun: () => boolean
  readonly output: Output.Output
  /** The name of its pipe. */
  readonly path: string
  readonly init: Init.Init | undefined
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

const nothingOpen: Opening = { args: [], descriptors: [] }

/** Starts the process; whatever is refused leaves no descriptor open. */
const launch = (
  spec: LaunchSpec,
  opening: Opening,
  path: string,
  pipes: Pipes.Pipes,
  leash: Leash.Leash
): Effect.Effect<Running, LaunchError> =>
  Effect.callback<Running, LaunchError>((resume) => {
    const refuse = (error: LaunchError) => resume(Effect.fail(error))
    let pipe: Pipes.Pipe
    let init: Init.Init | undefined
    try {
      init = spec.reportsInit === true ? Init.openUnsafe(`${path}.init`) : undefined
      pipe = Pipes.openUnsafe(path)
    } catch (error) {
      init?.close()
      pipes.giveBack(path, false)
      refuse(
        new LaunchError({ command: spec.command, message: `No pipe for the output of ${spec.command}: ${error}.` })
      )
      return
    }
    let child: ChildProcess
    try {
      child = spawn(spec.command, [...opening.args, ...spec.args], {
        cwd: spec.cwd,
        detached: true,
        env: { ...spec.env },
        stdio: [
          spec.input === undefined ? "ignore" : "pipe",
          pipe.write,
          spec.stderr === "none" ? "ignore" : pipe.write,
          ...(init === undefined ? opening.descriptors.slice(0, 1).map(() => "ignore" as const) : [init.fd]),
          ...opening.descriptors
        ]
      })
    } catch (error) {
      init?.close()
      NFS.closeSync(pipe.read)
      pipes.giveBack(path, true)
      refuse(launchError(spec, error))
      return
    } finally {
      NFS.closeSync(pipe.write)
    }
    const { pid } = child
    if (pid === undefined) {
      init?.close()
      NFS.closeSync(pipe.read)
      pipes.giveBack(path, true)
      child.once("error", (error) => refuse(launchError(spec, error)))
      return
    }
    leash.add(pid)
    // Whoever does not read it has no need of it.
    child.stdin?.on("error", () => {})
    child.stdin?.end(spec.input)
    const exit = Deferred.makeUnsafe<ProcessExit>()
    let hasExited = false
    let mayRun = true
    child.on("error", () => {})
    child.once("exit", (code, signal) => {
      hasExited = true
      mayRun = Group.exists(pid)
      Deferred.doneUnsafe(exit, Exit.succeed(exitOf(code, signal)))
    })
    const output = Output.make(pipe.read)
    resume(Effect.succeed({ pid, exit, hasExited: () => hasExited, mayRun: () => mayRun, output, path, init }))
  })

const exitOf = (code: number | null, signal: NodeJS.Signals | null): ProcessExit =>
  code === null ? { _tag: "Signal", signal: signal ?? "SIGKILL" } : { _tag: "Code", code }

/**
 * Returns when the commands have ended. The first process of a namespace takes no signals from us but KILL: where it has
 * started no command yet, it all goes at once.
 */
const askToEnd = ({ exit, init, pid }: Running): Effect.Effect<void> =>
  Effect.suspend(() => {
    const inside = init?.pid()
    const hasCommands = inside !== undefined && Group.hasOthers(inside)
    const group = hasCommands ? inside : pid
    Group.signal(group, init === undefined || hasCommands ? "SIGTERM" : "SIGKILL")
    // A stopped process takes the signal only when it goes on.
    Group.signal(group, "SIGCONT")
    return Effect.andThen(Deferred.await(exit), Group.gone(pid))
  })

/** The program takes the namespace with it, unless it was killed before it had seen to that. */
const emptied = Effect.fnUntraced(function* (inside: number) {
  Group.signalOne(inside, "SIGKILL")
  const empty = yield* Effect.timeoutOption(Effect.interruptible(Group.ended(inside)), killLimit)
  if (empty._tag === "None") yield* Effect.logWarning(`The namespace of process ${inside} is not empty after KILL.`)
})

const end = Effect.fnUntraced(function* (
  running: Running,
  pipes: Pipes.Pipes,
  leash: Leash.Leash,
  grace: Duration.Duration
) {
  if (!running.hasExited() || (running.mayRun() && Group.isAlive(running.pid))) {
    const inTime = yield* Effect.timeoutOption(Effect.interruptible(askToEnd(running)), grace)
    if (inTime._tag === "None") {
      Group.signal(running.pid, "SIGKILL")
      const killed = yield* Effect.timeoutOption(Effect.interruptible(Deferred.await(running.exit)), killLimit)
      if (killed._tag === "None") {
        yield* Effect.logWarning(`Process ${running.pid} does not end although it was killed; it is left behind.`)
      }
    }
  }
  const inside = running.init?.pid()
  if (inside !== undefined) yield* emptied(inside)
  running.init?.close()
  pipes.giveBack(running.path, running.output.finish())
  leash.remove(running.pid)
})

const make = Effect.fnUntraced(function* (options: LauncherOptions) {
  const grace = Duration.fromInputUnsafe(options.grace ?? defaultGrace)
  const leash = yield* Effect.acquireRelease(Effect.sync(Leash.make), (started) => Effect.sync(started.close))
  const pipes = yield* Pipes.make(leash.ready)
  return Launcher.of({
    start: Effect.fn("Launcher.start")(function* (spec) {
      yield* leash.ready
      const path = yield* pipes.take
      const opening = Effect.tapError(spec.opening ?? Effect.succeed(nothingOpen), () =>
        Effect.sync(() => pipes.giveBack(path, true))
      )
      const running = yield* Effect.acquireRelease(
        Effect.scoped(Effect.flatMap(opening, (opened) => launch(spec, opened, path, pipes, leash))),
        (started) => end(started, pipes, leash, grace)
      )
      return { pid: running.pid, output: running.output.stream, exit: Deferred.await(running.exit) }
    }),
    directory: leash.ready
  })
})

export const layerWith = (options: LauncherOptions): Layer.Layer<Launcher> => Layer.effect(Launcher, make(options))

export const layer: Layer.Layer<Launcher> = layerWith({})
