import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Lease from "../../../layers/runtime/Lease.ts"
import * as LeaseInspector from "../../../layers/runtime/LeaseInspector.ts"
import * as LeaseTakeover from "../../../layers/runtime/LeaseTakeover.ts"
import { type HeldLease, Lease as Service, type LeaseError } from "../../../src/runtime/Lease.ts"
import { scopeOf } from "./LeaseContract.ts"
import * as LeaseProcesses from "./LeaseProcesses.ts"

const root = Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-pod-test-")))
let script = ""
beforeAll(async () => {
  script = await LeaseProcesses.bundleChild(root)
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

const request = { podName: "agent", sessionId: "session", socket: "/run/agent/sock" }

interface World {
  readonly options: { readonly dataDir: string; readonly runtimeDir: string }
  readonly start: (hangs?: boolean) => Effect.Effect<LeaseProcesses.LeaseProcess, never, Scope.Scope>
  readonly owner: Effect.Effect<LeaseInspector.Owner>
  readonly acquire: Effect.Effect<HeldLease, LeaseError, Scope.Scope>
}

type Failure = LeaseError | LeaseTakeover.TakeoverRefused | "ended" | "killed"

const test = (title: string, body: (world: World) => Effect.Effect<void, Failure, Scope.Scope>) =>
  it.live(title, () =>
    Effect.suspend(() => {
      const home = Fs.mkdtempSync(Path.join(root, "x-"))
      const options = { dataDir: Path.join(home, "data"), runtimeDir: Path.join(home, "run") }
      const start: World["start"] = Effect.fnUntraced(function* (hangs = false) {
        const child = yield* LeaseProcesses.start(script, { options, request, scope: scopeOf([]), hangs })
        assert.deepStrictEqual(yield* child.says, { held: true, pid: child.pid })
        return child
      })
      const owner = Effect.map(
        Effect.orDie(LeaseInspector.ownerOf({ ...options, podName: "agent" })),
        (found) => found!
      )
      const acquire = Effect.provide(
        Effect.flatMap(Service, (lease) => lease.acquire(request)),
        Lease.layer(options)
      )
      return Effect.scoped(body({ options, start, owner, acquire }))
    })
  )

const bystander = Effect.acquireRelease(
  Effect.callback<ChildProcess>((resume) => {
    const child = spawn("sleep", ["600"], { stdio: "ignore" })
    child.once("spawn", () => resume(Effect.succeed(child)))
  }),
  (child) => Effect.sync(() => void child.kill("SIGKILL"))
)

/** Neither ended nor continued: it is still stopped, as it was left. */
const untouched = (child: ChildProcess) => {
  assert.deepStrictEqual([child.exitCode, child.signalCode], [null, null])
  assert.strictEqual(statOf(child.pid!)[0], "T")
}

const statOf = (pid: number): ReadonlyArray<string> => {
  const text = Fs.readFileSync(`/proc/${pid}/stat`, "utf8")
  return text.slice(text.lastIndexOf(")") + 2).split(" ")
}

describe.skipIf(process.platform !== "linux")("LeaseTakeover", () => {
  test("a stopped owner ends on SIGTERM, and its place is free", ({ acquire, options, owner, start }) =>
    Effect.gen(function* () {
      const child = yield* start()
      yield* child.signal("SIGSTOP")
      const found = yield* owner
      assert.isTrue(found.stopped)
      const how = yield* LeaseTakeover.end({ ...options, podName: "agent", owner: found, grace: "10 seconds" })
      assert.strictEqual(how, "ended")
      yield* acquire
    }))

  test("an owner that hangs is killed after its grace", ({ acquire, options, owner, start }) =>
    Effect.gen(function* () {
      yield* start(true)
      const found = yield* owner
      const how = yield* LeaseTakeover.end({ ...options, podName: "agent", owner: found, grace: "200 millis" })
      assert.strictEqual(how, "killed")
      yield* acquire
    }))

  test("a record that names another process brings no signal to it, whatever matches", ({ options, owner, start }) =>
    Effect.gen(function* () {
      const child = yield* start()
      const found = yield* owner
      const other = yield* bystander
      const pid = other.pid!
      other.kill("SIGSTOP")
      while (statOf(pid)[0] !== "T") yield* Effect.yieldNow
      const startTime = statOf(pid)[19]!
      const records = [
        // The pid was given to another process.
        { ...found, pid, start_time: "1" },
        // It has the lock open, and is not the process that wrote the record.
        { ...found, start_time: "1" },
        // The boot was another one.
        { ...found, pid, start_time: startTime, boot_id: "0b5c0f0e-0000-4000-8000-000000000000" },
        // The process is all that it is said to be, and has nothing to do with the pod.
        { ...found, pid, start_time: startTime },
        // Nothing tells the process from a later one.
        { ...found, pid, start_time: null, boot_id: null },
        // Somebody has put us into it.
        { ...found, pid: process.pid, start_time: statOf(process.pid)[19]! }
      ]
      for (const record of records) {
        const refused = yield* Effect.flip(
          LeaseTakeover.end({ ...options, podName: "agent", owner: record, grace: "1 second" })
        )
        assert.strictEqual(refused._tag, "TakeoverRefused")
        assert.include(refused.message, `process ${record.pid}`)
        assert.include(refused.message, "no process was signalled")
        untouched(other)
      }
      assert.strictEqual((yield* owner).pid, child.pid)
    }))
})
