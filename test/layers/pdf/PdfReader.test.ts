/** The reader of PDF documents as it runs: in its own process, over documents that mean no good. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { deflateSync } from "node:zlib"
import * as PdfReaderLive from "../../../layers/pdf/PdfReader.ts"
import * as LauncherLive from "../../../layers/runtime/Launcher.ts"
import { Launcher, type LaunchSpec } from "../../../src/runtime/Launcher.ts"
import { PdfReader } from "../../../src/runtime/PdfReader.ts"
import { changed, numbered, pdf } from "../../support/pdf.ts"

const anHour = { timeout: "1 hour" } as const

const reading = Effect.fnUntraced(function* (options: PdfReaderLive.PdfReaderOptions = anHour) {
  const services = yield* Layer.build(Layer.provide(PdfReaderLive.layer(options), LauncherLive.layer))
  return Context.get(services, PdfReader)
})

const texts = (reader: PdfReader["Service"], document: Uint8Array, pages = [1, 2, 3], max = 10_000) =>
  Effect.map(reader.text(document, pages, max), (found) => found.pages.map(({ text }) => text))

const refusal = <A, R>(effect: Effect.Effect<A, { readonly reason: string; readonly message: string }, R>) =>
  Effect.map(Effect.flip(effect), ({ message, reason }) => `${reason}: ${message}`)

describe("a document", () => {
  it.effect("has its pages counted, cut out and read, in any number of them", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const document = pdf(numbered(30))
      assert.deepStrictEqual(yield* reader.look(document), { total: 30, encrypted: false })
      const part = yield* reader.cut(document, [2, 4, 30, 31], 1_000_000)
      assert.deepStrictEqual([part.total, part.pages], [30, [2, 4, 30]])
      const cut = Buffer.from(part.data, "base64")
      assert.deepStrictEqual(yield* reader.look(cut), { total: 3, encrypted: false })
      assert.deepStrictEqual(yield* texts(reader, cut), ["Page 2", "Page 4", "Page 30"])
    })
  )

  it.effect("is cut to as many of the first pages as fit, and to none where not one does", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const document = pdf(numbered(8), { ballast: 20_000 })
      const part = yield* reader.cut(document, [1, 2, 3, 4, 5, 6, 7, 8], 70_000)
      assert.deepStrictEqual(part.pages, [1, 2, 3])
      assert.isAtMost(Buffer.from(part.data, "base64").length, 70_000)
      assert.deepInclude(yield* reader.cut(document, [1, 2], 10_000), { pages: [], data: "", total: 8 })
    })
  )

  it.effect("gives its text up to a length, and lines as lines", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const document = pdf(["first\nsecond", "", "x".repeat(30)])
      assert.deepStrictEqual(yield* texts(reader, document), ["first\nsecond", "", "x".repeat(30)])
      assert.deepStrictEqual(yield* texts(reader, document, [1, 2, 3], 5), ["first"])
      const { pages } = yield* reader.text(document, [3], 5)
      assert.deepStrictEqual(pages, [{ page: 3, text: "xxxxx", length: 30, whole: true }])
    })
  )

  it.effect("that is encrypted opens without a password where it needs none, and says so where it does", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const open = pdf(["hidden"], { encrypted: { user: "", owner: "boss" } })
      assert.deepStrictEqual(yield* reader.look(open), { total: 1, encrypted: true })
      assert.deepStrictEqual(yield* texts(reader, open), ["hidden"])
      const shut = pdf(["hidden"], { encrypted: { user: "open sesame", owner: "boss" } })
      for (const asked of [reader.look(shut), reader.cut(shut, [1], 1000), reader.text(shut, [1], 1000)]) {
        assert.strictEqual(yield* refusal(asked), "Locked: it can be opened with a password only")
      }
    })
  )
})

describe("a document that means no good", () => {
  it.effect("is read as far as there is something to read, and refused where there is not", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const good = pdf(["one", "two", "three"])
      const readable: Readonly<Record<string, Uint8Array>> = {
        "a cross-reference table somewhere else": changed(good, /startxref\n\d+/, "startxref\n5"),
        "a number of pages that is a lie": pdf(["one", "two", "three"], { count: 2_000_000_000 }),
        "no end": good.subarray(0, good.length - 6),
        "a script and a file inside": pdf(["one", "two", "three"], {
          catalog:
            "/OpenAction << /S /JavaScript /JS (while\\(true\\){}) >> /Names << /EmbeddedFiles << /Names [(a) << /Type " +
            "/Filespec /F (a.txt) >>] >> /JavaScript << /Names [(b) << /S /JavaScript /JS (process.exit\\(\\)) >>] >> >>"
        })
      }
      for (const [name, document] of Object.entries(readable)) {
        assert.deepStrictEqual(yield* texts(reader, document), ["one", "two", "three"], name)
      }
      const broken: Readonly<Record<string, Uint8Array>> = {
        "text with its beginning": Buffer.from("%PDF-1.7\nhello there\n"),
        "its beginning alone": Buffer.from("%PDF-"),
        "cut in the middle": good.subarray(0, good.length / 3),
        "no pages": changed(good, "/Type /Catalog /Pages 2 0 R", "/Type /Catalog /Pages 9 9 R")
      }
      for (const [name, document] of Object.entries(broken)) {
        assert.match(yield* refusal(reader.look(document)), /^Broken: it cannot be read as a PDF document \(/, name)
      }
    })
  )

  it.effect("does not go round in its own pages", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const loop = changed(pdf(["one"]), /\/Kids \[[^\]]*\]/, "/Kids [2 0 R]")
      const answers = yield* Effect.all([Effect.exit(reader.look(loop)), Effect.exit(reader.text(loop, [1], 100))])
      for (const exit of answers) {
        if (exit._tag === "Success") assert.isAtMost(exit.value.total, 1)
      }
      assert.match(yield* refusal(reader.cut(loop, [1], 1000)), /^Broken: /)
    })
  )

  it.effect("has a hundred thousand pages", () =>
    Effect.gen(function* () {
      const reader = yield* reading()
      const document = pdf([...Array.from({ length: 99_999 }, () => ""), "the last"])
      assert.deepStrictEqual(yield* texts(reader, document, [100_000]), ["the last"])
    })
  )

  it.effect("does not get more memory than it may have", () =>
    Effect.gen(function* () {
      const reader = yield* reading({ ...anHour, memory: 320 })
      const bomb = deflateSync(Buffer.alloc(256 * 1024 * 1024, " "))
      const document = pdf([bomb], { filter: "/Filter /FlateDecode" })
      assert.isBelow(document.length, 500_000)
      assert.strictEqual((yield* reader.look(document)).total, 1)
      assert.match(
        yield* refusal(reader.text(document, [1], 1000)),
        /^TooLarge: the document needs more memory than it may have/
      )
    })
  )

  it.effect("does not get more time than it may have, nor keeps what it runs in", () =>
    Effect.gen(function* () {
      const { document, pids, reader } = yield* endless
      const { text } = yield* reader({ timeout: "1 second" })
      const error = yield* refusal(TestClock.withLive(text(document, [1], 1000)))
      assert.strictEqual(error, "TooSlow: the document was not read within 1s")
      assert.throws(() => process.kill(pids[0] ?? 0, 0), /ESRCH/)
    })
  )

  it.effect("is left when nobody waits for it any more, with no process behind", () =>
    Effect.gen(function* () {
      const { document, pids, reader, specs, started } = yield* endless
      const { text } = yield* reader(anHour)
      const fiber = yield* Effect.forkChild(text(document, [1], 1000))
      const pid = yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.throws(() => process.kill(pid, 0), /ESRCH/)
      assert.strictEqual(pids.length, 1)
      // Nothing of what is asked stands where other processes can see it.
      assert.notInclude(JSON.stringify(specs.map(({ args, env }) => [args, env])), "%PDF")
      assert.deepStrictEqual(
        specs.map(({ env }) => env),
        [{}]
      )
    })
  )
})

describe("many documents", () => {
  it.effect("are read two at a time", () =>
    Effect.gen(function* () {
      const { document, pids, reader, specs } = yield* endless
      const { look, text } = yield* reader(anHour)
      const first = yield* Effect.forkChild(text(document, [1], 1000), { startImmediately: true })
      yield* Effect.forkChild(text(document, [1], 1000), { startImmediately: true })
      const third = yield* Effect.forkChild(look(pdf(["one"])), { startImmediately: true })
      while (pids.length < 2) yield* Effect.yieldNow
      assert.strictEqual(specs.length, 2)
      yield* Fiber.interrupt(first)
      assert.strictEqual((yield* Fiber.join(third)).total, 1)
      assert.strictEqual(specs.length, 3)
    })
  )
})

/** A page that takes very long, and every process that is started for it. */
const endless = Effect.gen(function* () {
  const real = Context.get(yield* Layer.build(LauncherLive.layer), Launcher)
  const started = yield* Deferred.make<number>()
  const pids: Array<number> = []
  const specs: Array<LaunchSpec> = []
  const watched: Launcher["Service"] = {
    ...real,
    start: (spec) => {
      specs.push(spec)
      return Effect.tap(real.start(spec), ({ pid }) => {
        pids.push(pid)
        return Deferred.succeed(started, pid)
      })
    }
  }
  const reader = (options: PdfReaderLive.PdfReaderOptions) =>
    Effect.map(Layer.build(Layer.provide(PdfReaderLive.layer(options), Layer.succeed(Launcher, watched))), (services) =>
      Context.get(services, PdfReader)
    )
  const page = Buffer.from("BT /F1 1 Tf (a) Tj ET ".repeat(3_000_000))
  return { document: pdf([deflateSync(page)], { filter: "/Filter /FlateDecode" }), pids, reader, specs, started }
})
