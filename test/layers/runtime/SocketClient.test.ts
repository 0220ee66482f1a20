import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { linkSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { join } from "node:path"
import * as SocketClient from "../../../layers/runtime/SocketClient.ts"
import { tempDir } from "../../server/support.ts"

const listen = Effect.fnUntraced(function* (onConnection: (socket: Socket) => void) {
  const path = join(yield* tempDir, "sock")
  yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer({ allowHalfOpen: true }, onConnection)
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )
  return path
})

describe("SocketClient", () => {
  it.live("gives the lines as JSON, whatever the chunks, and ends with the connection", () =>
    Effect.gen(function* () {
      const path = yield* listen((socket) => {
        socket.write(`{"event":"a"}\n{"event":"b"}\r\n{"ev`)
        socket.end(`ent":"c"}`)
      })
      const client = yield* SocketClient.connect(path)
      assert.deepStrictEqual(yield* client.next, { event: "a" })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.events, 1)), [{ event: "b" }])
      assert.deepStrictEqual(yield* Stream.runCollect(client.events), [{ event: "c" }])
      assert.isTrue(Cause.isDone(yield* Effect.flip(client.next)))
    })
  )

  it.live("can end its side and still read", () =>
    Effect.gen(function* () {
      const path = yield* listen((socket) => {
        let text = ""
        socket.on("data", (chunk) => {
          text += chunk
        })
        socket.on("end", () => socket.end(text))
      })
      const client = yield* SocketClient.connect(path)
      yield* client.send({ method: "notify", params: { message: "half \ud83d" } })
      yield* client.end
      assert.deepStrictEqual(yield* client.next, { method: "notify", params: { message: "half \ufffd" } })
      yield* client.close
      assert.strictEqual((yield* Effect.flip(client.send({ method: "pause" }))).reason, "Closed")
    })
  )

  it.live("says so when what it gets is not a line of JSON, or too long", () =>
    Effect.gen(function* () {
      const path = yield* listen((socket) =>
        socket.end(`HTTP/1.1 400\n{"event":"${"x".repeat(100)}"}\n{"event":"a"}\n`)
      )
      const client = yield* SocketClient.connect(path, { maxLineBytes: 64 })
      for (const text of ["HTTP/1.1 400", "longer than 64 bytes"]) {
        const error = yield* Effect.flip(client.next)
        assert.isTrue(!Cause.isDone(error) && error.reason === "Garbled" && error.message.includes(text))
      }
      assert.deepStrictEqual(yield* client.next, { event: "a" })
    })
  )

  it.live("tells a pod that is not there from one that is dead and from a path that cannot be", () =>
    Effect.gen(function* () {
      const dir = yield* tempDir
      const dead = join(dir, "dead")
      yield* Effect.callback<void>((resume) => {
        const server = createServer().listen(join(dir, "live"), () => {
          linkSync(join(dir, "live"), dead)
          server.close(() => resume(Effect.void))
        })
      })
      const reason = (path: string) => Effect.map(Effect.flip(SocketClient.connect(path)), (error) => error.reason)
      assert.strictEqual(yield* reason(join(dir, "none")), "NotFound")
      assert.strictEqual(yield* reason(dead), "Refused")
      assert.strictEqual(yield* reason(join(dir, "x".repeat(120))), "TooLong")
    })
  )

  it.live("gives up on a process that stands still and takes no connection", () =>
    Effect.gen(function* () {
      const path = join(yield* tempDir, "sock")
      const script = `require("net").createServer().listen({path:${JSON.stringify(path)},backlog:1},()=>console.log("up"))`
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] })),
        (spawned) => Effect.sync(() => spawned.kill("SIGKILL"))
      )
      yield* Effect.callback<void>((resume) => {
        child.stdout!.once("data", () => resume(Effect.void))
      })
      child.kill("SIGSTOP")
      const attempt = SocketClient.connect(path, { timeout: "50 millis" })
      let error: SocketClient.ConnectError | undefined
      // The kernel takes a few on its behalf.
      while (error === undefined) {
        error = yield* Effect.match(attempt, { onFailure: (failure) => failure, onSuccess: () => undefined })
      }
      assert.strictEqual(error.reason, "Timeout")
      assert.match(error.message, /not taken within 50ms/)
    })
  )
})
