/** What a pod keeps open of the segments that it has left, on a real disk. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as JsonLinesStore from "../../layers/store/JsonLinesStore.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as PodFiles from "../../layers/store/PodFiles.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { tempDir } from "../layers/store/TempDir.ts"
import { open } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { back, say } from "../support/talk.ts"

/** A fork that has said something of its own: its way back leads over two segments. */
const forked = Effect.gen(function* () {
  const root = yield* tempDir
  const sessionsDir = Path.join(root, "sessions")
  const disk = { refuses: false }
  const refused = new StorageError({ reason: "Io", operation: "replace", path: "pods", message: "EIO" })
  const pods = Layer.effect(
    PodStore,
    Effect.map(PodStore, (real) =>
      PodStore.of({
        ...real,
        update: (name, fields) => (disk.refuses ? Effect.fail(refused) : real.update(name, fields))
      })
    )
  ).pipe(Layer.provide(PodFiles.layer({ podsDir: Path.join(root, "pods") })))
  const stores = Layer.merge(JsonLinesStore.layer({ sessionsDir }), pods)
  const start = (name: string) => open(MemoryStore.make(), { stores, name })
  const bench = yield* start("bench")
  yield* say(bench, "one")
  yield* bench.handle.fork("copy")
  const copy = yield* start("copy")
  yield* say(copy, "two")
  return { copy, directory: Path.join(sessionsDir, copy.ref.sessionId), disk, start }
})

/** Open files of a directory, each as often as it is open. */
const openIn = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = Fs.readlinkSync(`/proc/self/fd/${fd}`)
      return Path.dirname(path) === directory ? [Path.basename(path)] : []
    } catch {
      return []
    }
  })

/** What is open when the system has closed what it was told to. */
const settled = Effect.fnUntraced(function* (directory: string, isDone: (names: ReadonlyArray<string>) => boolean) {
  for (let turns = 0; turns < 2_000 && !isDone(openIn(directory)); turns++) {
    yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
  }
  return openIn(directory).toSorted()
})

describe.runIf(process.platform === "linux")("segments that were left", () => {
  it.live(
    "are not kept open, however often it goes back and forward again",
    () =>
      Effect.gen(function* () {
        const { copy, directory, start } = yield* forked
        const { history } = yield* plain(copy.journal.state)
        for (let i = 0; i < 300; i++) {
          yield* back(copy.handle, "one")
          yield* copy.handle.undoRewind
        }
        const needed = copy.journal.files().map(({ path }) => Path.basename(path))
        expect(yield* settled(directory, ({ length }) => length === needed.length)).toEqual(needed.toSorted())
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
        const again = yield* start("copy")
        expect((yield* plain(again.journal.state)).history).toEqual(history)
        yield* back(again.handle, "two")
        expect((yield* plain(again.journal.state)).history).toEqual(history.slice(0, 2))
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("are read to their end by whoever reads them, and forked from", () =>
    Effect.gen(function* () {
      const { copy, directory, start } = yield* forked
      const textOf = ({ entries }: Effect.Success<typeof copy.handle.attach>) =>
        Effect.map(Stream.runCollect(entries(0)), (pieces) => pieces.join(""))
      const before = yield* copy.handle.attach
      const expected = yield* textOf(before)
      // Asked for here, and made when the pod is in another segment already.
      const fork = yield* Effect.forkChild(copy.handle.fork("late"), { startImmediately: true })
      const left = `${copy.journal.segmentId()}.jsonl`
      yield* back(copy.handle, "one")
      yield* Fiber.join(fork)
      expect(yield* settled(directory, (names) => !names.includes(left))).not.toContain(left)
      expect(yield* textOf(before)).toBe(expected)
      const late = yield* start("late")
      expect(JSON.stringify((yield* plain(late.journal.state)).history)).toContain("two")
    }).pipe(Effect.scoped)
  )

  it.live("are not kept open by attempts to go back to them that fail", () =>
    Effect.gen(function* () {
      const { copy, directory, disk } = yield* forked
      yield* back(copy.handle, "one")
      const before = yield* settled(directory, ({ length }) => length === 2)
      disk.refuses = true
      for (let i = 0; i < 20; i++) expect((yield* Effect.flip(copy.handle.undoRewind)).code).toBe("storage_error")
      expect(yield* settled(directory, ({ length }) => length === before.length)).toEqual(before)
      disk.refuses = false
      yield* copy.handle.undoRewind
      expect((yield* copy.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
    }).pipe(Effect.scoped)
  )

  it.live("stay what they were: one that somebody has replaced is not read for them", () =>
    Effect.gen(function* () {
      const { copy, directory } = yield* forked
      const before = yield* copy.handle.attach
      const left = Path.join(directory, `${copy.journal.segmentId()}.jsonl`)
      yield* back(copy.handle, "one")
      yield* settled(directory, (names) => !names.includes(Path.basename(left)))
      Fs.copyFileSync(left, `${left}.new`)
      Fs.renameSync(`${left}.new`, left)
      const error = yield* Effect.flip(Stream.runCollect(before.entries(0)))
      expect(error.reason).toBe("Moved")
    }).pipe(Effect.scoped)
  )
})
