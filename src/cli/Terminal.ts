/**
 * The three standard streams, as commands use them.
 *
 * A write returns when the stream has taken the text. A reader that has gone away (`| head`) is no error: what is
 * written from then on is dropped, and `outClosed` tells who wants to stop early.
 */
import * as Effect from "effect/Effect"
import type { Readable, Writable } from "node:stream"
import { isatty } from "node:tty"
import { CliError, usage } from "./CliError.ts"

export interface Terminal {
  readonly out: (text: string) => Effect.Effect<void>
  readonly err: (text: string) => Effect.Effect<void>
  /** Nobody reads stdout any more. */
  readonly outClosed: () => boolean
  /** Whether stdin, stdout and stderr are terminals. */
  readonly isTty: { readonly in: boolean; readonly out: boolean; readonly err: boolean }
  /** Whether escape sequences for colours may be written there. */
  readonly color: { readonly out: boolean; readonly err: boolean }
  /** Characters in a line. */
  readonly columns: () => number
  readonly input: () => Readable
  readonly output: () => Writable
}

type Env = Readonly<Record<string, string | undefined>>

const writer = (open: () => NodeJS.WriteStream) => {
  let closed = false
  let stream: NodeJS.WriteStream | undefined
  const opened = (): NodeJS.WriteStream => {
    if (stream === undefined) {
      stream = open()
      stream.on("error", () => {
        closed = true
      })
    }
    return stream
  }
  return {
    open: opened,
    closed: () => closed,
    write: (text: string) =>
      Effect.callback<void>((resume) => {
        if (closed || text === "") return resume(Effect.void)
        opened().write(text, () => resume(Effect.void))
      })
  }
}

export const make = (env: Env): Terminal => {
  // Making a stream of Node's costs time; a service never needs stdout.
  const out = writer(() => process.stdout)
  const err = writer(() => process.stderr)
  // Log records are written past us: without this listener, a closed stderr would end the process.
  err.open()
  const isTty = { in: isatty(0), out: isatty(1), err: isatty(2) }
  const colorful = (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb"
  return {
    out: out.write,
    err: err.write,
    outClosed: out.closed,
    isTty,
    color: { out: isTty.out && colorful, err: isTty.err && colorful },
    columns: () => out.open().columns ?? err.open().columns ?? 100,
    input: () => process.stdin,
    output: out.open
  }
}

/** Most that is read from stdin. */
const inputLimit = 16 * 1024 * 1024

/** All of stdin as text. */
export const readAll = (terminal: Terminal): Effect.Effect<string, CliError> =>
  Effect.callback<string, CliError>((resume) => {
    const input = terminal.input()
    const chunks: Array<Buffer> = []
    let bytes = 0
    const stop = (result: Effect.Effect<string, CliError>) => {
      input.off("data", onData)
      input.off("end", onEnd)
      input.off("error", onError)
      input.pause()
      resume(result)
    }
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > inputLimit) stop(Effect.fail(usage(`stdin holds more than ${inputLimit} bytes`)))
    }
    const onEnd = () => stop(Effect.succeed(Buffer.concat(chunks).toString("utf8")))
    const onError = (cause: Error) =>
      stop(Effect.fail(new CliError({ exitCode: 1, message: `stdin cannot be read: ${cause.message}` })))
    input.on("data", onData)
    input.on("end", onEnd)
    input.on("error", onError)
    return Effect.sync(() => stop(Effect.succeed("")))
  })
