/**
 * The files with the output of a pod's commands, and how much of the disk all of them together may take.
 *
 * What a command has finished is removed when there is no room for newer output, the oldest first. What a command still
 * writes is never removed: when such files have it all, what comes is dropped and counted, and the command goes on.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Lexical from "../scope/Lexical.ts"

export interface OutputFile {
  readonly path: string
  /** For reading at a position. */
  readonly file: FileSystem.File
  /** Keeps what there is room for, and says how many bytes that was. What comes behind dropped bytes is dropped. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<number, PlatformError>
  /** Bytes that were dropped, because the files of the pod took all that they may. */
  readonly dropped: () => number
  /** Nothing more comes: the file may be removed for newer output. `onRemove` lets go of it then. */
  readonly finish: (onRemove: Effect.Effect<void>) => void
  /** At once. Its bytes are free again. */
  readonly remove: Effect.Effect<void>
}

export interface OutputFiles {
  /** Bytes of all files together. */
  readonly totalBytes: number
  /** A new file, open as long as the Scope is. It stays when that closes, unless it fails: nobody has been told of it then. */
  readonly open: Effect.Effect<OutputFile, PlatformError, Scope.Scope>
}

/** For the model, of output that was dropped. */
export const droppedText = (bytes: number, { totalBytes }: OutputFiles): string =>
  `${bytes} bytes were dropped: the output of this pod's commands takes all of its ${totalBytes} bytes on disk`

interface Held {
  size: number
  dropped: number
  isRemoved: boolean
  onRemove: Effect.Effect<void>
}

/** They live in `directory`, which is made if it is missing. */
export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly directory: string
  readonly totalBytes: number
}): OutputFiles => {
  const { directory, fs, totalBytes } = options
  /** Of all files that are there. */
  let used = 0
  /** Those that may go, oldest first. */
  const finished = new Map<Held, Effect.Effect<void>>()

  const remove = Effect.fnUntraced(function* (held: Held, path: string) {
    if (held.isRemoved) return
    held.isRemoved = true
    finished.delete(held)
    yield* held.onRemove
    // What cannot be removed goes on to count.
    if (yield* Effect.isSuccess(fs.remove(path, { force: true }))) used -= held.size
  }, Effect.uninterruptible)

  /** Until `bytes` fit, or nothing is left that may go. */
  const makeRoom = Effect.fnUntraced(function* (bytes: number) {
    while (used + bytes > totalBytes) {
      const [oldest] = finished.values()
      if (oldest === undefined) return
      yield* oldest
    }
  })

  const append = Effect.fnUntraced(function* (held: Held, file: FileSystem.File, bytes: Uint8Array) {
    if (held.dropped === 0) yield* makeRoom(bytes.length)
    const room = held.dropped > 0 ? 0 : Math.max(0, Math.min(bytes.length, totalBytes - used))
    held.dropped += bytes.length - room
    if (room === 0) return 0
    // Counted before it is written: others write meanwhile. After a failure nobody knows how much of it is there.
    used += room
    held.size += room
    yield* file.writeAll(bytes.subarray(0, room))
    return room
  })

  return {
    totalBytes,
    open: Effect.gen(function* () {
      const unique = yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
      const path = Lexical.join(directory, `bash-${unique.toString(36)}.log`)
      const held: Held = { size: 0, dropped: 0, isRemoved: false, onRemove: Effect.void }
      yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
      const file = yield* Effect.acquireRelease(fs.open(path, { flag: "wx+", mode: 0o600 }), (_, exit) =>
        Exit.isSuccess(exit) ? Effect.void : remove(held, path)
      )
      return {
        path,
        file,
        append: (bytes) => append(held, file, bytes),
        dropped: () => held.dropped,
        finish: (onRemove) => {
          if (held.isRemoved) return
          held.onRemove = onRemove
          finished.set(held, remove(held, path))
        },
        remove: remove(held, path)
      } satisfies OutputFile
    })
  }
}
