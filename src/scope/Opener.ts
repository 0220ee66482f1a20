/**
 * Opens files and directories so that it is known afterwards what was opened.
 *
 * A path says where to look, and what is there may change between one look and the next. What is open stays what it is:
 * it is asked for its place, and used through its handle.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"

export interface Opened {
  readonly kind: FileSystem.File.Type
  /** Bytes, as of the open. */
  readonly size: number
  readonly dev: bigint
  readonly ino: bigint
  /** Names that the file has. */
  readonly links: number
  /**
   * The real path of what is open, as the system itself has it now: of something that was removed, a path at which
   * nothing is. Undefined where the system cannot tell.
   */
  readonly place: Effect.Effect<string | undefined>
  /** Goes on where the last read ended; 0 at the end of the file. */
  readonly read: (buffer: Uint8Array) => Effect.Effect<number, PlatformError>
  /**
   * Of a directory: the path of an entry, `.` for itself. Good for any call and any process while it is open, and it
   * cannot be led elsewhere, whatever happens to the names above. Where the system has no such thing, the plain path.
   */
  readonly entry: (name: string) => string
}

export class Opener extends Context.Service<
  Opener,
  {
    /** For reading. Follows no link at the last name, and waits for nobody: not for a writer of a named pipe either. */
    readonly open: (path: string) => Effect.Effect<Opened, PlatformError, Scope.Scope>
  }
>()("effect-pod/scope/Opener") {}
