import { PassThrough } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as AttachScreen from "../../src/cli/AttachScreen.ts"
import type { Terminal } from "../../src/cli/Terminal.ts"

const escapes = /\u001b\[[0-9;]*[A-Za-z]/g

const makeTerminal = (isTty: boolean) => {
  const input = new PassThrough()
  const output = new PassThrough({ encoding: "utf8" })
  let written = ""
  output.on("data", (text: string) => {
    written += text
  })
  const write = (text: string) => Effect.sync(() => void output.write(text))
  const terminal: Terminal = {
    out: write,
    err: write,
    outClosed: () => false,
    isTty: { in: isTty, out: isTty, err: isTty },
    color: { out: false, err: false },
    columns: () => 80,
    input: () => input,
    output: () => output
  }
  return {
    terminal,
    type: (keys: string) =>
      Effect.promise(async () => {
        input.write(keys)
        await new Promise((resolve) => setImmediate(resolve))
        await new Promise((resolve) => setImmediate(resolve))
      }),
    /** What has been written since the last look; erasing a line is shown as ⌫. */
    seen: () => {
      const text = written.replaceAll("\r\u001b[J", "⌫").replace(escapes, "").replaceAll("\r\n", "\n")
      written = ""
      return text
    },
    end: () => input.end()
  }
}

describe("the screen of attach", () => {
  it.live("keeps the prompt below what is written, and shows none in the middle of a line", () =>
    Effect.gen(function* () {
      const { seen, terminal } = makeTerminal(true)
      const screen = yield* AttachScreen.open(terminal, { prompt: "p> ", onBreak: () => {} })
      assert.strictEqual(seen(), "p> ")
      yield* screen.write("one\n")
      assert.strictEqual(seen(), "⌫one\np> ")
      yield* screen.write("hal")
      yield* screen.write("f\n")
      assert.strictEqual(seen(), "⌫half\np> ")
    }).pipe(Effect.scoped)
  )

  it.live("holds output back until a line is whole while the user types", () =>
    Effect.gen(function* () {
      const { seen, terminal, type } = makeTerminal(true)
      let broken = 0
      const screen = yield* AttachScreen.open(terminal, { prompt: "p> ", onBreak: () => void broken++ })
      yield* screen.write("begun")
      yield* type("h")
      yield* type("i")
      assert.strictEqual(broken, 1)
      seen()
      yield* screen.write(" rest")
      assert.strictEqual(seen(), "")
      yield* screen.write(" of it\nmore")
      assert.strictEqual(seen(), "⌫ rest of it\np> hi")
      yield* type("\r")
      assert.strictEqual(yield* Queue.take(screen.lines), "hi")
      assert.include(seen(), "more")
    }).pipe(Effect.scoped)
  )

  it.live("hands Ctrl-C over and ends with Ctrl-D", () =>
    Effect.gen(function* () {
      const { terminal, type } = makeTerminal(true)
      const screen = yield* AttachScreen.open(terminal, { prompt: "p> ", onBreak: () => {} })
      yield* type("\u0003")
      yield* Queue.take(screen.interrupts)
      yield* type("\u0004")
      assert.strictEqual((yield* Effect.result(Queue.take(screen.lines)))._tag, "Failure")
    }).pipe(Effect.scoped)
  )

  it.live("reads piped lines to their end and writes nothing of its own", () =>
    Effect.gen(function* () {
      const { end, seen, terminal, type } = makeTerminal(false)
      const screen = yield* AttachScreen.open(terminal, { prompt: "p> ", onBreak: () => {} })
      yield* type("one\ntwo")
      end()
      assert.deepStrictEqual([yield* Queue.take(screen.lines), yield* Queue.take(screen.lines)], ["one", "two"])
      assert.strictEqual((yield* Effect.result(Queue.take(screen.lines)))._tag, "Failure")
      yield* screen.write("out")
      assert.strictEqual(seen(), "out")
    }).pipe(Effect.scoped)
  )
})
