/**
 * The user's side of `attach`: lines typed, text shown, a prompt that keeps out of the way.
 *
 * On a terminal, output goes above what is being typed. While the user types, output waits for whole lines, so that it
 * never cuts into the input. Without a terminal, lines are read as they come and nothing but the output is written.
 */
import { createInterface, type Interface } from "node:readline"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Terminal } from "./Terminal.ts"

export interface Screen {
  /** Lines that the user has entered; ends with the input. */
  readonly lines: Queue.Dequeue<string, Cause.Done>
  /** Ctrl-C on a terminal that hands it to us instead of the system. */
  readonly interrupts: Queue.Dequeue<void>
  readonly write: (text: string) => Effect.Effect<void>
}

export interface Options {
  readonly prompt: string
  /** The user began to type in the middle of a line that was being written: the rest of it comes on a new one. */
  readonly onBreak: () => void
}

/** Lines that wait to be sent. A pipe that is faster than the pod is held back by it. */
const bound = 256

const piped = Effect.fnUntraced(function* (terminal: Terminal): Effect.fn.Return<Screen, never, Scope.Scope> {
  const lines = yield* Queue.bounded<string, Cause.Done>(bound)
  const reader = yield* Effect.acquireRelease(
    Effect.sync(() => createInterface({ input: terminal.input(), crlfDelay: Number.POSITIVE_INFINITY })),
    (rl) => Effect.sync(() => rl.close())
  )
  const next = reader[Symbol.asyncIterator]()
  yield* Effect.forkScoped(
    Effect.gen(function* () {
      while (true) {
        const line = yield* Effect.promise(() => next.next())
        if (line.done === true) return yield* Queue.end(lines)
        yield* Queue.offer(lines, line.value)
      }
    })
  )
  return { lines, interrupts: yield* Queue.bounded<void>(1), write: terminal.out }
})

class Prompt {
  private readonly reader: Interface
  private readonly output: NodeJS.WritableStream
  /** The prompt is on the screen, and the cursor is in it. */
  private shown = false
  /** Something was written whose line is not ended. */
  private midLine = false
  private held = ""

  private readonly onBreak: () => void

  constructor(reader: Interface, output: NodeJS.WritableStream, onBreak: () => void) {
    this.reader = reader
    this.output = output
    this.onBreak = onBreak
  }

  show(): void {
    this.reader.prompt(true)
    this.shown = true
  }

  /** The user has ended a line: the cursor is at the start of the next one. */
  entered(): void {
    this.shown = false
    this.flush()
  }

  /** Before the first key of an input is handled. */
  typing(): void {
    if (this.shown) return
    if (this.midLine) {
      this.output.write("\n")
      this.midLine = false
      this.onBreak()
    }
    this.show()
  }

  write(text: string): void {
    if (text === "" && this.held === "" && (this.shown || this.midLine)) return
    if (this.reader.line !== "") {
      this.held += text
      const end = this.held.lastIndexOf("\n") + 1
      if (end > 0) {
        const whole = this.held.slice(0, end)
        this.held = this.held.slice(end)
        this.erase()
        this.output.write(whole)
        this.show()
      }
      return
    }
    this.erase()
    this.put(this.held + text)
    this.held = ""
    if (!this.midLine) this.show()
  }

  private put(text: string): void {
    if (text === "") return
    this.output.write(text)
    this.midLine = !text.endsWith("\n")
  }

  private flush(): void {
    this.put(this.held)
    this.held = ""
  }

  private erase(): void {
    if (this.shown) this.output.write("\r\u001b[J")
    this.shown = false
  }
}

const interactive = Effect.fnUntraced(function* (
  terminal: Terminal,
  options: Options
): Effect.fn.Return<Screen, never, Scope.Scope> {
  const lines = yield* Queue.bounded<string, Cause.Done>(bound)
  const interrupts = yield* Queue.sliding<void>(4)
  const input = terminal.input()
  const output = terminal.output()
  const reader = yield* Effect.acquireRelease(
    Effect.sync(() => createInterface({ input, output, terminal: true, prompt: options.prompt, historySize: 200 })),
    (rl) => Effect.sync(() => rl.close())
  )
  const screen = new Prompt(reader, output, options.onBreak)
  const typing = () => screen.typing()
  // Readline's own listener is there already; ours has to see the key first.
  input.prependListener("keypress", typing)
  yield* Effect.addFinalizer(() => Effect.sync(() => input.off("keypress", typing)))
  reader.on("line", (line) => {
    screen.entered()
    Queue.offerUnsafe(lines, line)
    screen.write("")
  })
  reader.on("SIGINT", () => Queue.offerUnsafe(interrupts, undefined))
  reader.on("close", () => Queue.endUnsafe(lines))
  screen.show()
  return { lines, interrupts, write: (text) => Effect.sync(() => screen.write(text)) }
})

export const open = (terminal: Terminal, options: Options): Effect.Effect<Screen, never, Scope.Scope> =>
  terminal.isTty.in && terminal.isTty.out ? interactive(terminal, options) : piped(terminal)
