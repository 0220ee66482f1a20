/** A real disk that is full, and has room again: the built program with its data on a small tmpfs. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, run, serve } from "../support/cli.ts"
import { accepted, connectNative, turn } from "../support/e2eClient.ts"
import { answers, expectSound, inputs, readJournal, terminals } from "../support/e2eJournal.ts"
import { keys, vendorManifest } from "../support/e2eManifest.ts"
import { Gate, say, VendorServer } from "../support/VendorServer.ts"

const mount = (path: string, kilobytes: number): boolean =>
  spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k,mode=0700`, "tmpfs", path]).status === 0
const unmount = (path: string) => spawnSync("umount", ["-l", path])

/** Root may, on Linux, where the kernel lets it. */
const probe = makePlace()
const canMount = mount(probe.cwd, 16)
if (canMount) unmount(probe.cwd)
afterAll(() => probe.remove())

/** More than what may still be free in the last page of the file. */
const long = "x".repeat(12_000)

describe.skipIf(!canMount)("on a disk that is full", () => {
  let place: Place
  let server: VendorServer
  let data: string

  beforeEach(async () => {
    place = makePlace(keys)
    server = await VendorServer.start()
    data = join(place.home, "data")
    mkdirSync(data, { recursive: true, mode: 0o700 })
    expect(mount(data, 128)).toBe(true)
  })
  afterEach(async () => {
    await Promise.all(Array.from(place.running, ({ kill }) => kill("SIGKILL")))
    unmount(data)
    await place.remove()
    await server.stop()
  })

  const filler = () => join(data, "filler")
  /** Takes every page that is left. */
  const fill = () => {
    for (let size = 128 * 1024; size >= 4_096; size -= 4_096) {
      try {
        writeFileSync(filler(), Buffer.alloc(size))
        return
      } catch {
        rmSync(filler(), { force: true })
      }
    }
  }
  const makeRoom = () => rmSync(filler())

  const start = async () => {
    const pod = await serve(place, ["--manifest", vendorManifest(place, "anthropic", server.anthropicUrl)])
    return { pod, ...(await connectNative(pod.socket)) }
  }

  it("refuses input with a typed error and what to do, and takes it when there is room", async () => {
    const { client, pod } = await start()
    server.reply(say([{ text: "one" }]), say([{ text: "two" }]))
    await turn(client, "first")
    const before = readJournal(place)
    fill()
    for (const refused of [
      await client.run(long, { key: "k" }),
      await client.request("notify", { message: long }),
      await client.run(long, { key: "k" })
    ]) {
      expect(refused.data).toMatchObject({
        ok: false,
        error: {
          code: "storage_error",
          message: expect.stringContaining("ENOSPC"),
          hint: expect.stringContaining("free some space")
        }
      })
    }
    expect(readJournal(place)).toEqual(before)
    makeRoom()
    expect(accepted(await client.run(long, { key: "k" }))).toMatchObject({ synced: true })
    expect((await client.next("run_end")).data).toMatchObject({ result: "finished" })
    await pod.kill("SIGKILL")
    await start()
    const entries = readJournal(place)
    expectSound(entries)
    expect(inputs(entries)).toEqual(["first", long])
    expect(answers(entries)).toEqual(["one", "two"])
  })

  it("stops a run before its tools, says so, and writes the end when there is room", async () => {
    const { client, pod } = await start()
    const gate = new Gate()
    const args = { command: "echo done >> effects.txt" }
    server.reply(say([{ text: long }, { gate }, { tool: "Bash", id: "c1", args }]), say([{ text: "well" }]))
    const { run_id } = accepted(await client.run("first"))
    await gate.reached
    fill()
    gate.open()
    const ended = await client.next("run_end")
    expect(ended.data).toMatchObject({ run_id, result: "failed", error: { code: "storage_error", phase: "store" } })
    expect(existsSync(join(place.cwd, "effects.txt"))).toBe(false)
    makeRoom()
    expect(await turn(client, "second")).toMatchObject({ result: "finished" })
    await pod.kill("SIGKILL")
    await start()
    const entries = readJournal(place)
    expectSound(entries)
    expect(inputs(entries)).toEqual(["first", "second"])
    expect(terminals(entries).map(({ outcome }) => outcome?.result)).toEqual(["failed", "finished"])
    expect(existsSync(join(place.cwd, "effects.txt"))).toBe(false)
  })

  it("begins no session, and does when there is room", async () => {
    const { client, pod } = await start()
    fill()
    expect((await client.run(long)).data).toMatchObject({ ok: false, error: { code: "storage_error" } })
    makeRoom()
    server.reply(say([{ text: "here" }]))
    expect(await turn(client, "first")).toMatchObject({ result: "finished" })
    await pod.kill("SIGTERM")
    const entries = readJournal(place)
    expectSound(entries)
    expect(inputs(entries)).toEqual(["first"])
  })

  it("starts no pod, and says why", async () => {
    fill()
    const manifest = vendorManifest(place, "anthropic", server.anthropicUrl)
    const { code, stderr } = await run(place, ["serve", "--manifest", manifest])
    expect([code, stderr]).toEqual([1, expect.stringContaining("ENOSPC")])
    makeRoom()
    expect((await start()).snapshot.status).toBe("idle")
  })
})
