import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Lease from "../../../layers/runtime/Lease.ts"
import * as LeaseInspector from "../../../layers/runtime/LeaseInspector.ts"
import type { ScopeRules } from "../../../src/protocol/ScopeRule.ts"
import { Lease as Service, type LeaseError } from "../../../src/runtime/Lease.ts"
import { modeOf } from "../store/TempDir.ts"
import { leaseContract, scopeOf, writes } from "./LeaseContract.ts"
import * as LeaseProcesses from "./LeaseProcesses.ts"

const root = Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-pod-test-")))
let script = ""
beforeAll(async () => {
  script = await LeaseProcesses.bundleChild(root)
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

const hasFlock = spawnSync("flock", ["--version"]).error === undefined
const isLinux = process.platform === "linux"
const fresh = (flock: string) => {
  const home = Fs.mkdtempSync(Path.join(root, "x-"))
  return { dataDir: Path.join(home, "data"), runtimeDir: Path.join(home, "run"), flock }
}

leaseContract("memory", () => Lease.layerMemory)
leaseContract("files, no program named flock", () => Lease.layer(fresh("no-such-program")))
if (hasFlock) leaseContract("files, flock", () => Lease.layer(fresh("flock")))

type Options = ReturnType<typeof fresh>

interface World {
  readonly options: Options
  readonly acquire: (
    podName: string,
    sessionId?: string,
    scope?: ScopeRules
  ) => Effect.Effect<void, LeaseError, Scope.Scope>
  readonly start: (
    podName: string,
    sessionId?: string,
    scope?: ScopeRules
  ) => Effect.Effect<LeaseProcesses.LeaseProcess, never, Scope.Scope>
}

const requestOf = (podName: string, sessionId = `session-of-${podName}`) => ({
  podName,
  sessionId,
  socket: `/run/${podName}/sock`
})

const inWorld = <A, E>(flock: string, body: (world: World) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.suspend(() => {
    const options = fresh(flock)
    const layer = Lease.layer(options)
    return Effect.scoped(
      body({
        options,
        acquire: (podName, sessionId, scope = scopeOf([])) =>
          Effect.flatMap(Service, (lease) => lease.acquire(requestOf(podName, sessionId))).pipe(
            Effect.flatMap(({ claim }) => claim(scope)),
            Effect.provide(layer)
          ),
        start: (podName, sessionId, scope) =>
          LeaseProcesses.start(script, {
            options,
            request: requestOf(podName, sessionId),
            ...(scope === undefined ? {} : { scope })
          })
      })
    )
  })

/** A pod that was refused is gone, with whatever it held until then. */
const refused = <A>(acquired: Effect.Effect<A, LeaseError, Scope.Scope>) => Effect.flip(Effect.scoped(acquired))

const holding = (process: LeaseProcesses.LeaseProcess) =>
  Effect.map(process.says, (said) => assert.deepStrictEqual(said, { held: true, pid: process.pid }))

/** The kinds of lock differ only in who frees them when: the fall-back runs those tests alone. */
const processes = (name: string, flock: string, skip: boolean) =>
  describe.skipIf(skip)(`Lease among processes, ${name}`, () => {
    const test = <A, E>(title: string, body: (world: World) => Effect.Effect<A, E, Scope.Scope>) =>
      it.live(title, () => inWorld(flock, body))
    const testOnce: typeof test = flock === "flock" ? test : () => undefined

    test("a live process keeps its place; a killed one frees it at once", ({ acquire, start }) =>
      Effect.gen(function* () {
        const child = yield* start("agent")
        yield* holding(child)
        const error = yield* refused(acquire("agent", "another"))
        assert.strictEqual(error.reason, "PodHeld")
        assert.deepStrictEqual(error.owner, {
          pod_name: "agent",
          pid: child.pid,
          socket: "/run/agent/sock",
          stopped: false
        })
        yield* child.signal("SIGKILL")
        yield* acquire("agent", "another")
      }))

    testOnce("a process cannot take what this one holds", ({ acquire, start }) =>
      Effect.gen(function* () {
        yield* acquire("agent", "session")
        const sameName = yield* start("agent", "another")
        assert.strictEqual((yield* sameName.says)["reason"], "PodHeld")
        const sameSession = yield* start("other", "session")
        const said = yield* sameSession.says
        assert.strictEqual(said["reason"], "SessionHeld")
        assert.include(String(said["message"]), `process ${process.pid}`)
      })
    )

    test("a stopped process keeps it, and the refusal says that it is stopped", ({ acquire, options, start }) =>
      Effect.gen(function* () {
        const child = yield* start("agent", "session", scopeOf([writes("/w")]))
        yield* holding(child)
        yield* child.signal("SIGSTOP")
        const byName = yield* refused(acquire("agent", "another"))
        assert.strictEqual(byName.reason, "PodHeld")
        assert.isTrue(byName.owner?.stopped)
        assert.include(byName.message, `process ${child.pid} owns it`)
        assert.include(byName.message, "is stopped (SIGSTOP)")
        const bySession = yield* refused(acquire("other", "session"))
        assert.isTrue(bySession.owner?.stopped)
        const byScope = yield* refused(acquire("other", "another", scopeOf([writes("/w/sub")])))
        assert.strictEqual(byScope.reason, "ScopeOverlap")
        assert.isTrue(byScope.owner?.stopped)
        const seen = yield* LeaseInspector.ownerOf({ ...options, podName: "agent" })
        assert.isTrue(seen?.stopped)
        yield* child.signal("SIGCONT")
        assert.isFalse((yield* LeaseInspector.ownerOf({ ...options, podName: "agent" }))?.stopped)
      }))

    testOnce("a write scope is free once its pod was killed, and its entry goes", ({ acquire, options, start }) =>
      Effect.gen(function* () {
        const child = yield* start("one", undefined, scopeOf([writes("/w")]))
        yield* holding(child)
        const error = yield* refused(acquire("two", undefined, scopeOf([writes("/w/sub")])))
        assert.strictEqual(error.reason, "ScopeOverlap")
        assert.strictEqual(error.owner?.pid, child.pid)
        yield* child.signal("SIGKILL")
        yield* acquire("two", undefined, scopeOf([writes("/w/sub")]))
        assert.deepStrictEqual(podsIn(options), ["two"])
      })
    )

    testOnce("a clean end gives everything back before it returns", ({ acquire, options, start }) =>
      Effect.gen(function* () {
        const child = yield* start("agent", "session", scopeOf([writes("/w")]))
        yield* holding(child)
        assert.deepStrictEqual(podsIn(options), ["agent"])
        yield* child.end
        assert.deepStrictEqual(yield* child.says, { released: true })
        assert.deepStrictEqual(podsIn(options), [])
        assert.strictEqual(yield* LeaseInspector.ownerOf({ ...options, podName: "agent" }), undefined)
        yield* acquire("agent", "session", scopeOf([writes("/w")]))
      })
    )

    test("a pid that another process has by now is not taken for the owner", ({ acquire, options }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(acquire("agent"))
        const lock = Path.join(options.runtimeDir, ".locks", "agent.lock")
        // As a killed owner leaves it, with the pid of a process that lives: this one.
        Fs.writeFileSync(lock, recordOf(options, { pid: process.pid, start_time: "1" }))
        assert.strictEqual(yield* LeaseInspector.ownerOf({ ...options, podName: "agent" }), undefined)
        yield* acquire("agent")
        assert.strictEqual((yield* LeaseInspector.ownerOf({ ...options, podName: "agent" }))?.pid, process.pid)
      }))

    test("a lock is the proof: it holds also when the record names a process that is gone", ({
      acquire,
      options,
      start
    }) =>
      Effect.gen(function* () {
        const child = yield* start("agent", "session", scopeOf([writes("/w")]))
        yield* holding(child)
        for (const lock of locksOf(options)) Fs.writeFileSync(lock, recordOf(options, { pid: 1, start_time: "1" }))
        const error = yield* refused(acquire("agent", "another"))
        assert.strictEqual(error.reason, "PodHeld")
        assert.strictEqual(error.owner, undefined)
        assert.include(error.message, "has not said who it is")
        editScopes(options, (entry) => ({ ...entry, pid: 1, start_time: "1" }))
        const overlap = yield* refused(acquire("other", undefined, scopeOf([writes("/w")])))
        assert.strictEqual(overlap.reason, "ScopeOverlap")
        assert.deepStrictEqual(podsIn(options), ["agent"])
      }))
  })

processes("flock", "flock", !hasFlock || !isLinux)
processes("no program named flock", "no-such-program", !isLinux)

const locksOf = ({ dataDir, runtimeDir }: Options) => [
  Path.join(dataDir, "locks", "pod-agent.lock"),
  Path.join(dataDir, "locks", "session-session.lock"),
  Path.join(runtimeDir, ".locks", "agent.lock")
]

const recordOf = ({ flock }: Options, fields: object) =>
  JSON.stringify({
    pod_name: "agent",
    session_id: "session",
    boot_id: Fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    socket: null,
    by: flock === "flock" ? "flock" : "abstract socket",
    scope: { allow: [], deny: [] },
    ...fields
  }) + "\n"

const scopesIn = ({ runtimeDir }: Options): { readonly pods: ReadonlyArray<{ readonly pod_name: string }> } =>
  JSON.parse(Fs.readFileSync(Path.join(runtimeDir, "scopes.json"), "utf8"))
const podsIn = (options: Options) => scopesIn(options).pods.map(({ pod_name }) => pod_name)
const editScopes = (options: Options, edit: (entry: object) => object) => {
  const file = scopesIn(options)
  Fs.writeFileSync(Path.join(options.runtimeDir, "scopes.json"), JSON.stringify({ ...file, pods: file.pods.map(edit) }))
}

describe.skipIf(!hasFlock)("Lease on files", () => {
  const test = <A, E>(title: string, body: (world: World) => Effect.Effect<A, E, Scope.Scope>) =>
    it.live(title, () => inWorld("flock", body))

  test("all of it is private, and lock files stay", ({ acquire, options }) =>
    Effect.gen(function* () {
      yield* Effect.scoped(acquire("agent", "session", scopeOf([writes("/w")])))
      for (const directory of [options.runtimeDir, options.dataDir, Path.join(options.runtimeDir, ".locks")]) {
        assert.strictEqual(modeOf(directory), 0o700)
      }
      for (const file of [...locksOf(options), Path.join(options.runtimeDir, "scopes.json")]) {
        assert.strictEqual(modeOf(file), 0o600)
      }
    }))

  test("a pod that keeps nothing locks its name only", ({ options }) =>
    Effect.gen(function* () {
      const layer = Lease.layer({ ...options, dataDir: null })
      yield* Effect.provide(
        Effect.flatMap(Service, (lease) => lease.acquire(requestOf("agent"))),
        layer
      )
      assert.isFalse(Fs.existsSync(options.dataDir))
      const error = yield* Effect.flip(
        Effect.provide(
          Effect.flatMap(Service, (lease) => lease.acquire(requestOf("agent"))),
          layer
        )
      )
      assert.strictEqual(error.reason, "PodHeld")
    }))

  test("the same data under another runtime directory is one pod", ({ acquire, options }) =>
    Effect.gen(function* () {
      yield* acquire("agent")
      const elsewhere = Lease.layer({ ...options, runtimeDir: `${options.runtimeDir}-2` })
      const again = Effect.flatMap(Service, (lease) => lease.acquire(requestOf("agent", "another")))
      assert.strictEqual((yield* Effect.flip(Effect.provide(again, elsewhere))).reason, "PodHeld")
      const owner = LeaseInspector.ownerOf({ runtimeDir: `${options.runtimeDir}-2`, podName: "agent" })
      assert.strictEqual(yield* owner, undefined)
      const known = LeaseInspector.ownerOf({
        runtimeDir: `${options.runtimeDir}-2`,
        dataDir: options.dataDir,
        podName: "agent"
      })
      assert.strictEqual((yield* known)?.pid, process.pid)
    }))

  test("links do not lead past an overlap", ({ acquire, options }) =>
    Effect.gen(function* () {
      const home = Path.dirname(options.dataDir)
      Fs.mkdirSync(Path.join(home, "real"))
      Fs.symlinkSync(Path.join(home, "real"), Path.join(home, "link"))
      yield* acquire("one", undefined, scopeOf([writes(Path.join(home, "real", "not-yet"))]))
      const error = yield* refused(acquire("two", undefined, scopeOf([writes(Path.join(home, "link", "not-yet"))])))
      assert.strictEqual(error.reason, "ScopeOverlap")
      assert.deepStrictEqual(error.rules, [Path.join(home, "real", "not-yet")])
    }))

  test("a register that cannot be read is put aside and made anew from the live pods", ({ acquire, options, start }) =>
    Effect.gen(function* () {
      const file = Path.join(options.runtimeDir, "scopes.json")
      const child = yield* start("one", undefined, scopeOf([writes("/w")]))
      yield* holding(child)
      const killed = yield* start("dead", undefined, scopeOf([writes("/v")]))
      yield* holding(killed)
      yield* killed.signal("SIGKILL")
      for (const broken of [`{"version":1,"pods":[{"pod_na`, ""]) {
        Fs.writeFileSync(file, broken)
        const error = yield* refused(acquire("two", undefined, scopeOf([writes("/w/sub")])))
        assert.strictEqual(error.reason, "ScopeOverlap", broken)
        assert.strictEqual(error.owner?.pid, child.pid)
        yield* Effect.scoped(acquire("two", undefined, scopeOf([writes("/v")])))
        assert.deepStrictEqual(podsIn(options), ["one"])
      }
      Fs.rmSync(file)
      assert.strictEqual((yield* refused(acquire("two", undefined, scopeOf([writes("/w")])))).reason, "ScopeOverlap")
      const aside = Fs.readdirSync(options.runtimeDir).filter((name) => name.startsWith("scopes.json.broken-"))
      assert.isAtLeast(aside.length, 1)
    }))

  test("an entry that nobody took back is in nobody's way, even if its process runs", ({ acquire, options }) =>
    Effect.gen(function* () {
      yield* acquire("one", undefined, scopeOf([writes("/w")]))
      editScopes(options, (entry) => ({ ...entry, pod_name: "ended", scope: scopeOf([writes("/v")]) }))
      yield* acquire("two", undefined, scopeOf([writes("/v")]))
      assert.deepStrictEqual(podsIn(options), ["two"])
    }))

  test("who only looks makes no file", ({ acquire, options }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* LeaseInspector.ownerOf({ ...options, podName: "agent" }), undefined)
      assert.isFalse(Fs.existsSync(options.runtimeDir))
      yield* acquire("agent", "session", scopeOf([writes("/w")]))
      const before = treeOf(Path.dirname(options.runtimeDir))
      const [agent, nobody] = yield* LeaseInspector.inspect(options, ["agent", "nobody"])
      assert.strictEqual(nobody, undefined)
      const { boot_id: _, start_time: __, ...known } = agent!
      assert.deepStrictEqual(known, {
        pod_name: "agent",
        session_id: "session",
        pid: process.pid,
        socket: "/run/agent/sock",
        by: "flock",
        scope: scopeOf([writes("/w")]),
        stopped: false
      })
      assert.deepStrictEqual(treeOf(Path.dirname(options.runtimeDir)), before)
    }))

  test("looking at many pods, also while they start, refuses none of them", ({ acquire, options }) =>
    Effect.gen(function* () {
      const names = Array.from({ length: 16 }, (_, n) => `pod-${n}`)
      for (const name of names) yield* Effect.scoped(acquire(name))
      // What a killed owner leaves: a record behind which there is nobody, so that every look takes the lock.
      for (const name of names) {
        Fs.writeFileSync(
          Path.join(options.runtimeDir, ".locks", `${name}.lock`),
          recordOf(options, { pod_name: name, pid: 1, start_time: "1" })
        )
      }
      const looks = Effect.forEach([1, 2, 3], () => LeaseInspector.inspect(options, names), { concurrency: 3 })
      const starts = Effect.forEach(names.slice(0, 4), (name) => acquire(name), { concurrency: 2 })
      yield* Effect.all([looks, starts], { concurrency: 2 })
      const seen = yield* LeaseInspector.inspect(options, names)
      assert.deepStrictEqual(
        seen.flatMap((owner) => (owner === undefined ? [] : [owner.pod_name])),
        names.slice(0, 4)
      )
    }))

  test("one kind of lock does not pass the other by", ({ acquire, options }) =>
    Effect.gen(function* () {
      const bySocket = Lease.layer({ ...options, flock: "no-such-program" })
      const other = (podName: string) =>
        Effect.provide(
          Effect.flatMap(Service, (lease) => lease.acquire(requestOf(podName, "another"))),
          bySocket
        )
      yield* acquire("agent")
      assert.strictEqual((yield* refused(other("agent"))).reason, "PodHeld")
      yield* other("second")
      assert.strictEqual((yield* refused(acquire("second"))).reason, "PodHeld")
    }))

  test("a helper that fails, and a directory that cannot be used, are said in a sentence", ({ options }) =>
    Effect.gen(function* () {
      const attempt = (changed: object) =>
        Effect.flatMap(Service, (lease) => lease.acquire(requestOf("agent"))).pipe(
          Effect.provide(Lease.layer({ ...options, ...changed })),
          Effect.flip
        )
      const broken = Path.join(root, "broken-flock")
      Fs.writeFileSync(broken, "#!/bin/sh\necho no locks available >&2\nexit 71\n", { mode: 0o755 })
      const helper = yield* attempt({ flock: broken })
      assert.strictEqual(helper.reason, "Unavailable")
      assert.include(helper.message, "no locks available")
      assert.include(helper.message, "local disk")
      const file = Path.join(root, "a-file")
      Fs.writeFileSync(file, "")
      const unusable = yield* attempt({ runtimeDir: Path.join(file, "run") })
      assert.strictEqual(unusable.reason, "Unavailable")
      assert.include(unusable.message, Path.join(file, "run"))
      assert.include(unusable.message, "EFFECT_POD_RUNTIME_DIR")
    }))
})

const treeOf = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync(directory, { recursive: true })
    .map(String)
    .toSorted()
    .map((path) => {
      const { mtimeMs, size } = Fs.statSync(Path.join(directory, path))
      return `${path} ${size} ${mtimeMs}`
    })
