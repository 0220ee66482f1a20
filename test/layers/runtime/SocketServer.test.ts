import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { chmodSync, linkSync, lstatSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as SocketServer from "../../../layers/runtime/SocketServer.ts"
import * as FakePod from "../../server/fakePod.ts"
import { connect, serve, tempDir } from "../../server/support.ts"

const listenAt = Effect.fnUntraced(function* (path: string) {
  const pod = yield* FakePod.make()
  return yield* Effect.flip(SocketServer.listen(pod.handle, { path }))
})

describe("SocketServer", () => {
  it.live("makes a socket that only its owner may use, whatever the mask says", () =>
    Effect.gen(function* () {
      const dir = yield* tempDir
      chmodSync(dir, 0o777)
      const before = process.umask(0)
      const pod = yield* FakePod.make()
      const path = join(dir, "sock")
      yield* SocketServer.listen(pod.handle, { path })
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.strictEqual(process.umask(before), 0)
    })
  )

  it.live("replaces the socket of a dead owner", () =>
    Effect.gen(function* () {
      const path = join(yield* tempDir, "sock")
      yield* Effect.callback<void>((resume) => {
        const dead = createServer().listen(`${path}.first`, () => {
          linkSync(`${path}.first`, path)
          dead.close(() => resume(Effect.void))
        })
      })
      const pod = yield* FakePod.make()
      yield* SocketServer.listen(pod.handle, { path })
      const client = yield* connect(path)
      assert.strictEqual((yield* client.line).event, "snapshot")
    })
  )

  it.live("leaves a file alone that is no socket", () =>
    Effect.gen(function* () {
      const path = join(yield* tempDir, "sock")
      writeFileSync(path, "precious")
      const error = yield* listenAt(path)
      assert.strictEqual(error.reason, "NotASocket")
      assert.include(error.message, path)
      assert.isTrue(lstatSync(path).isFile())
    })
  )

  it.live("says what is wrong with a path that cannot be listened on", () =>
    Effect.gen(function* () {
      const dir = yield* tempDir
      assert.strictEqual((yield* listenAt(join(dir, "missing", "sock"))).reason, "NotFound")
      assert.strictEqual((yield* listenAt(join(dir, "x".repeat(120)))).reason, "TooLong")
    })
  )

  it.live("serves as many clients as it may, tells the others, and takes new ones when somebody leaves", () =>
    Effect.gen(function* () {
      const { path, server } = yield* serve({ maxConnections: 256 })
      const clients = yield* Effect.forEach(Array.from({ length: 300 }), () => connect(path), { concurrency: 50 })
      const first = yield* Effect.forEach(clients, (client) => client.line, { concurrency: "unbounded" })
      const refused = first.filter((line) => line.event === "error")
      assert.strictEqual(first.filter((line) => line.event === "snapshot").length, 256)
      assert.strictEqual(refused.length, 44)
      assert.match(refused[0]!.data.message, /overloaded: 256 clients are connected/)
      assert.strictEqual(server.connections.list().length, 256)
      const served = clients[first.findIndex((line) => line.event === "snapshot")]!
      yield* served.end
      yield* served.rest
      assert.strictEqual((yield* (yield* connect(path)).line).event, "snapshot")
    })
  )
})
