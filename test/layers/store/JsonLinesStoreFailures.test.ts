/** Writes of segments that the disk does not take, or takes in part. */
import { execFileSync, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { bytesOf } from "./SessionStoreContract.ts"
import { pathIn, ref, tempSessions } from "./tempSessions.ts"

const { root, withFile, withStore } = tempSessions()
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

/** What this process may write into one file; `prlimit` is part of util-linux. */
const limitFileSize = (bytes: number | "unlimited") =>
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`])
const canLimit = spawnSync("prlimit", ["--version"]).status === 0

/** Only root may, and not every file system can. */
const canFreeze = (() => {
  const probe = Path.join(root, "probe")
  Fs.writeFileSync(probe, "")
  const isSet = spawnSync("chattr", ["+a", probe]).status === 0
  spawnSync("chattr", ["-a", probe])
  return isSet
})()

describe("a write of JsonLinesStore", () => {
  it.effect.skipIf(!Fs.existsSync("/dev/full"))("a full disk is named, with what to do, and nothing is written", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          Fs.mkdirSync(Path.join(sessionsDir, ref.sessionId), { recursive: true })
          Fs.symlinkSync("/dev/full", pathIn(sessionsDir, ref))
          const file = yield* store.open(ref)
          const error = yield* Effect.flip(file.append(bytesOf("line\n"), { at: 0, sync: true }))
          assert.strictEqual(error.reason, "Io")
          assert.strictEqual(error.code, "ENOSPC")
          assert.strictEqual(error.operation, "append")
          assert.include(error.message, file.path)
          assert.include(error.message, "no space left on device")
          assert.include(error.hint!, "free some space")
          assert.strictEqual(yield* file.size, 0)
        })
      )
    )
  )

  it.effect("a sync that fails is an append that failed", () =>
    withStore((store, sessionsDir) =>
      Effect.scoped(
        Effect.gen(function* () {
          Fs.mkdirSync(Path.join(sessionsDir, ref.sessionId), { recursive: true })
          // It takes every byte and cannot be synced.
          Fs.symlinkSync("/dev/null", pathIn(sessionsDir, ref))
          const file = yield* store.open(ref)
          const error = yield* Effect.flip(file.append(bytesOf("line\n"), { at: 0, sync: true }))
          assert.strictEqual(error.reason, "Io")
          assert.strictEqual(error.operation, "sync")
          assert.strictEqual(error.code, "EINVAL")
          assert.include(error.message, file.path)
        })
      )
    )
  )

  it.effect.skipIf(!canLimit)("a write that stops half-way is taken back, and the next one goes on from there", () =>
    withFile((file) =>
      Effect.gen(function* () {
        yield* file.append(bytesOf("first\n"), { at: 0, sync: true })
        const batch = bytesOf(`${"x".repeat(3_000)}\n`.repeat(3))
        yield* Effect.sync(() => limitFileSize(4_096))
        const error = yield* Effect.flip(file.append(batch, { at: 6, sync: true })).pipe(
          Effect.ensuring(Effect.sync(() => limitFileSize("unlimited")))
        )
        assert.strictEqual(error.code, "EFBIG")
        assert.isString(error.hint)
        assert.strictEqual(Fs.readFileSync(file.path, "utf8"), "first\n")
        yield* file.append(batch, { at: 6, sync: true })
        assert.strictEqual(yield* file.size, 6 + batch.length)
      })
    )
  )

  it.effect.skipIf(!canLimit)("what somebody else has written while our write failed is not taken back with it", () =>
    withFile((file) =>
      Effect.gen(function* () {
        yield* file.append(bytesOf("one\n"), { at: 0, sync: true })
        yield* Effect.acquireUseRelease(
          Effect.sync(() => limitFileSize(4)),
          () =>
            Effect.gen(function* () {
              const write = file.append(bytesOf("ours, and not written\n"), { at: 4, sync: true })
              const failing = yield* Effect.forkChild(Effect.flip(write), { startImmediately: true })
              // Another process, which has no such limit; this one sees the end of its own write only afterwards.
              execFileSync("/bin/sh", ["-c", `prlimit --pid $$ --fsize=unlimited && printf theirs >> "$0"`, file.path])
              yield* Fiber.join(failing)
            }),
          () => Effect.sync(() => limitFileSize("unlimited"))
        )
        const next = yield* Effect.flip(file.append(bytesOf("two\n"), { at: 4, sync: true }))
        assert.strictEqual(next.reason, "Moved")
        assert.strictEqual(Fs.readFileSync(file.path, "utf8"), "one\ntheirs")
      })
    )
  )

  it.effect.skipIf(!canLimit || !canFreeze)(
    "a write that cannot be taken back either is taken back before the next",
    () =>
      withFile((file) =>
        Effect.gen(function* () {
          yield* file.append(bytesOf("first\n"), { at: 0, sync: true })
          const batch = bytesOf(`${"x".repeat(3_000)}\n`.repeat(3))
          // What is only to be appended to cannot be made shorter.
          execFileSync("chattr", ["+a", file.path])
          yield* Effect.sync(() => limitFileSize(4_096))
          const error = yield* Effect.flip(file.append(batch, { at: 6, sync: true })).pipe(
            Effect.ensuring(Effect.sync(() => limitFileSize("unlimited")))
          )
          const still = yield* Effect.flip(file.append(batch, { at: 6, sync: true }))
          execFileSync("chattr", ["-a", file.path])
          assert.strictEqual(error.code, "EFBIG")
          assert.strictEqual(still.code, "EPERM")
          assert.strictEqual(yield* file.size, 4_096)
          yield* file.append(batch, { at: 6, sync: true })
          assert.strictEqual(yield* file.size, 6 + batch.length)
        })
      )
  )
})
