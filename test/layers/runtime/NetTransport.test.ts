import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import * as NetTransport from "../../../layers/runtime/NetTransport.ts"
import { tempDir } from "../../server/support.ts"

/** Both ends of one connection; the far end is a bare socket. */
const pair = Effect.gen(function* () {
  const path = join(yield* tempDir, "sock")
  return yield* Effect.acquireRelease(
    Effect.callback<{ readonly near: NetTransport.NetTransport; readonly far: Socket; readonly close: () => void }>(
      (resume) => {
        const server = createServer({ allowHalfOpen: true }, (socket) => {
          const far = connecting
          const close = () => {
            far.destroy()
            socket.destroy()
            server.close()
          }
          const done = () => resume(Effect.succeed({ near: NetTransport.make(socket), far, close }))
          if (far.connecting) far.once("connect", done)
          else done()
        })
        let connecting: Socket
        server.listen(path, () => {
          connecting = connect({ path, allowHalfOpen: true })
          connecting.on("error", () => {})
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )
})

const text = (bytes: Uint8Array | null): string | null => bytes && new TextDecoder().decode(bytes)

describe("NetTransport", () => {
  it.live("still gives what the peer sent before it left, also when a write has failed in between", () =>
    Effect.gen(function* () {
      const { far, near } = yield* pair
      // All of this happens before the near end can have read anything.
      far.write("last words\n")
      far.destroy()
      const error = yield* Effect.flip(near.write("too late\n"))
      assert.strictEqual(error._tag, "Disconnected")
      assert.strictEqual(text(yield* near.read), "last words\n")
      assert.isNull(yield* near.read)
    })
  )

  it.live("holds a writer back until the peer reads, and lets it go when the peer leaves", () =>
    Effect.gen(function* () {
      const { far, near } = yield* pair
      const megabyte = new Uint8Array(1024 * 1024)
      const writing = yield* Effect.forkChild(near.write(megabyte), { startImmediately: true })
      far.write("x")
      // A turn of the other direction shows that this one had its chance.
      assert.strictEqual(text(yield* near.read), "x")
      assert.isUndefined(writing.pollUnsafe())
      far.resume()
      yield* Fiber.join(writing)
      far.pause()
      const stuck = yield* Effect.forkChild(Effect.flip(Effect.andThen(near.write(megabyte), near.write(megabyte))), {
        startImmediately: true
      })
      far.destroy()
      assert.strictEqual((yield* Fiber.join(stuck))._tag, "Disconnected")
      assert.isNull(yield* near.read)
    })
  )

  it.live("sends what was written, then the end, and can be closed again", () =>
    Effect.gen(function* () {
      const { far, near } = yield* pair
      let got = ""
      far.on("data", (chunk) => {
        got += String(chunk)
      })
      const ended = yield* Effect.forkChild(
        Effect.callback<void>((resume) => {
          far.once("end", () => resume(Effect.void))
        }),
        { startImmediately: true }
      )
      yield* near.write("a")
      yield* near.write(new TextEncoder().encode("ü\n"))
      yield* near.close
      yield* near.close
      yield* Fiber.join(ended)
      assert.strictEqual(got, "aü\n")
      assert.strictEqual((yield* Effect.flip(near.write("b")))._tag, "Disconnected")
    })
  )
})
