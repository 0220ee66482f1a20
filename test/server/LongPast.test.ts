/** The lines that carry the log of a pod which goes on behind a long past. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as SocketServer from "../../layers/runtime/SocketServer.ts"
import { forked, past } from "../support/longPast.ts"
import { back, entriesOf, say } from "../support/talk.ts"
import { connect, connectNative, type Loose, tempDir } from "./support.ts"

const historyOf = (entry: Loose): Loose => entry.history

describe("a pod with a long past, on a socket", () => {
  it.live("snapshots, pages of the log, and the events that carry it hold all of it", () =>
    Effect.gen(function* () {
      const copy = yield* forked
      yield* say(copy, "two")
      yield* say(copy, "three")
      const path = join(yield* tempDir, "sock")
      yield* SocketServer.listen(copy.handle, { path })
      const log = yield* entriesOf(copy.handle)

      const seed = yield* connect(path)
      const [snapshot] = (yield* seed.until("snapshot")).slice(-1)
      assert.deepStrictEqual(snapshot!.data.entries, log)
      assert.deepStrictEqual(historyOf(snapshot!.data.entries[0]), past)
      const client = yield* connectNative(path)
      assert.deepStrictEqual(client.first.data.entries, log)
      assert.strictEqual(client.first.data.total, log.length)

      yield* client.send({ method: "read_entries", id: "e", params: { from: 0, limit: 2 } })
      yield* client.send({ method: "read_entries", id: "f", params: { from: 1, limit: 1_000 } })
      assert.deepStrictEqual((yield* client.line).data, {
        reply_to: "e",
        ok: true,
        result: { from: 0, entries: log.slice(0, 2), total: log.length }
      })
      assert.deepStrictEqual((yield* client.line).data.result.entries, log.slice(1))

      yield* back(copy.handle, "three")
      const left = yield* entriesOf(copy.handle)
      for (const each of [client, seed]) {
        const [applied] = (yield* each.until("rewind_applied")).slice(-1)
        assert.deepStrictEqual(applied!.data.entries, left)
        assert.deepStrictEqual(applied!.data.input, [{ kind: "text", content: "three" }])
      }

      const ref = { ...copy.ref, segmentId: (yield* copy.handle.segmentId) ?? "" }
      copy.memory.write(ref, new TextEncoder().encode("\n"))
      yield* say(copy, "four")
      for (const each of [client, seed]) {
        const [rotated] = (yield* each.until("segment_rotated")).slice(-1)
        assert.deepStrictEqual(historyOf(rotated!.data.entry).slice(0, -2), past)
        assert.deepStrictEqual(rotated!.data.entry, (yield* entriesOf(copy.handle))[0])
      }
    })
  )
})
