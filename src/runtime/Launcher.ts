/**
 * Starts process trees and ends them whole.
 *
 * A process lives in its Scope: when the Scope closes, its whole group gets TERM, a short grace, then KILL, and the
 * close returns once the leader is gone. A process also ends when the pod's own process dies, however it dies.
 * What leaves its group on purpose (`setsid`) can escape; the pid namespace of the sandbox is what stops that.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"

export class LaunchError extends Schema.TaggedError<LaunchError>()("LaunchError", {
  command: Schema.String,
  message: Schema.String
}) {}

/** What a process is given open. */
export interface Opening {
  /** They come before those of the spec, and may name the descriptors. */
  readonly args: ReadonlyArray<string>
  /** They become 4, 5, … of the process. */
  readonly descriptors: ReadonlyArray<number>
}

export interface LaunchSpec {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Absolute. */
  readonly cwd: string
  /** The whole environment of the process: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  /**
   * The program runs the command in a pid namespace of its own, and first writes to descriptor 3, in JSON: `child-pid`,
   * the number, as seen from here, of the first process in there, and `pid-namespace`. TERM then goes to the group of
   * that process, KILL to it and to the program, and the close of the Scope returns once the namespace is empty.
   */
  readonly reportsInit?: boolean
  /** Opened at the moment of the start, and closed when the process has it. */
  readonly opening?: Effect.Effect<Opening, LaunchError, Scope.Scope>
  /** What it reads on its standard input; a text as UTF-8. Without it there is nothing to read. */
  readonly input?: string | Uint8Array
  /** Where its stderr goes: into `output`, which is the default, or nowhere. */
  readonly stderr?: "output" | "none"
}

export type ProcessExit =
  | { readonly _tag: "Code"; readonly code: number }
  | { readonly _tag: "Signal"; readonly signal: string }

export interface RunningProcess {
  readonly pid: number
  /** stdout and stderr in the order in which they were written (one pipe). Ends when every writer has closed it. */
  readonly output: Stream.Stream<Uint8Array>
  /** Resolves when the leader has exited; it may be read any number of times. */
  readonly exit: Effect.Effect<ProcessExit>
}

export class Launcher extends Context.Service<
  Launcher,
  {
    readonly start: (spec: LaunchSpec) => Effect.Effect<RunningProcess, LaunchError, Scope.Scope>
    /** A private directory of this program. It is removed with all in it when the program ends, however it ends. */
    readonly directory: Effect.Effect<string, LaunchError>
  }
>()("effect-pod/runtime/Launcher") {}
