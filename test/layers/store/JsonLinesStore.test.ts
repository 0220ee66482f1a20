import * as Fs from "node:fs"
import * as Path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as JsonLinesStore from "../../../layers/store/JsonLinesStore.ts"
import { bytesOf, idOf, sessionStoreContract, textOf } from "./SessionStoreContract.ts"
import { modeOf } from "./TempDir.ts"
import { unprivileged } from "./Unprivileged.ts"
import { pathIn, ref, tempSessions } from "./tempSessions.ts"

const { freshDir, root, withFile, withStore } = tempSessions()
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

sessionStoreContract("JsonLinesStore", () => {
  const sessionsDir = freshDir()
  return {
    layer: JsonLinesStore.layer({ sessionsDir }),
    foreign: (segment, text) => Fs.appendFileSync(pathIn(sessionsDir, segment), text),
    saved: (savedTo) => Fs.readFileSync(savedTo, "utf8"),
    isSaved: (savedTo) => Fs.existsSync(savedTo)
  }
})

/** Between two file systems there are no hard links. */
const otherFileSystem = Fs.existsSync("/dev/shm") && Fs.statSync("/dev/shm").dev !== Fs.statSync(root).dev

describe("JsonLinesStore", () => {
  it.effect("directories and files are private", () =>
    withFile((file, sessionsDir) =>
      Effect.gen(function* () {
        yield* file.append(bytesOf("torn"), { at: 0, sync: true })
        const { savedTo } = yield* file.cutTail(0)
        assert.strictEqual(file.path, pathIn(sessionsDir, ref))
        assert.strictEqual(savedTo, Path.join(sessionsDir, ref.sessionId, `${ref.segmentId}.torn-0`))
        for (const path of [file.path, savedTo]) assert.strictEqual(modeOf(path), 0o600)
        for (const path of [Path.dirname(file.path), sessionsDir, Path.dirname(sessionsDir)]) {
          assert.strictEqual(modeOf(path), 0o700)
        }
      })
    )
  )

  it.effect("stray files and directories are not listed", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* store.create(ref)
          const session = Path.join(sessionsDir, ref.sessionId)
          Fs.writeFileSync(Path.join(sessionsDir, "notes.txt"), "")
          Fs.writeFileSync(Path.join(session, `${idOf(9)}.trace.jsonl`), "")
          Fs.writeFileSync(Path.join(session, `${idOf(9)}.torn-12`), "")
          Fs.mkdirSync(Path.join(session, `${idOf(9)}.jsonl`))
          Fs.mkdirSync(Path.join(sessionsDir, "backup"))
          Fs.writeFileSync(Path.join(sessionsDir, "backup", `${idOf(9)}.jsonl`), "")
          Fs.symlinkSync("/nowhere", Path.join(sessionsDir, idOf(7)))
          assert.deepStrictEqual(yield* store.list, [{ ...ref, bytes: 0 }])
        })
      )
    )
  )

  it.effect("an id that is not one makes no path", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          for (const bad of ["..", "../x", "", "a/b", ref.sessionId.toUpperCase().replace("0", "A")]) {
            const created = yield* Effect.flip(store.create({ sessionId: bad, segmentId: ref.segmentId }))
            assert.strictEqual(created.reason, "Io")
            const opened = yield* Effect.flip(store.open({ sessionId: ref.sessionId, segmentId: bad }))
            assert.strictEqual(opened.reason, "NotFound")
            assert.include(opened.message, JSON.stringify(bad))
            assert.strictEqual((yield* Effect.flip(store.link(ref, bad))).reason, "Io")
            const removed = yield* Effect.flip(store.remove({ sessionId: bad, segmentId: ref.segmentId }))
            assert.strictEqual(removed.reason, "Io")
          }
          assert.isFalse(Fs.existsSync(sessionsDir))
        })
      )
    )
  )

  it.live("a file that was retired is used as before, without a descriptor, as long as its name leads to it", () =>
    withFile((file) =>
      Effect.gen(function* () {
        const isOpen = () =>
          Fs.readdirSync("/proc/self/fd").some((fd) => {
            try {
              return Fs.readlinkSync(`/proc/self/fd/${fd}`) === file.path
            } catch {
              return false
            }
          })
        yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
        // What is under way when it is retired comes to its end.
        const reading = yield* Effect.forkChild(file.read(0, 4), { startImmediately: true })
        yield* file.retire
        assert.strictEqual(textOf(yield* Fiber.join(reading)), "one\n")
        yield* file.append(bytesOf("two\n"), { at: 4, sync: true })
        yield* file.sync
        assert.strictEqual(textOf(yield* file.read(0, 8)), "one\ntwo\n")
        assert.strictEqual(yield* file.size, 8)
        assert.isTrue(yield* file.isNamed)
        if (process.platform === "linux") assert.isFalse(isOpen())
        Fs.copyFileSync(file.path, `${file.path}.copy`)
        Fs.renameSync(`${file.path}.copy`, file.path)
        assert.isFalse(yield* file.isNamed)
        for (const use of [
          file.read(0, 4),
          file.size,
          file.sync,
          file.append(bytesOf("x\n"), { at: 8, sync: false })
        ]) {
          assert.strictEqual((yield* Effect.flip(use)).reason, "Moved")
        }
        Fs.rmSync(file.path)
        assert.isFalse(yield* file.isNamed)
        assert.strictEqual((yield* Effect.flip(file.read(0, 4))).reason, "Moved")
      })
    )
  )

  it.effect("a file without its name is not retired: what it holds would be lost", () =>
    withFile((file) =>
      Effect.gen(function* () {
        yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
        Fs.rmSync(file.path)
        yield* file.retire
        assert.strictEqual(textOf(yield* file.read(0, 4)), "one\n")
      })
    )
  )

  it.effect("an append to a file that was removed or replaced is refused, not lost in silence", () =>
    withFile((file) =>
      Effect.gen(function* () {
        yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
        assert.isTrue(yield* file.isNamed)
        const away = `${file.path}.away`
        const refused = Effect.gen(function* () {
          assert.isFalse(yield* file.isNamed)
          const error = yield* Effect.flip(file.append(bytesOf("two\n"), { at: 4, sync: true }))
          assert.strictEqual(error.reason, "Moved")
          assert.include(error.message, "removed or replaced")
          // What was written stays readable.
          assert.strictEqual(textOf(yield* file.read(0, 4)), "one\n")
        })
        Fs.renameSync(file.path, away)
        yield* refused
        Fs.copyFileSync(away, file.path)
        yield* refused
        Fs.rmSync(away)
        yield* refused
        assert.strictEqual(Fs.readFileSync(file.path, "utf8"), "one\n")
      })
    )
  )

  it.effect("a link costs no bytes, and an append notices when its own name is taken away", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          const other = { sessionId: idOf(7), segmentId: ref.segmentId }
          const file = yield* store.create(ref)
          yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
          yield* store.link(ref, other.sessionId)
          const linked = pathIn(sessionsDir, other)
          assert.strictEqual(Fs.statSync(linked).ino, Fs.statSync(file.path).ino)
          assert.strictEqual(modeOf(Path.dirname(linked)), 0o700)
          yield* file.append(bytesOf("two\n"), { at: 4, sync: false })
          // As an editor does it: the path leads to other bytes now, the file lives on under its other name.
          Fs.writeFileSync(`${file.path}.new`, "one\ntwo\n")
          Fs.renameSync(`${file.path}.new`, file.path)
          const replaced = yield* Effect.flip(file.append(bytesOf("three\n"), { at: 8, sync: true }))
          assert.strictEqual(replaced.reason, "Moved")
          assert.include(replaced.message, "removed or replaced")
          assert.strictEqual(Fs.readFileSync(linked, "utf8"), "one\ntwo\n")
        })
      )
    )
  )

  it.effect.skipIf(!otherFileSystem)("where no link can be made the bytes are copied", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          const elsewhere = yield* Effect.acquireRelease(
            Effect.sync(() => Fs.mkdtempSync("/dev/shm/effect-pod-test-")),
            (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
          )
          const other = { sessionId: idOf(7), segmentId: ref.segmentId }
          const file = yield* store.create(ref)
          yield* file.append(bytesOf("one\n"), { at: 0, sync: false })
          Fs.symlinkSync(elsewhere, Path.join(sessionsDir, other.sessionId))
          yield* store.link(ref, other.sessionId)
          yield* store.link(ref, other.sessionId)
          assert.deepStrictEqual(Fs.readdirSync(elsewhere), [`${ref.segmentId}.jsonl`])
          assert.strictEqual(Fs.readFileSync(pathIn(sessionsDir, other), "utf8"), "one\n")
          assert.strictEqual(modeOf(pathIn(sessionsDir, other)), 0o600)
          yield* store.remove(ref)
          assert.strictEqual(Fs.readFileSync(pathIn(sessionsDir, other), "utf8"), "one\n")
        })
      )
    )
  )

  it.effect("the session's directory goes with its last segment, and stays while a stranger's file is in it", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          const session = Path.join(sessionsDir, ref.sessionId)
          yield* store.create(ref)
          for (const side of [".torn-0", ".torn-0.1", ".bad-3", ".jsonl.before-repair", ".jsonl.before-repair.1"]) {
            Fs.writeFileSync(Path.join(session, `${ref.segmentId}${side}`), "")
          }
          Fs.writeFileSync(Path.join(session, "notes.txt"), "mine")
          yield* store.remove(ref)
          assert.deepStrictEqual(Fs.readdirSync(session), ["notes.txt"])
          Fs.rmSync(Path.join(session, "notes.txt"))
          yield* store.remove(ref)
          assert.isFalse(Fs.existsSync(session))
          yield* store.remove(ref)
        })
      )
    )
  )

  it.effect("a session that may not be written can be read, and says why it takes no line", () =>
    withStore((store, sessionsDir) =>
      Effect.gen(function* () {
        const path = pathIn(sessionsDir, ref)
        Fs.mkdirSync(Path.dirname(path), { recursive: true })
        Fs.writeFileSync(path, "kept\n", { mode: 0o444 })
        for (const directory of [root, Path.join(sessionsDir, "../..")]) Fs.chmodSync(directory, 0o755)
        yield* unprivileged(
          Effect.scoped(
            Effect.gen(function* () {
              const file = yield* store.open(ref)
              assert.strictEqual(textOf(yield* file.read(0, 99)), "kept\n")
              const error = yield* Effect.flip(file.append(bytesOf("more\n"), { at: 5, sync: false }))
              assert.strictEqual(error.code, "EACCES")
              assert.include(error.message, path)
              assert.strictEqual((yield* Effect.flip(file.cutTail(2))).code, "EACCES")
            })
          )
        )
      })
    )
  )

  it.effect("an append that has begun is finished, also for a fiber that is interrupted", () =>
    withFile((file) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const batch = bytesOf(`${"x".repeat(200_000)}\n`)
        const fiber = yield* Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(file.append(batch, { at: 0, sync: true })),
          Effect.forkChild({ startImmediately: true })
        )
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* file.size, batch.length)
        yield* file.append(bytesOf("next\n"), { at: batch.length, sync: true })
      })
    )
  )

  it.effect("the descriptor is given back when the scope closes, but not under an operation that still runs", () =>
    withStore((store) =>
      Effect.scoped(
        Effect.gen(function* () {
          const outer = yield* Effect.scope
          const open = () => Fs.readdirSync("/proc/self/fd").length
          const before = Fs.existsSync("/proc/self/fd") ? open() : 0
          const batch = bytesOf(`${"y".repeat(200_000)}\n`)
          const { appending, file } = yield* Effect.scoped(
            Effect.gen(function* () {
              const opened = yield* store.create(ref)
              const append = opened.append(batch, { at: 0, sync: true })
              // Not in the file's scope: it is still writing when the file is closed.
              return { appending: yield* Effect.forkIn(append, outer, { startImmediately: true }), file: opened }
            })
          )
          yield* Fiber.join(appending)
          assert.strictEqual(Fs.readFileSync(file.path, "utf8").length, batch.length)
          if (before > 0) assert.strictEqual(open(), before)
          const late = yield* Effect.flip(file.append(bytesOf("late\n"), { at: batch.length, sync: false }))
          assert.include(late.message, "closed")
          assert.include((yield* Effect.flip(file.read(0, 1))).message, "closed")
        })
      )
    )
  )
})
