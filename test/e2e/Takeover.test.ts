import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { spawn } from "node:child_process"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { bundleChild } from "../layers/runtime/LeaseProcesses.ts"
import { type Ended, makePlace, type Place, run, serve } from "../support/cli.ts"

let place: Place
const scripts = mkdtempSync(join(tmpdir(), "effect-pod-test-"))
let leaseChild = ""

beforeAll(async () => {
  leaseChild = await bundleChild(scripts)
})
afterAll(() => rmSync(scripts, { recursive: true, force: true }))
beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const json = ({ stdout }: Ended) => JSON.parse(stdout) as Record<string, unknown>

describe.skipIf(process.platform !== "linux")("--takeover", () => {
  it("ends a stopped owner and goes on with its session; without it the start is refused", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const entries = json(await run(place, ["status", "p", "--json"]))["entries"]
    const old = await serve(place, ["--pod", "p"])
    old.child.kill("SIGSTOP")
    const refused = await run(place, ["serve", "--pod", "p"])
    assert.strictEqual(refused.code, 4)
    assert.match(refused.stderr, /is stopped[^]*--takeover/)
    const pod = await serve(place, ["--pod", "p", "--takeover"])
    // It was told to stop and let go on, so that it could end in order.
    assert.strictEqual((await old.ended).code, 0)
    assert.match(
      pod.stderr(),
      new RegExp(`process ${old.pid} holds it and was stopped[^]*process ${old.pid} has ended`)
    )
    assert.deepInclude(json(await run(place, ["status", "p", "--json"])), { state: "live", pid: pod.pid, entries })
    await pod.kill("SIGTERM")
  })

  it("run takes the place of a stopped owner too", async () => {
    const old = await serve(place, ["--pod", "p"])
    old.child.kill("SIGSTOP")
    const ended = await run(place, ["run", "--pod", "p", "--takeover", "hello"])
    assert.strictEqual(ended.code, 0)
    assert.include(ended.stderr, `process ${old.pid} has ended`)
    assert.include(ended.stdout, "offline model")
    await old.ended
  })

  it("leaves a pod alone that answers: serve is refused, run talks to it", async () => {
    const pod = await serve(place, ["--pod", "p"])
    const refused = await run(place, ["serve", "--pod", "p", "--takeover"])
    assert.strictEqual(refused.code, 4)
    assert.match(refused.stderr, /live and answers[^]*effect-pod stop p/)
    assert.strictEqual((await run(place, ["run", "--pod", "p", "--takeover", "hello"])).code, 0)
    assert.deepInclude(json(await run(place, ["status", "p", "--json"])), { state: "live", pid: pod.pid })
    assert.strictEqual((await pod.kill("SIGTERM")).code, 0)
  })

  it("kills an owner that hangs and is deaf to SIGTERM", async () => {
    const args = {
      options: { dataDir: join(place.home, "data"), runtimeDir: join(place.home, "run") },
      request: { podName: "p", sessionId: "session", socket: join(place.home, "run", "p", "sock") },
      hangs: true
    }
    const hung = spawn(process.execPath, [leaseChild, JSON.stringify(args)], { stdio: ["pipe", "pipe", "inherit"] })
    try {
      await new Promise((resolve) => hung.stdout.once("data", resolve))
      const ended = new Promise((resolve) => hung.once("exit", (_, signal) => resolve(signal)))
      const pod = await serve(place, ["--pod", "p", "--takeover", "--grace", "100ms"])
      assert.match(pod.stderr(), new RegExp(`process ${hung.pid} holds it and had not answered for 5s`))
      assert.match(pod.stderr(), new RegExp(`process ${hung.pid} was killed`))
      assert.strictEqual(await ended, "SIGKILL")
      await pod.kill("SIGTERM")
    } finally {
      hung.kill("SIGKILL")
    }
  })

  it("a start after kill -9 needs none of it, whatever process has the pid by now", async () => {
    const old = await serve(place, ["--pod", "p"])
    await old.kill("SIGKILL")
    const pod = await serve(place, ["--pod", "p"])
    assert.notInclude(pod.stderr(), "taking")
    await pod.kill("SIGKILL")
    const again = await serve(place, ["--pod", "p", "--takeover"])
    assert.notInclude(again.stderr(), "taking")
    await again.kill("SIGTERM")
  })
})
