import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as RuntimeDir from "../../../layers/runtime/RuntimeDir.ts"
import { type PodDir, RuntimeDir as Service } from "../../../src/runtime/RuntimeDir.ts"
import { modeOf, tempDir } from "../store/TempDir.ts"

/** A service on `<temp>/run`, which does not exist yet. */
const inTemp = <A, E>(
  body: (service: Service["Service"], runtimeDir: string) => Effect.Effect<A, E, Scope.Scope>,
  socket = true
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const runtimeDir = Path.join(yield* tempDir, "run")
      return yield* Effect.flatMap(Service, (service) => body(service, runtimeDir)).pipe(
        Effect.provide(RuntimeDir.layer({ runtimeDir, socket }))
      )
    })
  )

const statusOf = (dir: PodDir) => JSON.parse(Fs.readFileSync(Path.join(dir.path, "status.json"), "utf8"))

describe("RuntimeDir", () => {
  it.effect("holds pid, status and a place for output, all private, and goes away with its scope", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        const path = Path.join(runtimeDir, "agent")
        assert.strictEqual(yield* service.socketPath("agent"), Path.join(path, "sock"))
        assert.isFalse(Fs.existsSync(runtimeDir))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const dir = yield* service.open("agent")
            assert.strictEqual(dir.path, path)
            assert.strictEqual(dir.socketPath, Path.join(path, "sock"))
            assert.strictEqual(dir.outputDir, Path.join(path, "bash-output"))
            for (const directory of [runtimeDir, path, dir.outputDir]) assert.strictEqual(modeOf(directory), 0o700)
            for (const file of ["pid", "status.json"]) assert.strictEqual(modeOf(Path.join(path, file)), 0o600)
            assert.strictEqual(Fs.readFileSync(Path.join(path, "pid"), "utf8"), String(process.pid))
            assert.deepStrictEqual(statusOf(dir), {
              pod_name: "agent",
              segment_id: null,
              state: "restoring",
              pid: process.pid,
              socket: dir.socketPath
            })
            Fs.writeFileSync(Path.join(dir.outputDir, "long.txt"), "output")
          })
        )
        assert.deepStrictEqual(Fs.readdirSync(runtimeDir), [])
      })
    )
  )

  it.effect("the status file is replaced whole, and the last call wins", () =>
    inTemp((service) =>
      Effect.gen(function* () {
        const dir = yield* service.open("agent")
        const reader = Fs.openSync(Path.join(dir.path, "status.json"), "r")
        yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => `state-${n}`),
          (state) => dir.writeStatus({ segmentId: "s".repeat(36), state }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(statusOf(dir).state, "state-19")
        assert.strictEqual(JSON.parse(Fs.readFileSync(reader, "utf8")).state, "restoring")
        Fs.closeSync(reader)
        assert.deepStrictEqual(Fs.readdirSync(dir.path).toSorted(), ["bash-output", "pid", "status.json"])
      })
    )
  )

  it.effect("a pod without a socket has none", () =>
    inTemp(
      (service) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* service.socketPath("agent"), null)
          const dir = yield* service.open("agent")
          assert.strictEqual(dir.socketPath, null)
          assert.strictEqual(statusOf(dir).socket, null)
        }),
      false
    )
  )

  it.effect("what a dead owner left is cleared away, but not the log of whoever started this one", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        const path = Path.join(runtimeDir, "agent")
        const outside = Path.join(runtimeDir, "..", "outside")
        Fs.mkdirSync(Path.join(path, "bash-output"), { recursive: true, mode: 0o755 })
        Fs.mkdirSync(outside)
        Fs.writeFileSync(Path.join(outside, "kept"), "")
        Fs.symlinkSync(outside, Path.join(path, "bash-output", "link"))
        for (const file of ["sock", "status.tmp", "pid", "spawned_pods.json", "bash-output/old", "stderr.log"]) {
          Fs.writeFileSync(Path.join(path, file), "old")
        }
        Fs.chmodSync(runtimeDir, 0o700)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const dir = yield* service.open("agent")
            assert.deepStrictEqual(Fs.readdirSync(path).toSorted(), ["bash-output", "pid", "status.json", "stderr.log"])
            assert.deepStrictEqual(Fs.readdirSync(dir.outputDir), [])
            assert.strictEqual(modeOf(path), 0o700)
          })
        )
        assert.isFalse(Fs.existsSync(path))
        assert.isTrue(Fs.existsSync(Path.join(outside, "kept")))
      })
    )
  )

  it.effect("the log of a pod that failed stays for whoever started it", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        const path = Path.join(runtimeDir, "agent")
        const end = Effect.fnUntraced(function* (exit: Exit.Exit<unknown, unknown>) {
          const scope = yield* Scope.make()
          yield* Scope.provide(service.open("agent"), scope)
          Fs.writeFileSync(Path.join(path, "stderr.log"), "why")
          yield* Scope.close(scope, exit)
        })
        yield* end(Exit.fail("no model"))
        assert.deepStrictEqual(Fs.readdirSync(path), ["stderr.log"])
        yield* end(Exit.interrupt(1))
        assert.isFalse(Fs.existsSync(path))
      })
    )
  )

  it.effect("a successor's directory is left alone", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        const path = Path.join(runtimeDir, "agent")
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* service.open("agent")
            Fs.rmSync(path, { recursive: true })
            Fs.mkdirSync(path)
            Fs.writeFileSync(Path.join(path, "pid"), String(process.pid))
          })
        )
        assert.isTrue(Fs.existsSync(path))
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* service.open("agent")
            Fs.writeFileSync(Path.join(path, "pid"), "1")
          })
        )
        assert.isTrue(Fs.existsSync(Path.join(path, "pid")))
      })
    )
  )

  it.effect("a status that comes after the end is dropped", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        const dir = yield* Effect.scoped(service.open("agent"))
        yield* dir.writeStatus({ segmentId: null, state: "late" })
        assert.deepStrictEqual(Fs.readdirSync(runtimeDir), [])
      })
    )
  )

  it.effect("names that are none make nothing", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        for (const bad of ["", "..", "a/b", ".locks", "scopes.json", "x".repeat(65)]) {
          const error = yield* Effect.flip(service.open(bad))
          assert.include(error.message, "pod name")
          assert.include((yield* Effect.flip(service.socketPath(bad))).message, "pod name")
        }
        assert.isFalse(Fs.existsSync(runtimeDir))
      })
    )
  )

  it.effect("a directory that others can enter is closed if it is ours, and else refused", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        Fs.mkdirSync(runtimeDir)
        Fs.chmodSync(runtimeDir, 0o755)
        yield* Effect.scoped(service.open("agent"))
        assert.strictEqual(modeOf(runtimeDir), 0o700)

        Fs.writeFileSync(Path.join(runtimeDir, "somebody-elses"), "")
        Fs.chmodSync(runtimeDir, 0o755)
        const foreign = yield* Effect.flip(service.open("agent"))
        assert.strictEqual(foreign.path, runtimeDir)
        assert.include(foreign.message, "open to other users (mode 755)")
        assert.include(foreign.hint!, `chmod 700 ${runtimeDir}`)
        assert.strictEqual(modeOf(runtimeDir), 0o755)

        Fs.rmSync(Path.join(runtimeDir, "somebody-elses"))
        Fs.chmodSync(runtimeDir, 0o1777)
        assert.include((yield* Effect.flip(service.open("agent"))).message, "mode 1777")
        assert.strictEqual(modeOf(runtimeDir), 0o777)
      })
    )
  )

  it.effect.skipIf(process.getuid?.() !== 0)("a directory of another user is refused, and named", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        Fs.mkdirSync(runtimeDir, { mode: 0o700 })
        Fs.chownSync(runtimeDir, 65_534, 65_534)
        const error = yield* Effect.flip(service.open("agent"))
        assert.include(error.message, `${runtimeDir} belongs to user 65534, but this process runs as user 0`)
        assert.include(error.hint!, "EFFECT_POD_RUNTIME_DIR")
        Fs.chownSync(runtimeDir, 0, 0)
        Fs.mkdirSync(Path.join(runtimeDir, "agent"))
        Fs.chownSync(Path.join(runtimeDir, "agent"), 65_534, 65_534)
        assert.include((yield* Effect.flip(service.open("agent"))).message, "belongs to user 65534")
      })
    )
  )

  it.effect("a link or a file in the place of a directory is refused", () =>
    inTemp((service, runtimeDir) =>
      Effect.gen(function* () {
        Fs.mkdirSync(runtimeDir, { mode: 0o700 })
        const elsewhere = Path.join(runtimeDir, "..", "elsewhere")
        Fs.mkdirSync(elsewhere)
        Fs.symlinkSync(elsewhere, Path.join(runtimeDir, "agent"))
        assert.include((yield* Effect.flip(service.open("agent"))).message, "is a link")
        Fs.writeFileSync(Path.join(runtimeDir, "file"), "")
        const error = yield* Effect.flip(service.open("file"))
        assert.include(error.message, Path.join(runtimeDir, "file"))
        assert.include(error.hint!, "there is a file of this name")
      })
    )
  )

  it.effect("a socket path that is too long moves to a private directory, and can be listened on", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const runtimeDir = Path.join(yield* tempDir, "d".repeat(90), "run")
        const service = yield* Effect.provide(Service, RuntimeDir.layer({ runtimeDir, socket: true }))
        const planned = yield* service.socketPath("agent")
        const listened = yield* Effect.scoped(
          Effect.gen(function* () {
            const dir = yield* service.open("agent")
            const socket = dir.socketPath!
            assert.strictEqual(socket, planned)
            assert.strictEqual(socket, RuntimeDir.socketPathOf(runtimeDir, "agent"))
            assert.notStrictEqual(socket, RuntimeDir.socketPathOf(runtimeDir, "other"))
            assert.isAtMost(Buffer.byteLength(socket), 103)
            assert.strictEqual(Path.dirname(Path.dirname(socket)), Os.tmpdir())
            assert.strictEqual(modeOf(Path.dirname(socket)), 0o700)
            assert.strictEqual(statusOf(dir).socket, socket)
            yield* Effect.callback<void>((resume) => {
              const server = Net.createServer().listen(socket, () => resume(Effect.void))
              return Effect.sync(() => server.close())
            })
            return socket
          })
        )
        assert.isFalse(Fs.existsSync(listened))
        assert.strictEqual(
          RuntimeDir.socketPathOf(`/${"r".repeat(96 - 7)}`, "agent").length,
          `/${"r".repeat(96 - 7)}/agent/sock`.length
        )
      })
    )
  )

  it.effect("in memory it has a place for output, no socket, and leaves nothing", () =>
    Effect.gen(function* () {
      const service = yield* Service
      assert.strictEqual(yield* service.socketPath("agent"), null)
      const path = yield* Effect.scoped(
        Effect.gen(function* () {
          const dir = yield* service.open("agent")
          const other = yield* service.open("agent")
          assert.notStrictEqual(dir.path, other.path)
          assert.strictEqual(dir.socketPath, null)
          assert.strictEqual(modeOf(dir.path), 0o700)
          Fs.writeFileSync(Path.join(dir.outputDir, "long.txt"), "output")
          yield* dir.writeStatus({ segmentId: null, state: "idle" })
          return dir.path
        })
      )
      assert.isFalse(Fs.existsSync(path))
      assert.include((yield* Effect.flip(Effect.scoped(service.open("a/b")))).message, "pod name")
    }).pipe(Effect.provide(RuntimeDir.layerMemory))
  )
})
