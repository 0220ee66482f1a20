/**
 * Serves a pod on a Unix socket. One fiber per connection, all of them ended with the Scope; the socket file goes first.
 *
 * The caller holds the pod's lease: a socket file that lies at the path is what a dead owner left, and is replaced.
 * The socket is never open to other users, not even for the moment between its making and a chmod.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { chmodSync, lstatSync, statSync, unlinkSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { dirname } from "node:path"
import { isMainThread } from "node:worker_threads"
import type { PodHandle } from "../../src/pod/PodHandle.ts"
import { encodeLine } from "../../src/protocol/Wire.ts"
import * as Connection from "../../src/server/Connection.ts"
import * as Connections from "../../src/server/Connections.ts"
import * as NetTransport from "./NetTransport.ts"

/**
 * * `NotFound`: the directory is missing. `Denied`: nothing may be made in it. `TooLong`: longer than a socket path.
 * * `NotASocket`: something else lies at the path, and is left alone. `Io`: anything else.
 */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  reason: Schema.Literals(["NotFound", "Denied", "TooLong", "NotASocket", "Io"]),
  path: Schema.String,
  message: Schema.String
}) {}

export interface Options extends Connection.Options {
  readonly path: string
  /** Connections at one time; one more is told so and closed. Default 256. */
  readonly maxConnections?: number
}

export interface SocketServer {
  readonly path: string
  readonly connections: Connections.Connections
}

const reasons: Readonly<Record<string, ListenError["reason"]>> = {
  ENOENT: "NotFound",
  ENOTDIR: "NotFound",
  EACCES: "Denied",
  EPERM: "Denied",
  EROFS: "Denied"
}

const messages: Readonly<Record<ListenError["reason"], string>> = {
  NotFound: "the directory of the socket does not exist",
  Denied: "this user may not make a socket there",
  TooLong: `a socket path has at most ${NetTransport.maxPathBytes} bytes: choose a shorter directory`,
  NotASocket: "there is a file that is not a socket: remove it or choose another path",
  Io: "the socket cannot be made"
}

const failure = (path: string, reason: ListenError["reason"], detail?: string): ListenError =>
  new ListenError({
    reason,
    path,
    message: `${path}: ${messages[reason]}${detail === undefined ? "" : ` (${detail})`}`
  })

const failed = (path: string, cause: NodeJS.ErrnoException): ListenError =>
  failure(path, reasons[cause.code ?? ""] ?? "Io", cause.code ?? cause.message)

/** Takes away what a dead owner left. */
const removeStale = (path: string) =>
  Effect.try({
    try: () => {
      const found = lstatSync(path, { throwIfNoEntry: false })
      if (found === undefined) {
        // Making a socket in a directory that is missing is reported as if it were forbidden.
        statSync(dirname(path))
      }
      if (found?.isSocket() === true) {
        unlinkSync(path)
      }
      return found === undefined || found.isSocket()
    },
    catch: (cause) => failed(path, cause as NodeJS.ErrnoException)
  }).pipe(Effect.flatMap((free) => (free ? Effect.void : Effect.fail(failure(path, "NotASocket")))))

/**
 * The file is made inside this one call, so the mask is in force for it alone. It is such that whatever another thread
 * makes at the same moment comes out private, not unusable. Only the main thread has a mask to change.
 */
const bind = (server: Server, path: string): void => {
  const before = isMainThread ? process.umask(0o077) : undefined
  try {
    server.listen(path)
  } finally {
    if (before !== undefined) {
      process.umask(before)
    }
  }
}

const open = (server: Server, path: string): Effect.Effect<void, ListenError> =>
  Effect.callback<void, ListenError>((resume) => {
    const refused = (cause: NodeJS.ErrnoException) => resume(Effect.fail(failed(path, cause)))
    server.once("error", refused)
    server.once("listening", () => {
      server.off("error", refused)
      resume(
        Effect.try({
          try: () => chmodSync(path, 0o600),
          catch: (cause) => failed(path, cause as NodeJS.ErrnoException)
        })
      )
    })
    bind(server, path)
  })

/** In words of the seed protocol: that is what a connection speaks at first. */
const tooMany = (limit: number): string =>
  encodeLine({
    event: "error",
    data: {
      code: "invalid_request",
      message: `overloaded: ${limit} clients are connected, and no more are served; try again later`
    }
  })

/** Listens from now on. Ends with the Scope: no new connections, no socket file, then every connection. */
export const listen = Effect.fn("SocketServer.listen")(function* (
  handle: PodHandle,
  options: Options
): Effect.fn.Return<SocketServer, ListenError, Scope.Scope> {
  const { path } = options
  if (Buffer.byteLength(path) > NetTransport.maxPathBytes) {
    return yield* failure(path, "TooLong")
  }
  const limit = options.maxConnections ?? 256
  const connections = options.connections ?? Connections.make()
  const run = yield* FiberSet.makeRuntime<never>()
  let count = 0

  const accept = (socket: Socket) => {
    if (count >= limit) {
      socket.on("error", () => {})
      socket.end(tooMany(limit), () => socket.destroy())
      return
    }
    count += 1
    socket.once("close", () => {
      count -= 1
    })
    run(
      Connection.serve(handle, NetTransport.make(socket), { ...options, connections }).pipe(
        Effect.tapCause((cause) =>
          Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a connection failed", cause)
        )
      )
    )
  }

  yield* removeStale(path)
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => createServer({ allowHalfOpen: true }, accept)),
    (listening) =>
      Effect.sync(() => {
        listening.close()
      })
  )
  yield* open(server, path)
  // One connection that could not be accepted (too many open files, say) is no reason to stop listening.
  server.on("error", (cause) => run(Effect.logWarning(`a connection could not be accepted: ${cause.message}`)))
  return { path, connections }
})
