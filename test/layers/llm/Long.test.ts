/** 50 MB of text in one answer: read by us and by the vendor's own SDK, compared, in memory that does not grow with it. */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { defaultLimits } from "../../../src/llm/Limits.ts"
import { patient } from "../../../src/llm/Patience.ts"
import { request } from "../../llm/fakeClient.ts"
import { say, VendorServer } from "../../support/VendorServer.ts"
import { clientFor, names, texts } from "./vendor/SdkReaders.ts"

const megabyte = 1_000_000
const total = 50 * megabyte

/** Bytes of all lengths, and no two neighbours alike, so that a lost, doubled or swapped piece shows. */
const pieces = Array.from({ length: 7 }, (_, n) => `${n} wörds, 世界 and "🎉"\n`.repeat(90 + 31 * n))

const answer = say(
  Array.from({ length: Math.ceil((total * pieces.length) / Buffer.byteLength(pieces.join(""))) }, (_, n) => ({
    text: pieces[n % pieces.length] ?? ""
  }))
)

setFlagsFromString("--expose_gc")
const collectGarbage = runInNewContext("gc") as () => void

/** Bytes that live, at each fifth megabyte. */
const weigh = () => {
  let read = 0
  let next = 5 * megabyte
  const hash = createHash("sha256")
  const weights: Array<number> = []
  return {
    take: (text: string) => {
      hash.update(text)
      read += Buffer.byteLength(text)
      if (read < next) return
      next += 5 * megabyte
      collectGarbage()
      weights.push(process.memoryUsage().heapUsed)
    },
    result: () => ({ read, digest: hash.digest("hex"), grown: Math.max(...weights) - Math.min(...weights) })
  }
}

describe.each(names)("50 MB of text in %s", (name) => {
  it.live(
    "are to us what they are to the vendor's SDK, and are not kept",
    () =>
      Effect.gen(function* () {
        const server = yield* VendorServer.scoped
        server.reply(answer, answer)
        const ours = weigh()
        const client = yield* clientFor(name, server)
        yield* patient(
          client,
          defaultLimits,
          () => Effect.void
        )(request).pipe(
          Stream.runForEach((event) => Effect.sync(() => (event.type === "delta" ? ours.take(event.text) : undefined)))
        )
        const theirs = weigh()
        yield* Effect.promise(async () => {
          for await (const text of texts[name](server)) theirs.take(text)
        })
        const [read, expected] = [ours.result(), theirs.result()]
        assert.isAtLeast(read.read, total)
        assert.deepStrictEqual([read.read, read.digest], [expected.read, expected.digest])
        // Responses says everything again at its end, to be compared, and the server of this test has it too.
        assert.isBelow(read.grown, (name === "openai_responses" ? 8 * 50 : 10) * megabyte)
      }).pipe(Effect.scoped),
    120_000
  )
})
