/** A pod on a real Unix socket in a private directory, and clients of it. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { connect as connectNet, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SocketClient from "../../layers/runtime/SocketClient.ts"
import * as SocketServer from "../../layers/runtime/SocketServer.ts"
import type { Limits } from "../../src/server/Limits.ts"
import * as FakePod from "./fakePod.ts"

/** A test knows what it asked for. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Loose = any

export type Line = {
  readonly event: string
  readonly seq?: number
  readonly durable?: boolean
  readonly data?: Loose
}

export const tempDir: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "pod-"))),
  (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
)

export interface Served {
  readonly pod: FakePod.FakePod
  readonly path: string
  readonly server: SocketServer.SocketServer
}

export const serve = Effect.fnUntraced(function* (
  options: FakePod.FakePodOptions & { readonly limits?: Partial<Limits>; readonly maxConnections?: number } = {}
) {
  const path = join(yield* tempDir, "sock")
  const pod = yield* FakePod.make(options)
  const server = yield* SocketServer.listen(pod.handle, {
    path,
    server: "effect-pod/test",
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections })
  })
  return { pod, path, server }
})

export interface Client extends SocketClient.SocketClient {
  /** The next line, which must be there. */
  readonly line: Effect.Effect<Line>
  /** Lines up to and with the first of this event. */
  readonly until: (event: string, where?: (line: Line) => boolean) => Effect.Effect<Array<Line>>
  /** Everything up to the end of the connection. */
  readonly rest: Effect.Effect<Array<Line>>
}

export const connect = Effect.fnUntraced(function* (path: string) {
  const client = yield* Effect.orDie(SocketClient.connect(path))
  const line: Client["line"] = Effect.orDie(client.next) as Effect.Effect<Loose>
  const until: Client["until"] = Effect.fnUntraced(function* (event, where = () => true) {
    const lines: Array<Line> = []
    while (true) {
      const next = yield* line
      lines.push(next)
      if (next.event === event && where(next)) return lines
    }
  })
  const rest: Client["rest"] = Effect.gen(function* () {
    const lines: Array<Line> = []
    while (true) {
      const next = yield* Effect.exit(client.next)
      if (next._tag === "Failure") return lines
      lines.push(next.value as unknown as Line)
    }
  })
  return { ...client, line, until, rest } satisfies Client
})

/** A client that has said hello and got its snapshot. */
export const connectNative = Effect.fnUntraced(function* (path: string, params: object = {}) {
  const client = yield* connect(path)
  yield* Effect.orDie(client.send({ method: "hello", id: "h", params: { protocol: 2, client: "test/1", ...params } }))
  const [welcome] = (yield* client.until("welcome")).slice(-1)
  return { ...client, welcome: welcome!, first: yield* client.line }
})

/** A socket that is connected and never read. */
export const stalled = (path: string): Effect.Effect<Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Socket>((resume) => {
      const socket = connectNet({ path, allowHalfOpen: true })
      socket.on("error", () => {})
      socket.once("connect", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
