/** What `WebFetch` says and leaves behind where something goes wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type ServerResponse } from "node:http"
import { createServer as createSocketServer, type Socket } from "node:net"
import { fetcher, listening, open, redirect, refusal, send, serve } from "./WebFetchSupport.ts"

describe("what goes wrong", () => {
  it.effect("is said with its place, and without the query", () =>
    Effect.gen(function* () {
      const { fetch } = yield* fetcher({ names: { "empty.test": [] } })
      const status = yield* serve((_, response) => {
        response.writeHead(503)
        response.end()
      })
      const image = yield* serve(send("x", { "content-type": "image/png" }))
      const binary = yield* serve(send("a\0b"))
      const nowhere = yield* serve((_, response) => {
        response.writeHead(302)
        response.end()
      })
      const cut = yield* serve((_, response) => {
        response.writeHead(200, { "content-length": "100" })
        response.write("half", () => response.destroy())
      })
      const odd = yield* serve((request) => void request.socket.end("nonsense\r\n\r\n"))
      const cases: ReadonlyArray<readonly [string, RegExp]> = [
        [status.url("/p?token=t0ken"), /^ExecutionFailed: http:\/\/127\.0\.0\.1:\d+\/p: HTTP status 503$/],
        [image.url("/"), /is image\/png, which cannot be shown/],
        [binary.url("/"), /says it is text and is binary/],
        [nowhere.url("/"), /302 without a Location/],
        [cut.url("/"), /broke off/],
        [odd.url("/"), /does not speak HTTP/],
        ["http://empty.test/", /^ExecutionFailed: empty\.test has no address/],
        ["http://127.0.0.1:1/", /127\.0\.0\.1:1 cannot be reached: ECONNREFUSED/]
      ]
      for (const [url, expected] of cases) {
        const said = yield* refusal(fetch(url))
        assert.match(said, expected)
        assert.notInclude(said, "t0ken")
      }
    })
  )

  it.effect("a packed answer that is given up half read, or was never packed, harms nobody", () =>
    Effect.gen(function* () {
      const { fetch } = yield* fetcher(open)
      // vitest fails a run in which an error had nobody to hear it; a pod would have died of it.
      for (const head of ["302 Found\r\nlocation: ftp://x/", "503 No", "200 OK\r\ncontent-type: text/plain"]) {
        for (const packing of ["gzip", "br", "gzip, br"]) {
          const sockets: Array<Promise<void>> = []
          const server = createSocketServer((socket: Socket) => {
            sockets.push(new Promise((gone) => socket.once("close", () => gone())))
            socket.on("error", () => {})
            socket.once("data", () => {
              socket.write(`HTTP/1.1 ${head}\r\ncontent-encoding: ${packing}\r\ncontent-length: 99\r\n\r\nno packing`)
            })
          })
          const port = yield* listening(server, "127.0.0.1")
          assert.match(yield* refusal(fetch(`http://127.0.0.1:${port}/`)), /redirects|status 503|broke off/)
          yield* Effect.promise(() => Promise.all(sockets))
        }
      }
      const often = yield* serve(send("x", { "content-encoding": "br, ".repeat(2000) }))
      assert.match(yield* refusal(fetch(often.url("/"))), /packed its answer more than 4 times/)
    })
  )

  it.effect("another protocol than the one that was asked for is no answer", () =>
    Effect.gen(function* () {
      const server = createSocketServer((socket: Socket) => {
        socket.once("data", () => {
          socket.write("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: odd\r\n\r\nodd")
        })
      })
      const port = yield* listening(server, "127.0.0.1")
      const { fetch } = yield* fetcher(open)
      assert.match(yield* refusal(fetch(`http://127.0.0.1:${port}/`)), /answers 101 to a GET/)
    })
  )

  it.effect("redirects in a circle end", () =>
    Effect.gen(function* () {
      const page = yield* serve(redirect("/again", 307))
      const { fetch } = yield* fetcher({ tool: { redirectLimit: 3 } })
      assert.match(yield* refusal(fetch(page.url("/"))), /more than 3 redirects/)
      assert.strictEqual(page.asked.length, 4)
    })
  )

  it.effect("a server that is silent, or sends forever too slowly, costs the time that is allowed and no more", () =>
    Effect.gen(function* () {
      const silent = (begin: boolean) =>
        Effect.gen(function* () {
          const heard = yield* Deferred.make<ServerResponse>()
          const page = yield* serve((_, response) => {
            if (begin) response.writeHead(200, { "content-type": "text/plain" }).write("some")
            Deferred.doneUnsafe(heard, Effect.succeed(response))
          })
          const { fetch } = yield* fetcher(open)
          const fiber = yield* Effect.forkChild(refusal(fetch(page.url("/"))))
          const response = yield* Deferred.await(heard)
          const gone = yield* Deferred.make<void>()
          response.on("close", () => Deferred.doneUnsafe(gone, Effect.void))
          yield* TestClock.adjust("20 seconds")
          assert.match(yield* Fiber.join(fiber), /nothing whole came within 20s/)
          yield* Deferred.await(gone)
        })
      yield* silent(false)
      yield* silent(true)
    })
  )

  it.effect("an interrupted call closes its connection", () =>
    Effect.gen(function* () {
      const heard = yield* Deferred.make<ServerResponse>()
      const page = yield* serve((_, response) => void Deferred.doneUnsafe(heard, Effect.succeed(response)))
      const { fetch } = yield* fetcher(open)
      const fiber = yield* Effect.forkChild(fetch(page.url("/")))
      const response = yield* Deferred.await(heard)
      const gone = yield* Deferred.make<void>()
      response.on("close", () => Deferred.doneUnsafe(gone, Effect.void))
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(gone)
    })
  )
})
