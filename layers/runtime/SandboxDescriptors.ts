/** What bubblewrap is given open, instead of by name. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import { LaunchError } from "../../src/runtime/Launcher.ts"

/** Opened for nothing but to say what it is: no rights are needed, nothing is waited for. Node has no name for it. */
const O_PATH = 0o10_000_000

/** What is not there, or not to be reached, can be left out. */
const isAbsence = (error: unknown): boolean =>
  error instanceof Error && "code" in error && /^(ENOENT|ENOTDIR|ELOOP|EACCES)$/.test(String(error.code))

const failed = (what: string, error: unknown): LaunchError =>
  new LaunchError({
    command: "bwrap",
    message: `${what} could not be opened for a sandbox: ${error instanceof Error ? error.message : String(error)}.`
  })

const opened = (path: string, flags: number): Effect.Effect<number | undefined, LaunchError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      try {
        return Effect.succeed(NFS.openSync(path, flags))
      } catch (error) {
        return isAbsence(error) ? Effect.undefined : Effect.fail(failed(path, error))
      }
    }),
    (fd) => Effect.sync(() => fd !== undefined && NFS.closeSync(fd))
  )

const placeOf = (fd: number): string | undefined => {
  try {
    return NFS.readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

/** What lies at the real path; undefined if it does no more, or if a link came to lie on the way. */
export const place = (path: string): Effect.Effect<number | undefined, LaunchError, Scope.Scope> =>
  Effect.map(opened(path, O_PATH | NFS.constants.O_NOFOLLOW), (fd) =>
    fd === undefined || placeOf(fd) !== path || NFS.fstatSync(fd).isSymbolicLink() ? undefined : fd
  )

/** The same file with a position of its own. */
export const again = (fd: number): Effect.Effect<number, LaunchError, Scope.Scope> =>
  opened(`/proc/self/fd/${fd}`, NFS.constants.O_RDONLY).pipe(
    Effect.filterOrFail(
      (copy) => copy !== undefined,
      () => failed("The filter of system calls", "it is gone")
    )
  )

/** A file without a name. */
export const unnamed = (bytes: Uint8Array): Effect.Effect<number, LaunchError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const directory = NFS.mkdtempSync(Path.join(OS.tmpdir(), "effect-pod-filter-"))
        try {
          const fd = NFS.openSync(Path.join(directory, "filter"), "wx+", 0o600)
          NFS.writeSync(fd, bytes, 0, bytes.length, 0)
          return fd
        } finally {
          NFS.rmSync(directory, { recursive: true, force: true })
        }
      },
      catch: (error) => failed("The filter of system calls", error)
    }),
    (fd) => Effect.sync(() => NFS.closeSync(fd))
  )
