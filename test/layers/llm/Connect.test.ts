/** A server that takes no connection: the machine is there, and nobody opens. */
import { assert, describe, it } from "@effect/vitest"
import * as ChildProcess from "node:child_process"
import * as Net from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Anthropic from "../../../layers/llm/Anthropic.ts"
import * as Gemini from "../../../layers/llm/Gemini.ts"
import * as OpenAiChat from "../../../layers/llm/OpenAiChat.ts"
import * as OpenAiResponses from "../../../layers/llm/OpenAiResponses.ts"
import { request } from "../../llm/fakeClient.ts"

/** It says where it listens, and does nothing from then on: the kernel takes connections until its short queue is full. */
const listener = `
const server = require("node:net").createServer()
server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
  require("node:fs").writeSync(1, server.address().port + "\\n")
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`

const full = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => ChildProcess.spawn(process.execPath, ["-e", listener], { stdio: ["ignore", "pipe", "inherit"] })),
    (process) => Effect.sync(() => process.kill("SIGKILL"))
  )
  const port = yield* Effect.promise(
    () => new Promise<number>((resolve) => child.stdout.once("data", (text) => resolve(Number(String(text)))))
  )
  const queue = yield* Effect.acquireRelease(
    Effect.sync(() => Array.from({ length: 16 }, () => Net.connect(port, "127.0.0.1").on("error", () => {}))),
    (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
  )
  yield* Effect.promise(() => new Promise((resolve) => queue[0]?.once("connect", resolve)))
  return `http://127.0.0.1:${port}`
})

const makers = {
  anthropic: Anthropic.make,
  openai_chat: OpenAiChat.make,
  openai_responses: OpenAiResponses.make,
  gemini: Gemini.make
} as const

describe.each(Object.keys(makers) as ReadonlyArray<keyof typeof makers>)("%s", (name) => {
  it.live("gives a connection up that does not come about, and says which limit that was", () =>
    Effect.gen(function* () {
      const client = yield* makers[name]({
        apiKey: Redacted.make("k"),
        baseUrl: yield* full,
        model: "m",
        contextWindow: 1000,
        connectTimeout: Duration.millis(100)
      })
      const error = yield* Effect.flip(Stream.runDrain(client.stream(request)))
      assert.strictEqual(error.reason, "Connect")
      assert.include(error.message, "no connection in time")
      assert.include(error.hint ?? "", "model.limits.connect_timeout")
    }).pipe(Effect.scoped)
  )
})
