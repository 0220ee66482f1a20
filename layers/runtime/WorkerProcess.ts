/**
 * One question to a program of our own that looks at hostile input, in a process that is started for it and ended with
 * it: within a time, a memory and a length of the answer. The input is its standard input; it is told no path.
 *
 * A thread would not do. V8 ends the whole process when a thread's heap is full at a bad moment, whatever limit the
 * thread was given: a page could end the pod, and all pods beside it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as NFS from "node:fs"
import { fileURLToPath } from "node:url"
import { Launcher, type LaunchError, type ProcessExit } from "../../src/runtime/Launcher.ts"

/** `Failed`: it ended without an answer. */
export class WorkerError extends Schema.TaggedError<WorkerError>()("WorkerError", {
  reason: Schema.Literals(["TooSlow", "TooLarge", "Failed"]),
  message: Schema.String
}) {}

export interface WorkerOptions {
  /** What is looked at, for messages: "the page". */
  readonly subject: string
  /** The program, beside whoever starts it. */
  readonly file: URL
  readonly timeout: Duration.Input
  /** For the objects that it makes, in MiB. */
  readonly heap: number
  /**
   * For all that it makes, in MiB: V8 counts no bytes that are kept outside of its heap, the kernel does. Default: only
   * the heap is limited. Systems other than Linux know of no such limit.
   */
  readonly memory?: number
  /** Bytes. */
  readonly maxAnswer: number
  /** So many at one time; others wait. */
  readonly atOnce: number
}

/** What it is asked, and its answer, both in a form of its own. */
export type Ask = (question: string | Uint8Array) => Effect.Effect<string, WorkerError>

/** What a process ends with that gets no more memory: V8 aborts or traps, the rest of it may fall over. */
const memorySignals = new Set(["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", "SIGBUS"])

/**
 * What Node holds ready for compiled code, in bytes. Node 26 maps all of it at once, 510 MiB, so that the kernel counts
 * it whether it is used or not. The process that asks runs on the same Node, and has the same of it.
 */
const codeRange = (): number => {
  try {
    const maps = NFS.readFileSync("/proc/self/maps", "latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+) rwxp /gm)
    return Array.from(maps).reduce((sum, [, from, to]) => sum + Number(`0x${to}`) - Number(`0x${from}`), 0)
  } catch {
    return 0
  }
}

/** A shell that takes limits upon itself and becomes the program. */
const limited = 'ulimit -c 0; [ "$1" = 0 ] || ulimit -d "$1"; shift; exec "$@"'

export const make = Effect.fnUntraced(function* (options: WorkerOptions): Effect.fn.Return<Ask, never, Launcher> {
  const { file, heap, maxAnswer, memory = 0, subject, timeout } = options
  const launcher = yield* Launcher
  const program = fileURLToPath(file)
  // What it has to say is its answer; warnings of libraries are nobody's.
  const flags = ["--no-warnings", `--max-old-space-size=${heap}`, "--stack-size=3900"]
  const turns = yield* Semaphore.make(options.atOnce)

  const failed = (why: string): WorkerError =>
    new WorkerError({ reason: "Failed", message: `${subject} cannot be read: ${why}` })
  const tooLarge = (what: string): WorkerError =>
    new WorkerError({ reason: "TooLarge", message: `${subject} ${what} than it may have` })
  const unstarted = (error: LaunchError): WorkerError => failed(error.message)

  const ofExit = (exit: ProcessExit): WorkerError => {
    if (exit._tag === "Code") return failed("its reader gave no answer")
    return memorySignals.has(exit.signal)
      ? tooLarge("needs more memory")
      : failed(`its reader was ended by ${exit.signal}`)
  }

  /** Everything that is written, unless that is too much. */
  const collect = Effect.fnUntraced(function* (output: Stream.Stream<Uint8Array>) {
    const chunks: Array<Uint8Array> = []
    let length = 0
    yield* Stream.runForEachWhile(output, (chunk) =>
      Effect.sync(() => {
        chunks.push(chunk)
        length += chunk.length
        return length <= maxAnswer
      })
    )
    return length <= maxAnswer ? new TextDecoder().decode(Buffer.concat(chunks)) : yield* tooLarge("has more text")
  })

  const ask = Effect.fnUntraced(function* (question: string | Uint8Array) {
    const bound = memory === 0 ? 0 : memory * 1024 + Math.ceil(codeRange() / 1024)
    const running = yield* Effect.mapError(
      launcher.start({
        command: "/bin/sh",
        args: ["-c", limited, "effect-pod-worker", String(bound), process.execPath, ...flags, program],
        cwd: yield* Effect.mapError(launcher.directory, unstarted),
        env: {},
        input: question,
        stderr: "none"
      }),
      unstarted
    )
    const text = yield* collect(running.output)
    const exit = yield* running.exit
    return exit._tag === "Code" && exit.code === 0 ? text : yield* ofExit(exit)
  })

  return (question) =>
    Effect.scoped(ask(question)).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(
            new WorkerError({
              reason: "TooSlow",
              message: `${subject} was not read within ${Duration.format(Duration.fromInputUnsafe(timeout))}`
            })
          )
      }),
      turns.withPermits(1)
    )
})
