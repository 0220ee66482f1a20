/** `Opener` on Node. On Linux what is open is asked for, and used, through `/proc`. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import { Opener, type Opened } from "../../src/scope/Opener.ts"
import { systemCode } from "../store/SystemError.ts"

export const layer: Layer.Layer<Opener> = Layer.sync(Opener, () => {
  const handles = `/proc/${process.pid}/fd`
  const hasHandles = Fs.existsSync(handles)
  return { open: (path) => Effect.map(acquire(path), (opened) => describe(path, opened, hasHandles ? handles : null)) }
})

const flags = Fs.constants.O_RDONLY | Fs.constants.O_NOFOLLOW | Fs.constants.O_NONBLOCK | (Fs.constants.O_NOCTTY ?? 0)

const acquire = Effect.fnUntraced(function* (path: string) {
  const fd = yield* Effect.acquireRelease(
    Effect.callback<number, PlatformError.PlatformError>((resume) => {
      Fs.open(path, flags, (error, opened) => resume(error === null ? Effect.succeed(opened) : failed("open", error)))
    }),
    (opened) => Effect.callback<void>((resume) => Fs.close(opened, () => resume(Effect.void)))
  )
  const stats = yield* Effect.callback<Fs.BigIntStats, PlatformError.PlatformError>((resume) => {
    Fs.fstat(fd, { bigint: true }, (error, found) =>
      resume(error === null ? Effect.succeed(found) : failed("stat", error))
    )
  })
  return { fd, stats }
})

const describe = (
  path: string,
  { fd, stats }: { readonly fd: number; readonly stats: Fs.BigIntStats },
  handles: string | null
): Opened => ({
  kind: kindOf(stats),
  size: Number(stats.size),
  dev: stats.dev,
  ino: stats.ino,
  links: Number(stats.nlink),
  place:
    handles === null
      ? Effect.undefined
      : Effect.callback((resume) => {
          Fs.readlink(`${handles}/${fd}`, (error, place) => resume(Effect.succeed(error === null ? place : undefined)))
        }),
  read: (buffer) =>
    Effect.callback((resume) => {
      Fs.read(fd, buffer, 0, buffer.length, null, (error, length) =>
        resume(error === null ? Effect.succeed(length) : failed("read", error))
      )
    }),
  entry: (name) => (handles === null ? Path.join(path, name) : `${handles}/${fd}/${name}`)
})

const kindOf = (stats: Fs.BigIntStats): FileSystem.File.Type => {
  if (stats.isFile()) return "File"
  if (stats.isDirectory()) return "Directory"
  if (stats.isFIFO()) return "FIFO"
  if (stats.isSocket()) return "Socket"
  if (stats.isCharacterDevice()) return "CharacterDevice"
  return stats.isBlockDevice() ? "BlockDevice" : "Unknown"
}

const failed = (method: string, cause: unknown) => {
  const code = systemCode(cause)
  return Effect.fail(
    PlatformError.systemError({
      _tag: code === "ENOENT" ? "NotFound" : code === "EACCES" || code === "EPERM" ? "PermissionDenied" : "Unknown",
      module: "Opener",
      method,
      cause
    })
  )
}
