/** What counts as an answer of whoever sits at `attach` and `run`, and what does not, in the built program. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { spawn, spawnSync } from "node:child_process"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, program, run, serve } from "../support/cli.ts"
import { connectNative } from "../support/e2eClient.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const touch = { tool: "Bash", id: "c1", args: { command: "echo ran > ran.txt" } }
const manifest = () =>
  scriptedManifest(place.cwd, [[touch], [{ text: "as you wish" }]], '[permissions]\ndefault_action = "ask"\n')
const ran = () => existsSync(join(place.cwd, "ran.txt"))

describe("an answer", () => {
  it("is not waited for when the input of attach has ended", async () => {
    await serve(place, ["--manifest", manifest()])
    const { code, stdout } = await run(place, ["attach", "scripted"], { input: "go\n" })
    expect(stdout).toMatch(/needs approval:[^]*denied by effect-pod[^]*as you wish/)
    expect(code).toBe(0)
    expect((await run(place, ["log", "scripted", "--json"])).stdout).toContain("the input has ended")
    expect(ran()).toBe(false)
  })

  it("is left to others where attach has only looked on", async () => {
    const pod = await serve(place, ["--manifest", manifest()])
    const { client } = await connectNative(pod.socket)
    await client.run("go")
    const { approval_id } = (await client.next("approval_requested")).data
    expect((await run(place, ["attach", "scripted"], { input: "" })).stdout).toContain("needs approval")
    expect((await client.request("approve", { approval_id, decision: "allow" })).data).toMatchObject({ ok: true })
    await client.next("run_end")
    expect(ran()).toBe(true)
  })

  it.skipIf(spawnSync("script", ["--version"]).status !== 0)(
    "is nothing that was typed before the question",
    async () => {
      const line = [process.execPath, program, "run", "--manifest", manifest(), "go"]
        .map((word) => `'${word}'`)
        .join(" ")
      const child = spawn("script", ["-qec", line, join(place.cwd, "typescript")], {
        cwd: place.cwd,
        env: { ...place.env, TERM: "dumb" },
        stdio: "pipe"
      })
      child.stdin.write("y\na\n")
      let text = ""
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text += piece
        if (/session ends/.test(text) && child.stdin.writable) child.stdin.end("n\n")
      })
      expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0)
      expect(text).toMatch(/needs approval:[^]*denied by effect-pod/)
      expect(ran()).toBe(false)
    }
  )
})

describe("a call of 20 MB", () => {
  it("is asked for in few words, with its length, while another client takes nothing", async () => {
    const command = `echo ${"x".repeat(20 * 1024 * 1024)}`
    const call = { tool: "Bash", id: "c1", args: { command } }
    const path = scriptedManifest(place.cwd, [[call], [{ text: "done" }]], '[permissions]\ndefault_action = "ask"\n')
    const pod = await serve(place, ["--manifest", path])
    const stalled = (await connectNative(pod.socket)).client
    stalled.pause()
    const { client } = await connectNative(pod.socket)
    await client.run("go")
    const { data } = await client.next("approval_requested")
    expect(data.target_length).toBe(command.length)
    expect(data.target).toBe(command.slice(0, data.target.length))
    expect(JSON.stringify(data).length).toBeLessThan(100_000)
    const late = await connectNative(pod.socket, { entries: { tail: 0 } })
    expect(late.snapshot).toMatchObject({ pending_approvals: [data] })
    expect(
      (await late.client.request("approve", { approval_id: data.approval_id, decision: "deny" })).data
    ).toMatchObject({ ok: true })
    await client.next("run_end")
  })
})
