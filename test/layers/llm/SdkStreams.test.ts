/**
 * What the vendors' own SDKs read from an answer, beside what we read from it: the same server, the same bytes.
 *
 * It also shows that the server of the tests speaks as the SDKs expect of the real ones.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { say, VendorServer } from "../../support/VendorServer.ts"
import { names, ourEvents, ourRead, readers } from "./vendor/SdkReaders.ts"

describe.each(names)("an answer in %s", (name) => {
  it.effect("is to the vendor's SDK what it is to us", () =>
    Effect.gen(function* () {
      const server = yield* VendorServer.scoped
      const reply = say([
        { thinking: "Two " },
        { thinking: "files." },
        { signature: "U0lHTg==" },
        { text: "Grüße, " },
        { ping: true },
        { text: "世界 🎉" },
        { tool: "Read", id: "call_a", args: { path: "/ü", n: [1, null] }, pieces: 5 },
        { tool: "Read", id: "call_b", args: {} },
        { tool: "Grep", id: "call_c", args: { pattern: '"\n' } }
      ])
      server.reply(reply, reply)
      const theirs = yield* Effect.promise(() => readers[name].read(server))
      const ours = ourRead(yield* ourEvents(name, server))
      assert.deepStrictEqual(ours, { ...theirs, thinking: theirs.thinking ?? "Two files." })
      assert.strictEqual(ours.text, "Grüße, 世界 🎉")
      assert.lengthOf(ours.calls, 3)
    })
  )
})
