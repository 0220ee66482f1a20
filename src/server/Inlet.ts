/**
 * Reads one client: bytes to lines, lines to methods, methods to whoever carries them out, in the order of the lines.
 * A line that is no method is answered, and the next one is read. Ends when the client has ended its side and every
 * line before that has been dealt with.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { PodHandle } from "../pod/PodHandle.ts"
import * as Lines from "../protocol/Lines.ts"
import type { Hello, Method } from "../protocol/Method.ts"
import { decodeMethod } from "../protocol/Wire.ts"
import { type Answers, refusal, reply } from "./Answers.ts"
import type { Outbox } from "./Outbox.ts"
import type { Transport } from "./Transport.ts"

export interface InletOptions {
  readonly handle: PodHandle
  readonly transport: Transport
  readonly outbox: Outbox
  readonly answers: Answers
  readonly maxLineBytes: number
  /** Makes the connection native; answers the `hello`. */
  readonly hello: (hello: Hello) => Effect.Effect<void>
  /** Who the client says it is. */
  readonly from: () => string
}

/** What `hello` may ask for. The seed protocol, 1, is what a connection speaks without it. */
const helloProtocol = 2

export const run = Effect.fnUntraced(function* (options: InletOptions) {
  const { answers, handle, outbox, transport } = options
  const decoder = Lines.make({ maxBytes: options.maxLineBytes })

  const refuse = (message: string, id?: string) => Effect.sync(() => outbox.answer(refusal(message, id)))

  const perform = (method: Method): Effect.Effect<void> => {
    switch (method.method) {
      case "hello":
        return method.params.protocol === helloProtocol
          ? options.hello(method)
          : refuse(
              `protocol ${method.params.protocol} is not supported: hello takes ${helloProtocol}, ` +
                "and protocol 1 is spoken without hello",
              method.id
            )
      case "list_completions":
      case "read_entries":
      case "attach_status":
        return Effect.sync(() => answers.add(method))
      default: {
        const { id } = method
        return id === undefined
          ? Effect.andThen(
              handle.submit(method, undefined, options.from()),
              Effect.sync(() => outbox.settle())
            )
          : // Put into the outbox at once: the event that records what was accepted is moved there later.
            handle.submit(method, (answer) => outbox.answer(reply(id, answer)), options.from())
      }
    }
  }

  const take = (line: Lines.Line): Effect.Effect<void> => {
    switch (line._tag) {
      case "Text": {
        const decoded = decodeMethod(line.text)
        return Result.isSuccess(decoded)
          ? perform(decoded.success)
          : refuse(decoded.failure.message, decoded.failure.id)
      }
      case "TooLong":
        return refuse(`invalid method: the line is longer than ${line.bytes} bytes`)
      case "BadUtf8":
        return refuse("invalid method: the line is not UTF-8")
    }
  }

  while (true) {
    const chunk = yield* transport.read
    for (const line of chunk === null ? decoder.end() : decoder.push(chunk)) {
      yield* outbox.begin
      yield* take(line)
    }
    if (chunk === null) return yield* outbox.settled
  }
})
