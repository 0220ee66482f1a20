/**
 * `PageReader` on Readability and Turndown, in a thread of its own for each page: a page that is made to keep them busy
 * is ended with its thread, and takes no more memory than that may have.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Worker } from "node:worker_threads"
import { PageError, PageReader, type ReadablePage } from "../../src/runtime/PageReader.ts"

export interface PageReaderOptions {
  /** For one page. Default 5 seconds. */
  readonly timeout?: Duration.Input
  /** Memory of the thread in MiB. Default 256. */
  readonly memory?: number
}

const failure = (cause: unknown): PageError => {
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown }
  return code === "ERR_WORKER_OUT_OF_MEMORY"
    ? new PageError({ reason: "TooLarge", message: "the page needs more memory than a page may have" })
    : new PageError({ reason: "Unreadable", message: `the page cannot be read: ${String(message)}` })
}

export const layer = (options: PageReaderOptions = {}): Layer.Layer<PageReader> => {
  const { memory = 256, timeout = "5 seconds" } = options

  const read = (html: string, url: string): Effect.Effect<ReadablePage, PageError> =>
    Effect.promise(() => import("node:worker_threads")).pipe(
      Effect.flatMap((threads) =>
        Effect.callback<ReadablePage, PageError>((resume) => {
          const thread: Worker = new threads.Worker(new URL("./PageWorker.mjs", import.meta.url), {
            workerData: { html, url },
            env: {},
            execArgv: [],
            // What it has to say comes as a message; warnings of libraries are nobody's.
            stderr: true,
            stdout: true,
            resourceLimits: { maxOldGenerationSizeMb: memory, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 }
          })
          thread.once("message", (page: ReadablePage) => resume(Effect.succeed(page)))
          thread.once("error", (cause) => resume(Effect.fail(failure(cause))))
          thread.once("exit", () => resume(Effect.fail(failure({ message: "it ended without an answer" }))))
          return Effect.promise(() => thread.terminate())
        })
      ),
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

  return Layer.succeed(PageReader, { read })
}
