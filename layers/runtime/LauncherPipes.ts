/**
 * Real pipes, each with one write end that serves as stdout and stderr both.
 *
 * Node itself makes a socket per stream: two of them lose the order between stdout and stderr, and `> /dev/stderr`
 * fails on a socket. A named pipe is a pipe like the shell's. They are made in batches and used again once nobody
 * writes into them any more, so that a command costs no extra process.
 */
import * as Effect from "effect/Effect"
import type * as EffectScope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { execFile } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { LaunchError } from "../../src/runtime/Launcher.ts"

export interface Pipe {
  /** Does not block. */
  readonly read: number
  /** Blocks, as programs expect of their output. */
  readonly write: number
}

export interface Pipes {
  /** The name of a pipe that nobody else has. */
  readonly take: Effect.Effect<string, LaunchError>
  /** Both ends are closed here, and `isFree` says that they are everywhere. */
  readonly giveBack: (path: string, isFree: boolean) => void
}

const batch = 16
const low = 4
const mkfifoLimit = "10 seconds"

const failed = (reason: string) =>
  new LaunchError({
    command: "mkfifo",
    message:
      `No pipe could be made for a command's output: ${reason}. \`mkfifo\` must be installed and the temporary ` +
      "directory writable."
  })

/** Interrupted, it returns when the program is gone: nothing appears in the directory after that. */
const mkfifo = (paths: ReadonlyArray<string>): Effect.Effect<void, LaunchError> =>
  Effect.callback<void, LaunchError>((resume) => {
    const child = execFile("mkfifo", ["-m", "600", "--", ...paths], (error, _, stderr) => {
      const reason = error === null ? "" : stderr.trim() === "" ? error.message : stderr.trim()
      resume(error === null ? Effect.void : Effect.fail(failed(reason)))
    })
    return Effect.callback<void>((ended) => {
      child.once("close", () => ended(Effect.void))
      child.kill("SIGKILL")
    })
  }).pipe(Effect.timeoutOrElse({ duration: mkfifoLimit, orElse: () => Effect.fail(failed("mkfifo did not end")) }))

/** `directory` yields a private one that exists. Refills run in the Scope. */
export const make = Effect.fnUntraced(function* (
  directory: Effect.Effect<string, LaunchError>
): Effect.fn.Return<Pipes, never, EffectScope.Scope> {
  const scope = yield* Effect.scope
  const filling = yield* Semaphore.make(1)
  const prepared: Array<string> = []
  let made = 0

  const fillTo = (count: number) =>
    filling.withPermits(1)(
      Effect.suspend(() => {
        if (prepared.length >= count) return Effect.void
        return Effect.flatMap(directory, (parent) => {
          const paths = Array.from({ length: batch }, () => Path.join(parent, String(made++)))
          return Effect.map(mkfifo(paths), () => void prepared.push(...paths))
        })
      })
    )

  const take: Effect.Effect<string, LaunchError> = Effect.suspend(() => {
    const path = prepared.pop()
    if (path === undefined) return Effect.andThen(fillTo(1), take)
    if (!NFS.existsSync(path)) {
      // Somebody tidied the temporary directory.
      prepared.length = 0
      return take
    }
    const refill = prepared.length < low ? Effect.forkIn(Effect.ignore(fillTo(low)), scope) : Effect.void
    return Effect.as(refill, path)
  })
  return {
    take,
    giveBack: (path, isFree) => {
      if (isFree) prepared.push(path)
      else NFS.rmSync(path, { force: true })
    }
  }
})

/** The caller closes both ends. Throws what the system throws. */
export const openUnsafe = (path: string): Pipe => {
  // The reader first: a writer would wait for one.
  const read = NFS.openSync(path, NFS.constants.O_RDONLY | NFS.constants.O_NONBLOCK)
  try {
    return { read, write: NFS.openSync(path, NFS.constants.O_WRONLY) }
  } catch (error) {
    NFS.closeSync(read)
    throw error
  }
}
