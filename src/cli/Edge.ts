/**
 * The edge between the process and a command: signals in, one exit code out.
 *
 * Nothing else calls `process.exit`. A failure is printed as one line and a hint; a defect is a bug of ours and says
 * so. Causes are shown only from `--log-level debug` on.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as LogLevel from "effect/LogLevel"
import { type Flags } from "./Args.ts"
import { CliError, ExitCode } from "./CliError.ts"
import type { Command, Invocation, Signal } from "./Invocation.ts"
import * as Logging from "./Logging.ts"
import * as Terminal from "./Terminal.ts"

/** Carries the command out and ends the process with its exit code. */
export const execute = (command: Command, flags: Flags, positionals: ReadonlyArray<string>): void => {
  const cwd = currentDirectory()
  if (cwd === undefined) {
    return fail(ExitCode.failed, "effect-pod: the current directory is gone\n  hint: cd to one that exists\n")
  }
  const terminal = Terminal.make(process.env)
  const logLevel = Logging.levelOf(flags, command.logLevel)
  const signals = listen(command, terminal)
  const invocation: Invocation = {
    flags,
    positionals,
    env: process.env,
    cwd,
    terminal,
    logLevel,
    signal: signals.take,
    endWithin: (millis, message) =>
      Effect.sync(() => {
        setTimeout(() => end(terminal, ExitCode.failed, `effect-pod: ${message}\n`), millis).unref()
      })
  }
  const fiber = Effect.runFork(
    Effect.provide(command.run(invocation), Logging.layer(logLevel, flags["log-format"] === "json" ? "json" : "pretty"))
  )
  signals.interruptWith(() => fiber.interruptUnsafe())
  // A fiber that waits holds nothing that would keep Node alive.
  const alive = setInterval(() => {}, 0x7fffffff)
  fiber.addObserver((exit) => {
    clearInterval(alive)
    const report = reportOf(exit, logLevel)
    end(terminal, report.code, report.text)
  })
}

/** Undefined if somebody has removed it. */
const currentDirectory = (): string | undefined => {
  try {
    return process.cwd()
  } catch {
    return undefined
  }
}

/** Prints what is wrong with the command line and ends the process. */
export const fail = (code: ExitCode, text: string): void => end(Terminal.make(process.env), code, text)

/** Prints the text on stdout and ends the process. */
export const print = (text: string): void => {
  const terminal = Terminal.make(process.env)
  Effect.runFork(terminal.out(text)).addObserver(() => process.exit(ExitCode.ok))
}

const end = (terminal: Terminal.Terminal, code: ExitCode, text: string): void => {
  Effect.runFork(terminal.err(text)).addObserver(() => process.exit(code))
}

const reportOf = (
  exit: Exit.Exit<ExitCode, CliError>,
  logLevel: LogLevel.LogLevel
): { readonly code: ExitCode; readonly text: string } => {
  if (Exit.isSuccess(exit)) return { code: exit.value, text: "" }
  if (Cause.hasInterruptsOnly(exit.cause)) return { code: ExitCode.cancelled, text: "" }
  const verbose = logLevel === "Debug" || logLevel === "Trace" || logLevel === "All"
  const failure = Cause.findErrorOption(exit.cause)
  const error =
    failure._tag === "Some"
      ? failure.value
      : new CliError({
          exitCode: ExitCode.failed,
          message: `internal error: ${firstLine(String(Cause.squash(exit.cause)))}`,
          hint: "this is a bug; --log-level debug shows where it happened"
        })
  return {
    code: error.exitCode,
    text:
      `effect-pod: ${error.message}\n` +
      (error.hint === undefined ? "" : `  hint: ${error.hint}\n`) +
      (verbose ? `${Cause.pretty(exit.cause)}\n` : "")
  }
}

const firstLine = (text: string): string => text.split("\n", 1)[0] as string

/** No terminal at any end: nobody hangs up on us. */
const detached = (terminal: Terminal.Terminal): boolean =>
  !terminal.isTty.in && !terminal.isTty.out && !terminal.isTty.err

const listen = (command: Command, terminal: Terminal.Terminal) => {
  const waiting: Array<Signal> = []
  let taker: ((signal: Signal) => void) | undefined
  let interrupt: (() => void) | undefined
  let received = 0
  const onSignal = (signal: Signal) => {
    received += 1
    if (received > 1 && command.signals !== "own") {
      return end(terminal, ExitCode.cancelled, "effect-pod: ended at once by a second signal\n")
    }
    if (command.signals === "interrupt") return interrupt?.()
    if (taker === undefined) waiting.push(signal)
    else taker(signal)
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  process.on("SIGHUP", detached(terminal) ? () => {} : onSignal)
  return {
    interruptWith: (f: () => void) => {
      interrupt = f
      if (received > 0 && command.signals === "interrupt") f()
    },
    take: Effect.callback<Signal>((resume) => {
      const next = waiting.shift()
      if (next !== undefined) return resume(Effect.succeed(next))
      const mine = (signal: Signal) => {
        taker = undefined
        resume(Effect.succeed(signal))
      }
      taker = mine
      return Effect.sync(() => {
        if (taker === mine) taker = undefined
      })
    })
  }
}
