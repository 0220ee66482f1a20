/** `PdfReader` on pdf.js, in a process of its own for each question. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Launcher } from "../../src/runtime/Launcher.ts"
import { PdfError, PdfReader } from "../../src/runtime/PdfReader.ts"
import * as WorkerProcess from "../runtime/WorkerProcess.ts"

export interface PdfReaderOptions {
  /** For one question. Default 30 seconds. */
  readonly timeout?: Duration.Input
  /** Memory for what the process makes of the document, in MiB. Default 640; Node itself takes about 100 of it. */
  readonly memory?: number
}

/** A part in base64, or texts: whoever asks bounds both far below. */
const maxAnswer = 32 * 1024 * 1024

const atOnce = 2

const facts = { total: Schema.Int, encrypted: Schema.Boolean }
const Problem = Schema.Struct({ problem: Schema.Literals(["password", "broken"]), message: Schema.String })
const Facts = Schema.Struct(facts)
const Part = Schema.Struct({ ...facts, pages: Schema.Array(Schema.Int), data: Schema.String })
const Texts = Schema.Struct({
  ...facts,
  pages: Schema.Array(
    Schema.Struct({ page: Schema.Int, text: Schema.String, length: Schema.Int, whole: Schema.Boolean })
  )
})

const broken = (why: string): PdfError =>
  new PdfError({ reason: "Broken", message: `it cannot be read as a PDF document (${why})` })

const ofProblem = ({ message, problem }: typeof Problem.Type): PdfError =>
  problem === "password"
    ? new PdfError({ reason: "Locked", message: "it can be opened with a password only" })
    : broken(message.replace(/\s+/g, " ").slice(0, 200).toWellFormed())

const decoder = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Union([Problem, schema])))
  return Effect.fnUntraced(function* (answer: string): Effect.fn.Return<A, PdfError> {
    const told = yield* Effect.mapError(decode(answer), ({ message }) => new PdfError({ reason: "Failed", message }))
    return isProblem(told) ? yield* ofProblem(told) : told
  })
}
const isProblem = Schema.is(Problem)

const decode = { look: decoder(Facts), cut: decoder(Part), text: decoder(Texts) }

const question = (document: Uint8Array, asked: object): Uint8Array =>
  Buffer.concat([Buffer.from(`${JSON.stringify(asked)}\n`), document])

export const layer = ({
  memory = 640,
  timeout = "30 seconds"
}: PdfReaderOptions = {}): Layer.Layer<PdfReader, never, Launcher> =>
  Layer.effect(
    PdfReader,
    Effect.gen(function* () {
      const file = new URL("./PdfWorker.mjs", import.meta.url)
      const heap = Math.floor(memory / 2)
      const ask = yield* WorkerProcess.make({ subject: "the document", file, timeout, heap, memory, maxAnswer, atOnce })
      const about = (document: Uint8Array, asked: object): Effect.Effect<string, PdfError> =>
        Effect.mapError(ask(question(document, asked)), ({ message, reason }) => new PdfError({ message, reason }))
      return PdfReader.of({
        look: Effect.fn("PdfReader.look")((document) =>
          Effect.flatMap(about(document, { what: "look", pages: [] }), decode.look)
        ),
        cut: Effect.fn("PdfReader.cut")((document, pages, max) =>
          Effect.flatMap(about(document, { what: "cut", pages, max }), decode.cut)
        ),
        text: Effect.fn("PdfReader.text")((document, pages, max) =>
          Effect.flatMap(about(document, { what: "text", pages, max }), decode.text)
        )
      })
    })
  )
