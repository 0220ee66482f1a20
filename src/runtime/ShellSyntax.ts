/**
 * What a shell would run, read off the text of a command before anything runs.
 *
 * The parser is a service because it is a package, and it is loaded when the first command has to be judged.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** A text as far as it is known before it runs: `null` stands for any text, also for none and for several words. */
export type Template = ReadonlyArray<string | null>

/** One command with its words, quotes and escapes taken away. */
export interface ShellCommand {
  /** What stands in front of it, or alone: `NAME=value`. */
  readonly assignments: ReadonlyArray<{ readonly name: string; readonly value: Template }>
  /** Its name and its arguments; none for an assignment that stands alone. */
  readonly words: ReadonlyArray<Template>
}

/** A file that the shell itself opens for a command. */
export interface ShellRedirect {
  readonly access: "read" | "write"
  readonly path: Template
}

export interface ShellScript {
  /** All of them: of pipelines, lists, subshells, substitutions, functions, here-documents. */
  readonly commands: ReadonlyArray<ShellCommand>
  readonly redirects: ReadonlyArray<ShellRedirect>
  /** Why it may run more than `commands`, if it may. */
  readonly hides: string | undefined
  /** Every other shell reads it in the same way as bash. */
  readonly isPlain: boolean
}

/** Returns why it cannot be read, if it cannot. Never throws. */
export type ParseShell = (text: string) => ShellScript | string

export class ShellSyntax extends Context.Service<
  ShellSyntax,
  {
    /** Loads the parser at its first use. Without one, no command can be read. */
    readonly parser: Effect.Effect<ParseShell>
  }
>()("effect-pod/runtime/ShellSyntax") {}
