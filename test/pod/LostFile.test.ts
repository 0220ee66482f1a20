/** A journal whose file somebody else has removed, replaced or cut off under the pod, on a real disk. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as JsonLinesStore from "../../layers/store/JsonLinesStore.ts"
import * as PodFiles from "../../layers/store/PodFiles.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { SegmentFile } from "../../src/session/SessionStore.ts"
import { tempDir } from "../layers/store/TempDir.ts"
import { open } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { back, entriesOf, inputs, say } from "../support/talk.ts"

/** A pod on files, as often as it is opened. */
const onDisk = Effect.gen(function* () {
  const root = yield* tempDir
  const sessionsDir = Path.join(root, "sessions")
  const stores = Layer.merge(
    JsonLinesStore.layer({ sessionsDir }),
    PodFiles.layer({ podsDir: Path.join(root, "pods") })
  )
  const start = (name = "bench", wrap = (file: SegmentFile) => file) => open(MemoryStore.make(), { stores, name, wrap })
  const pathOf = ({ journal, ref }: Effect.Success<ReturnType<typeof start>>) =>
    Path.join(sessionsDir, ref.sessionId, `${journal.segmentId()}.jsonl`)
  return { pathOf, sessionsDir, start }
})

const ways = {
  removed: (path: string) => Fs.rmSync(path),
  "moved away": (path: string) => Fs.renameSync(path, `${path}.away`),
  "replaced by a file of somebody else": (path: string) => {
    Fs.writeFileSync(`${path}.new`, `{"kind":"user_input","ts":1,"segments":[{"kind":"text","content":"foreign"}]}\n`)
    Fs.renameSync(`${path}.new`, path)
  },
  "replaced by a longer copy of itself": (path: string) => {
    const text = Fs.readFileSync(path, "utf8")
    const foreign = text.split("\n").find((line) => line.includes('"user_input"'))
    Fs.writeFileSync(`${path}.new`, `${text}${foreign}\n`)
    Fs.renameSync(`${path}.new`, path)
  },
  "removed with its whole session": (path: string) => Fs.rmSync(Path.dirname(path), { recursive: true })
}

describe("a journal whose file was", () => {
  for (const [what, lose] of Object.entries(ways)) {
    it.live(`${what}: the pod goes on behind all that was said, and so does a restart`, () =>
      Effect.gen(function* () {
        const { pathOf, start } = yield* onDisk
        const bench = yield* start()
        yield* say(bench, "one")
        yield* say(bench, "two")
        const first = pathOf(bench)
        lose(first)
        const theirs = Fs.existsSync(first) ? Fs.readFileSync(first, "utf8") : undefined
        const request = yield* say(bench, "three")
        expect(JSON.stringify(request)).not.toContain("foreign")
        expect(Fs.existsSync(first) ? Fs.readFileSync(first, "utf8") : undefined).toBe(theirs)
        const words = (yield* bench.handle.rewindTargets).targets.map(({ id, preview }) => [id, preview])
        expect(words.map(([, preview]) => preview)).toEqual(["three", "two", "one"])
        const { history } = yield* plain(bench.journal.state)
        const again = yield* start()
        expect((yield* plain(again.journal.state)).history).toEqual(history)
        expect((yield* again.handle.rewindTargets).targets.map(({ id, preview }) => [id, preview])).toEqual(words)
      }).pipe(Effect.scoped)
    )

    it.live(`${what}: it can be taken back and forward still`, () =>
      Effect.gen(function* () {
        const { pathOf, start } = yield* onDisk
        const bench = yield* start()
        yield* say(bench, "one")
        yield* say(bench, "two")
        const { history } = yield* plain(bench.journal.state)
        yield* back(bench.handle, "two")
        lose(pathOf(bench))
        yield* bench.handle.undoRewind
        expect((yield* plain(bench.journal.state)).history).toEqual(history)
        lose(pathOf(bench))
        yield* back(bench.handle, "one")
        const again = yield* start()
        yield* again.handle.undoRewind
        expect((yield* plain(again.journal.state)).history).toEqual(history)
      }).pipe(Effect.scoped)
    )

    it.live(`${what}: a fork has our lines, not what is there now`, () =>
      Effect.gen(function* () {
        const { pathOf, start } = yield* onDisk
        const bench = yield* start()
        yield* say(bench, "one")
        const { history } = yield* plain(bench.journal.state)
        lose(pathOf(bench))
        yield* bench.handle.fork("copy")
        const copy = yield* start("copy")
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
        expect(inputs(yield* entriesOf(copy.handle))).toEqual([])
      }).pipe(Effect.scoped)
    )
  }
})

describe("a journal whose file was cut off", () => {
  it.live("takes nothing more and says so, and a restart goes on from what is left", () =>
    Effect.gen(function* () {
      const { pathOf, start } = yield* onDisk
      const bench = yield* start()
      yield* say(bench, "one")
      const { size } = Fs.statSync(pathOf(bench))
      yield* say(bench, "two")
      Fs.truncateSync(pathOf(bench), size)
      const tries = [
        Effect.asVoid(bench.handle.run("three")),
        Effect.asVoid(bench.handle.fork("copy")),
        Effect.asVoid(back(bench.handle, "one"))
      ]
      for (const refused of tries) {
        const { code, message } = yield* Effect.flip(refused)
        expect([code, message]).toEqual(["storage_error", expect.stringContaining("has cut this file off")])
      }
      expect(Fs.statSync(pathOf(bench)).size).toBe(size)
      const again = yield* start()
      expect(inputs(yield* entriesOf(again.handle))).toEqual(["one"])
      yield* say(again, "three")
    }).pipe(Effect.scoped)
  )
})

describe("a batch behind which somebody else has written before it could be looked at", () => {
  const foreign = `{"kind":"user_input","ts":1,"segments":[{"kind":"text","content":"foreign"}]}\n`
  let armed = false
  /** Writes while our own write is under way: this thread sees its end only when it gives way. */
  const wrap = (file: SegmentFile): SegmentFile => ({
    ...file,
    append: Effect.fnUntraced(function* (bytes, options) {
      const ours = yield* Effect.forkChild(file.append(bytes, options), { startImmediately: true })
      if (armed) {
        armed = false
        for (let tries = 0; Fs.statSync(file.path).size <= options.at; tries++) {
          if (tries > 1e6) throw new Error("the write has not begun")
        }
        Fs.appendFileSync(file.path, foreign)
      }
      return yield* Fiber.join(ours)
    })
  })

  it.live("is in the session once, in the live pod and after a restart", () =>
    Effect.gen(function* () {
      const { pathOf, start } = yield* onDisk
      const bench = yield* start("bench", wrap)
      yield* say(bench, "one")
      const first = pathOf(bench)
      armed = true
      yield* say(bench, "two")
      expect(
        Fs.readFileSync(first, "utf8")
          .split("\n")
          .filter((line) => line.includes('"two"'))
      ).toHaveLength(1)
      expect(pathOf(bench)).not.toBe(first)
      const words = ["two", "one"]
      expect((yield* bench.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(words)
      const { history } = yield* plain(bench.journal.state)
      const again = yield* start()
      expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(words)
      expect((yield* plain(again.journal.state)).history).toEqual(history)
      expect(JSON.stringify(history)).not.toContain("foreign")
    }).pipe(Effect.scoped)
  )
})
