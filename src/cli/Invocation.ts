/** What a command is given: its arguments, the world that it was called in, and the signals that reach it. */
import type * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import type { Flags } from "./Args.ts"
import type { CliError, ExitCode } from "./CliError.ts"
import type { Terminal } from "./Terminal.ts"

export type Signal = "SIGINT" | "SIGTERM" | "SIGHUP"

export interface Invocation {
  readonly flags: Flags
  readonly positionals: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly cwd: string
  readonly terminal: Terminal
  readonly logLevel: LogLevel.LogLevel
  /** The next signal. Only for commands whose `signals` is not `interrupt`. */
  readonly signal: Effect.Effect<Signal>
  /** Ends the process after `millis`, whatever is still going on, with a line that says so. */
  readonly endWithin: (millis: number, message: string) => Effect.Effect<void>
}

/**
 * What a signal does:
 * * `interrupt`: the command is interrupted.
 * * `graceful`: the first is given to the command, a second ends the process at once.
 * * `own`: all are given to the command.
 */
export type SignalPolicy = "interrupt" | "graceful" | "own"

export interface Command {
  readonly signals: SignalPolicy
  /** What is logged without `--log-level`. */
  readonly logLevel: LogLevel.LogLevel
  readonly run: (invocation: Invocation) => Effect.Effect<ExitCode, CliError>
}
