/** `PageReader` on Readability and Turndown, in a process of its own for each page. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Launcher } from "../../src/runtime/Launcher.ts"
import { PageError, PageReader } from "../../src/runtime/PageReader.ts"
import * as WorkerProcess from "../runtime/WorkerProcess.ts"

export interface PageReaderOptions {
  /** For one page. Default 5 seconds. */
  readonly timeout?: Duration.Input
  /** Memory for what the process makes of the page, in MiB. Default 256. */
  readonly memory?: number
}

/** A short link in a page with a long address is a long link: text can become much more than it was. */
const maxAnswer = 16 * 1024 * 1024

const atOnce = 4

const Answer = Schema.Struct({ title: Schema.optionalKey(Schema.String), markdown: Schema.String })
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

const unreadable = ({ message }: { readonly message: string }): PageError =>
  new PageError({ reason: "Unreadable", message: `the page cannot be read: ${message}` })

const ofWorker = ({ message, reason }: WorkerProcess.WorkerError): PageError =>
  new PageError({ reason: reason === "Failed" ? "Unreadable" : reason, message })

export const layer = ({
  memory = 256,
  timeout = "5 seconds"
}: PageReaderOptions = {}): Layer.Layer<PageReader, never, Launcher> =>
  Layer.effect(
    PageReader,
    Effect.gen(function* () {
      const file = new URL("./PageWorker.mjs", import.meta.url)
      const ask = yield* WorkerProcess.make({ subject: "the page", file, timeout, heap: memory, maxAnswer, atOnce })
      return PageReader.of({
        read: Effect.fn("PageReader.read")(function* (html, url) {
          const text = yield* Effect.mapError(ask(JSON.stringify({ html, url })), ofWorker)
          const { markdown, title } = yield* Effect.mapError(decode(text), unreadable)
          return { title, markdown }
        })
      })
    })
  )
