/**
 * Locks without a helper program: whoever listens on a name that follows from the file's path holds the lock.
 *
 * On Linux the name is an abstract socket: the kernel frees it with the process, nothing is left on disk. Its limits:
 * it holds within one network namespace, and any user of the machine could sit on a name. Elsewhere it is a socket file in
 * a private temporary directory, and one that refuses connections counts as left by a dead owner; two processes that
 * clear away the same one in the same instant may both go on.
 */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { describeSystemError, systemCode } from "../store/SystemError.ts"
import { type LockFile, LockFailed } from "./LeaseLockFile.ts"
import { ensurePrivate, userId } from "./PrivateDir.ts"

const userName = () => userId() ?? "user"
const socketDirectory = () => Path.join(Os.tmpdir(), `effect-pod-${userName()}`)

/** Where the holder of the lock on this file listens. The file exists. */
export const nameOf = (platform: NodeJS.Platform, path: string): string => {
  const hash = Crypto.createHash("sha256").update(Fs.realpathSync(path)).digest("hex").slice(0, 24)
  return platform === "linux" ? `\0effect-pod/${userName()}/${hash}` : Path.join(socketDirectory(), `${hash}.sock`)
}

export const make = (platform: NodeJS.Platform = process.platform) => {
  const abstract = platform === "linux"
  const prepare = abstract
    ? Effect.void
    : Effect.mapError(
        ensurePrivate(socketDirectory(), { isOurs: () => false, refuseLink: true }),
        ({ message }) => new LockFailed({ message })
      )

  /** False if somebody listens there. */
  const lock = Effect.fnUntraced(function* (file: LockFile) {
    const name = nameOf(platform, file.path)
    const first = yield* listen(name, file.scope)
    if (first || abstract || (yield* answers(name))) return first
    yield* Effect.sync(() => Fs.rmSync(name, { force: true }))
    return yield* listen(name, file.scope)
  })

  return {
    by: abstract ? ("abstract socket" as const) : ("socket file" as const),
    take: Effect.fnUntraced(function* (files: ReadonlyArray<LockFile>) {
      yield* prepare
      for (const [index, file] of files.entries()) {
        if (!(yield* lock(file))) return index
      }
      return undefined
    }),
    held: (paths: ReadonlyArray<string>) =>
      Effect.forEach(
        paths,
        (path) => Effect.suspend(() => (Fs.existsSync(path) ? answers(nameOf(platform, path)) : Effect.succeed(false))),
        { concurrency: 16 }
      )
  }
}

const listen = (name: string, scope: Scope.Scope): Effect.Effect<boolean, LockFailed> =>
  Effect.uninterruptible(
    Effect.flatMap(
      Effect.callback<Net.Server | undefined, LockFailed>((resume) => {
        const server = Net.createServer((socket) => socket.destroy())
        server.on("error", (cause) =>
          resume(
            systemCode(cause) === "EADDRINUSE"
              ? Effect.undefined
              : new LockFailed({ message: `cannot lock by socket: ${describeSystemError(cause)}` })
          )
        )
        // The lock alone keeps no process alive.
        server.listen(name, () => resume(Effect.succeed(server.unref())))
      }),
      (server) =>
        server === undefined ? Effect.succeed(false) : Effect.as(Scope.addFinalizer(scope, close(server)), true)
    )
  )

const close = (server: Net.Server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))

/** A stopped owner answers too: the kernel takes the connection. */
const answers = (name: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = Net.connect(name)
    const done = (answer: boolean) => {
      socket.destroy()
      resume(Effect.succeed(answer))
    }
    socket.on("connect", () => done(true))
    socket.on("error", (cause) => done(!["ECONNREFUSED", "ENOENT"].includes(systemCode(cause) ?? "")))
    return Effect.sync(() => socket.destroy())
  })
