/**
 * How a command ends: the exit codes, and the one error that every command fails with.
 *
 * Whatever goes wrong below is turned into a `CliError` at the place that knows what a person can do about it. The
 * edge prints `message` and `hint` and nothing else, unless `--log-level debug` asks for the cause.
 */
import * as Schema from "effect/Schema"

export const ExitCode = {
  /** Finished, or stopped cleanly. */
  ok: 0,
  /** Start-up failed, or the run failed. */
  failed: 1,
  /** The command line cannot be carried out as written, or not by this version. */
  usage: 2,
  /** The run ended paused or at its limit. */
  unfinished: 3,
  /** Another process is this pod, or may write where this one wants to. */
  held: 4,
  /** Durable state cannot be read. */
  corrupt: 5,
  /** The user cancelled. */
  cancelled: 130
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

export class CliError extends Schema.TaggedError<CliError>()("CliError", {
  exitCode: Schema.Literals([1, 2, 3, 4, 5, 130]),
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String)
}) {}

const error =
  (exitCode: 1 | 2 | 4 | 5) =>
  (message: string, hint?: string): CliError =>
    new CliError({ exitCode, message, ...(hint === undefined ? {} : { hint }) })

export const failed = error(ExitCode.failed)
export const usage = error(ExitCode.usage)
export const held = error(ExitCode.held)
export const corrupt = error(ExitCode.corrupt)
