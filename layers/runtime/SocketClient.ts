/**
 * The client half of the socket: JSON lines to a pod and from it.
 *
 * It knows lines and JSON, not methods and events: callers decode what they need. The socket is closed with the Scope.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { connect as connectNet, type Socket } from "node:net"
import * as Lines from "../../src/protocol/Lines.ts"
import * as Wire from "../../src/protocol/Wire.ts"
import * as NetTransport from "./NetTransport.ts"

/**
 * * `NotFound`: there is no socket. `Refused`: there is one and nobody listens. `Denied`: not allowed to connect.
 * * `Timeout`: nobody took the connection in time. `TooLong`: the path is longer than the system allows.
 * * `Closed`: the pod has closed the connection. `Garbled`: it sent something that is not a line of JSON.
 * * `Io`: anything else; `code` is the system's.
 */
export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  reason: Schema.Literals(["NotFound", "Refused", "Denied", "Timeout", "TooLong", "Closed", "Garbled", "Io"]),
  path: Schema.String,
  message: Schema.String,
  code: Schema.optionalKey(Schema.String)
}) {}

export interface SocketClient {
  /** Sends one object as one line. */
  readonly send: (method: object) => Effect.Effect<void, ConnectError>
  /** Sends bytes as they are. */
  readonly sendRaw: (data: string | Uint8Array) => Effect.Effect<void, ConnectError>
  /** The next line; `Done` when the pod has closed the connection. What `events` takes, `next` does not see. */
  readonly next: Effect.Effect<Schema.Json, ConnectError | Cause.Done>
  /** The lines from now on, as JSON. Ends when the pod closes the connection. Stopping early loses none. */
  readonly events: Stream.Stream<Schema.Json, ConnectError>
  /** Ends our side. The pod answers what it was sent and then closes. */
  readonly end: Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

export interface Options {
  /** For the connection to be taken. Default 5 seconds. */
  readonly timeout?: Duration.Input
  /** Longest line that is accepted, in bytes. A snapshot is one line. Default 256 MiB. */
  readonly maxLineBytes?: number
}

const reasons: Readonly<Record<string, ConnectError["reason"]>> = {
  ENOENT: "NotFound",
  ENOTDIR: "NotFound",
  ECONNREFUSED: "Refused",
  ENOTSOCK: "Refused",
  EACCES: "Denied",
  EPERM: "Denied",
  ENAMETOOLONG: "TooLong"
}

const messages: Readonly<Record<string, string>> = {
  NotFound: "there is no socket: the pod is not running",
  Refused: "nobody listens on the socket: the pod has ended without removing it",
  Denied: "this user may not connect to the socket",
  TooLong: "the path is longer than a socket path may be"
}

const failure = (path: string, cause: NodeJS.ErrnoException): ConnectError => {
  const code = cause.code ?? "UNKNOWN"
  const reason = reasons[code] ?? "Io"
  return new ConnectError({ reason, path, code, message: `${path}: ${messages[reason] ?? cause.message}` })
}

const dial = (path: string): Effect.Effect<Socket, ConnectError> =>
  Effect.callback<Socket, ConnectError>((resume) => {
    const socket = connectNet({ path, allowHalfOpen: true })
    const failed = (cause: NodeJS.ErrnoException) => {
      socket.destroy()
      resume(Effect.fail(failure(path, cause)))
    }
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => {
      socket.on("error", () => {})
      socket.destroy()
    })
  })

const open = (path: string, timeout: Duration.Input): Effect.Effect<Socket, ConnectError> =>
  dial(path).pipe(
    // The queue of connections that wait to be accepted is full: a busy pod, not a missing one.
    Effect.retry({
      while: (error) => error.code === "EAGAIN",
      schedule: Schedule.spaced("10 millis")
    }),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new ConnectError({
            reason: "Timeout",
            path,
            message: `${path}: the connection was not taken within ${Duration.format(Duration.fromInputUnsafe(timeout))}`
          })
        )
    })
  )

/** Connects to the pod that listens on `path`. Fails if it is not there or does not take the connection in time. */
export const connect = Effect.fn("SocketClient.connect")(function* (
  path: string,
  options: Options = {}
): Effect.fn.Return<SocketClient, ConnectError, Scope.Scope> {
  if (Buffer.byteLength(path) > NetTransport.maxPathBytes) {
    return yield* failure(path, Object.assign(new Error(), { code: "ENAMETOOLONG" }))
  }
  const transport = yield* Effect.acquireRelease(
    Effect.map(open(path, options.timeout ?? "5 seconds"), NetTransport.make),
    (opened) => opened.close,
    { interruptible: true }
  )
  const lines = Lines.make({ maxBytes: options.maxLineBytes ?? 256 * 1024 * 1024 })
  const received: Array<Lines.Line> = []
  let ended = false

  const garbled = (what: string) =>
    new ConnectError({ reason: "Garbled", path, message: `${path}: not a pod's line: ${what}` })

  const parse = (line: Lines.Line): Effect.Effect<Schema.Json, ConnectError> => {
    if (line._tag === "TooLong") {
      return Effect.fail(garbled(`longer than ${line.bytes} bytes`))
    }
    if (line._tag === "BadUtf8") {
      return Effect.fail(garbled(`${line.bytes} bytes that are not UTF-8`))
    }
    try {
      // JSON.parse gives JSON.
      return Effect.succeed(JSON.parse(line.text) as Schema.Json)
    } catch {
      return Effect.fail(garbled(JSON.stringify(line.text.slice(0, 80))))
    }
  }

  const next: SocketClient["next"] = Effect.suspend(() => {
    const line = received.shift()
    if (line !== undefined) {
      return parse(line)
    }
    if (ended) {
      return Cause.done()
    }
    return Effect.flatMap(transport.read, (chunk) => {
      ended = chunk === null
      received.push(...(chunk === null ? lines.end() : lines.push(chunk)))
      return next
    })
  })

  const sendRaw = (data: string | Uint8Array) =>
    Effect.mapError(
      transport.write(data),
      (error) => new ConnectError({ reason: "Closed", path, message: `${path}: ${error.message}` })
    )

  return {
    send: (method) => sendRaw(Wire.encodeLine(method)),
    sendRaw,
    next,
    events: Stream.fromPull(Effect.succeed(Effect.map(next, (event) => [event] as const))),
    end: transport.end,
    close: transport.close
  }
})
