/** Approvals from the socket to the tool, in the built program: clients of both protocols, `attach`, `run`, `send`. */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { spawn, spawnSync } from "node:child_process"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, program, run, serve, start } from "../support/cli.ts"
import { connectNative, connectSeed } from "../support/e2eClient.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const asking = `[permissions]
default_action = "ask"
[[permissions.rule]]
tool = "Bash"
pattern = "true"
action = "allow"
[[permissions.rule]]
tool = "Bash"
pattern = "rm *"
action = "deny"
[[permissions.rule]]
tool = "Write"
pattern = "free/*"
action = "allow"
`

const bash = (id: string, command: string) => ({ tool: "Bash", id, args: { command } })
const touch = bash("c1", "echo ran > ran.txt")
const manifest = (calls: Parameters<typeof scriptedManifest>[1], more = asking) =>
  scriptedManifest(place.cwd, calls, more)
const ran = () => existsSync(join(place.cwd, "ran.txt"))
const logOf = async (name = "scripted") => (await run(place, ["log", name, "--json"])).stdout

describe("approvals over the socket", () => {
  it("are asked of every native client, the first answer wins, and who comes back sees them", async () => {
    const pod = await serve(place, ["--manifest", manifest([[touch], [{ text: "done" }]])])
    const seed = await connectSeed(pod.socket)
    const ann = (await connectNative(pod.socket, { client: "ann" })).client
    const bob = (await connectNative(pod.socket, { client: "bob" })).client
    await ann.run("go")
    const { data } = await ann.next("approval_requested")
    expect(data).toMatchObject({ tool: "Bash", target: "echo ran > ran.txt" })
    expect(data.expires_at).toBeGreaterThan(0)
    await bob.next("approval_requested")
    const late = await connectNative(pod.socket)
    expect(late.snapshot).toMatchObject({ pending_approvals: [data], waiting_on: { kind: "approval" } })
    const status = JSON.parse((await run(place, ["status", "scripted", "--json"])).stdout)
    expect(status).toMatchObject({ pending_approvals: 1, approvals: [{ approval_id: data.approval_id }] })
    expect((await run(place, ["inspect", "scripted"])).stdout).toContain("Bash echo ran > ran.txt (approval")
    expect(ran()).toBe(false)

    const answers = await Promise.all(
      [ann, bob].map((client) => client.request("approve", { approval_id: data.approval_id, decision: "allow" }))
    )
    const oks = answers.map((answer) => (answer.data as { readonly ok: boolean }).ok)
    expect(oks.toSorted()).toEqual([false, true])
    const winner = oks[0] === true ? "ann" : "bob"
    expect(answers[oks.indexOf(true)]?.data).toMatchObject({ result: { decision: "allow", by: winner } })
    expect(answers[oks.indexOf(false)]?.data).toMatchObject({
      error: { code: "conflict", message: expect.stringContaining(`allow by ${winner}`) }
    })
    for (const client of [ann, bob, late.client]) {
      expect((await client.next("approval_resolved")).data).toEqual({
        approval_id: data.approval_id,
        decision: "allow",
        by: winner
      })
    }
    await ann.next("run_end")
    expect(ran()).toBe(true)
    await seed.next("run_end")
    expect(seed.lines.map(({ event }) => event)).not.toContain("approval_requested")
  })

  it("are denied at once when only a client of the seed is there, or one that does not answer", async () => {
    const pod = await serve(place, ["--manifest", manifest([[touch], [{ text: "done" }]])])
    const seed = await connectSeed(pod.socket)
    const watcher = (await connectNative(pod.socket, { approvals: false })).client
    seed.send({ method: "run", params: { input: [{ kind: "text", content: "go" }] } })
    const result = await watcher.next("tool_result")
    expect(result.data).toMatchObject({ is_error: true, summary: expect.stringContaining("nobody is connected") })
    await seed.next("run_end")
    expect(watcher.lines.map(({ event }) => event)).not.toContain("approval_requested")
    expect(ran()).toBe(false)
  })

  it("are no way around a denial, and a path is judged by where it leads", async () => {
    symlinkSync(place.cwd, join(place.cwd, "free"))
    const write = (id: string, path: string) => ({
      tool: "Write",
      id,
      args: { file_path: join(place.cwd, path), content: "x" }
    })
    const calls = [
      [bash("c1", "true && r''m -rf x"), bash("c2", "$(echo rm) x"), write("c3", "free/a.txt")],
      [{ text: "done" }]
    ]
    const pod = await serve(place, ["--manifest", manifest(calls)])
    const { client } = await connectNative(pod.socket)
    await client.run("go")
    expect((await client.next("approval_requested")).data).toMatchObject({ tool: "Write", call_id: "c3" })
    await client.next("tool_result", ({ data }) => data.id === "c2")
    const denied = client.lines.flatMap((line) => (line.event === "tool_result" ? [line.data] : []))
    expect(denied.map(({ id }) => id)).toEqual(["c1", "c2"])
    expect(denied[0]?.summary).toContain("(rm -rf x)")
    expect((await client.request("cancel")).data).toMatchObject({ ok: true })
    await client.next("run_end")
    expect(existsSync(join(place.cwd, "a.txt"))).toBe(false)
  })

  it("end with the process: the next start has denied them, and what is allowed for the session stays allowed", async () => {
    const path = manifest([[touch], [{ text: "one" }], [touch], [{ text: "two" }], [bash("c3", "echo 3 > 3.txt")]])
    const first = await serve(place, ["--manifest", path])
    const { client } = await connectNative(first.socket)
    await client.run("go")
    const { approval_id } = (await client.next("approval_requested")).data
    const sent = await run(place, [
      "send",
      "scripted",
      "approve",
      JSON.stringify({ approval_id, decision: "allow_session" })
    ])
    expect(JSON.parse(sent.stdout)).toEqual({ approval_id, decision: "allow_session", by: "effect-pod" })
    await client.next("run_end")
    await client.run("again")
    await client.next("run_end")
    expect(client.lines.filter(({ event }) => event === "approval_requested")).toHaveLength(1)
    await client.run("another")
    await client.next("approval_requested")
    await first.kill("SIGKILL")

    scriptedManifest(place.cwd, [[touch], [{ text: "three" }]], asking)
    const second = await serve(place, ["--manifest", path])
    const journal = readFileSync(
      String(JSON.parse((await run(place, ["status", "scripted", "--json"])).stdout).journal),
      "utf8"
    )
    expect(journal).toContain('"decision":"deny","by":"restart"')
    expect(await logOf()).toContain("interrupted")
    const again = (await connectNative(second.socket)).client
    await again.run("after")
    expect((await again.next("run_end")).data.result).toBe("finished")
    expect(again.lines.map(({ event }) => event)).not.toContain("approval_requested")
    expect((await run(place, ["inspect", "scripted", "--json"])).stdout).toContain('"subject":"echo ran > ran.txt"')
  })
})

describe("approvals at a terminal", () => {
  it("attach shows all of what would be done, and a key answers", async () => {
    const command = "echo one\necho two > ran.txt"
    await serve(place, ["--manifest", manifest([[bash("c1", command)], [bash("c2", "echo 2")], [{ text: "done" }]])])
    const attach = start(place, ["attach", "scripted"], { input: null })
    await attach.waitFor("stdout", /\/help/)
    attach.child.stdin.write("go\n")
    await attach.waitFor("stdout", /\? Bash needs approval:\n    echo one\n    echo two > ran\.txt[^]*y allows it/)
    expect(ran()).toBe(false)
    attach.child.stdin.write("y\n")
    await attach.waitFor("stdout", /allowed by effect-pod/)
    await attach.waitFor("stdout", /needs approval:\n    echo 2/)
    attach.child.stdin.write("/deny not today\n")
    await attach.waitFor("stdout", /denied by effect-pod[^]*finished/)
    expect(ran()).toBe(true)
    expect(await logOf()).toContain("not today")
    attach.child.stdin.end()
    expect((await attach.ended).code).toBe(0)
  })

  it("run without a terminal does not answer, and goes on without the call", async () => {
    const path = manifest([[touch], [{ text: "as you wish" }]])
    const { code, stderr, stdout } = await run(place, ["run", "--manifest", path, "go"])
    expect([code, stdout]).toEqual([0, "as you wish\n"])
    expect(stderr).toMatch(/✗ Bash .*this call needs approval/)
    expect(await logOf()).toContain("nobody is connected")
    expect(ran()).toBe(false)
  })

  it.skipIf(spawnSync("script", ["--version"]).status !== 0)("run asks at a terminal, and a key answers", async () => {
    const path = manifest([[touch], [{ text: "done" }]])
    const line = [process.execPath, program, "run", "--manifest", path, "go"].map((word) => `'${word}'`).join(" ")
    const child = spawn("script", ["-qec", line, join(place.cwd, "typescript")], {
      cwd: place.cwd,
      env: { ...place.env, TERM: "dumb" },
      stdio: "pipe"
    })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      text += piece
      if (/session ends/.test(text) && child.stdin.writable) child.stdin.end("maybe\ny\n")
    })
    const code = await new Promise((resolve) => child.once("close", resolve))
    expect(text).toMatch(/Bash needs approval:[^]*echo ran > ran\.txt[^]*allowed by effect-pod[^]*done/)
    expect(code).toBe(0)
    expect(ran()).toBe(true)
  })
})

describe("a manifest that asks", () => {
  it("is not told that this does nothing", async () => {
    writeFileSync(join(place.cwd, "note.txt"), "x")
    const { stderr } = await run(place, ["doctor", "--manifest", manifest([[{ text: "x" }]])])
    expect(stderr).not.toContain("nobody can be asked")
  })
})
