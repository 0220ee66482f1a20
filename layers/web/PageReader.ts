/**
 * `PageReader` on Readability and Turndown, in a process of its own for each page: a page that is made to keep them busy
 * is ended with its process, and takes no more memory than that may have.
 *
 * A thread would not do. V8 ends the whole process when a thread's heap is full at a bad moment, whatever limit the
 * thread was given: a page could end the pod, and all pods beside it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as NFS from "node:fs/promises"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { Launcher, type ProcessExit } from "../../src/runtime/Launcher.ts"
import { PageError, PageReader, type ReadablePage } from "../../src/runtime/PageReader.ts"

export interface PageReaderOptions {
  /** For one page. Default 5 seconds. */
  readonly timeout?: Duration.Input
  /** Memory for what the process makes of the page, in MiB. Default 256. */
  readonly memory?: number
}

/** A short link in a page with a long address is a long link: text can become much more than it was. */
const maxAnswerBytes = 16 * 1024 * 1024

const Answer = Schema.Struct({ title: Schema.optionalKey(Schema.String), markdown: Schema.String })
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

const unreadable = (cause: unknown): PageError =>
  new PageError({
    reason: "Unreadable",
    message: `the page cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  })

const tooLarge = (what: string): PageError =>
  new PageError({ reason: "TooLarge", message: `${what} than a page may have` })

/** V8 aborts when there is no memory left. */
const ofExit = (exit: ProcessExit): PageError =>
  exit._tag === "Signal" && exit.signal === "SIGABRT"
    ? tooLarge("the page needs more memory")
    : unreadable(exit._tag === "Signal" ? `its reader was ended by ${exit.signal}` : "its reader gave no answer")

/** Everything that is written, unless that is too much. */
const collect = Effect.fnUntraced(function* (output: Stream.Stream<Uint8Array>) {
  const chunks: Array<Uint8Array> = []
  let length = 0
  yield* Stream.runForEachWhile(output, (chunk) =>
    Effect.sync(() => {
      chunks.push(chunk)
      length += chunk.length
      return length <= maxAnswerBytes
    })
  )
  return length <= maxAnswerBytes
    ? new TextDecoder().decode(Buffer.concat(chunks))
    : yield* tooLarge("the page has more text")
})

/** A directory of its own below the launcher's, gone with the Scope. */
const placeIn = (directory: string): Effect.Effect<string, PageError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: () => NFS.mkdtemp(Path.join(directory, "page-")), catch: unreadable }),
    (place) => Effect.ignore(Effect.tryPromise(() => NFS.rm(place, { recursive: true, force: true })))
  )

export const layer = (options: PageReaderOptions = {}): Layer.Layer<PageReader, never, Launcher> => {
  const { memory = 256, timeout = "5 seconds" } = options

  const make = (launcher: Launcher["Service"]) => {
    const read = Effect.fnUntraced(function* (
      html: string,
      url: string
    ): Effect.fn.Return<ReadablePage, PageError, Scope.Scope> {
      const place = yield* placeIn(yield* Effect.mapError(launcher.directory, unreadable))
      const page = Path.join(place, "page.json")
      yield* Effect.tryPromise({
        try: (signal) => NFS.writeFile(page, JSON.stringify({ html, url }), { mode: 0o600, flag: "wx", signal }),
        catch: unreadable
      })
      const worker = fileURLToPath(new URL("./PageWorker.mjs", import.meta.url))
      const running = yield* Effect.mapError(
        launcher.start({
          command: process.execPath,
          // What it has to say is its answer; warnings of libraries are nobody's.
          args: ["--no-warnings", `--max-old-space-size=${memory}`, "--stack-size=3900", worker, page],
          cwd: place,
          env: {}
        }),
        unreadable
      )
      const text = yield* collect(running.output)
      const exit = yield* running.exit
      if (exit._tag === "Signal" || exit.code !== 0) return yield* ofExit(exit)
      const { markdown, title } = yield* Effect.mapError(decode(text), unreadable)
      return { title, markdown }
    })

    return PageReader.of({
      read: (html, url) =>
        Effect.scoped(read(html, url)).pipe(
          Effect.timeoutOrElse({
            duration: timeout,
            orElse: () =>
              Effect.fail(
                new PageError({
                  reason: "TooSlow",
                  message: `the page was not read within ${Duration.format(Duration.fromInputUnsafe(timeout))}`
                })
              )
          }),
          Effect.withSpan("PageReader.read")
        )
    })
  }

  return Layer.effect(PageReader, Effect.map(Launcher, make))
}
