/** What a service says about its fence, what it refuses without one, and that its commands cannot leave it. */
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { canFence, makeOlder } from "../support/bubblewrap.ts"
import { makePlace, type Place, run, serve, start } from "../support/cli.ts"
import { keys } from "../support/e2eManifest.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

/** A PATH that has everything but bubblewrap. */
const unfenced = (): Readonly<Record<string, string>> => {
  const bin = join(place.cwd, "../bin")
  mkdirSync(bin, { recursive: true })
  for (const directory of (process.env["PATH"] ?? "").split(":").toReversed()) {
    if (!existsSync(directory)) continue
    for (const name of readdirSync(directory)) {
      if (name === "bwrap" || existsSync(join(bin, name))) continue
      try {
        symlinkSync(join(directory, name), join(bin, name))
      } catch {
        // A link that leads nowhere is there already.
      }
    }
  }
  return { PATH: bin }
}

const sandbox = (lines: string) => `[sandbox]\n${lines}`
const bash = (command: string, more: Readonly<Record<string, unknown>> = {}) => ({
  tool: "Bash",
  id: "call",
  args: { command, ...more }
})
const json = (text: string) => JSON.parse(text) as { readonly sandbox: Readonly<Record<string, unknown>> }

/** What the commands of a run wrote. */
const outputOf = async (command: string, more = "", env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const manifest = scriptedManifest(place.cwd, [[bash(command)], [{ text: "done" }]], more)
  const { stderr, stdout } = await run(place, ["run", "--json", "--manifest", manifest, "go"], { env })
  const result = stdout.split("\n").find((line) => line.includes('"event":"tool_result"'))
  assert.isDefined(result, stderr)
  return String((JSON.parse(result as string) as { data: { output?: string } }).data.output)
}

describe("without a usable sandbox", () => {
  it("auto says so at the start, in the greeting, in status and in doctor", async () => {
    const env = unfenced()
    const manifest = scriptedManifest(place.cwd, [[]], sandbox('network = "deny"'))
    const pod = await serve(place, ["--manifest", manifest], { env })
    assert.match(pod.stderr(), /^note: Bash is not fenced: bubblewrap \(bwrap\) is not installed/m)
    assert.match(pod.stderr(), /^note: sandbox.network = "deny" is not enforced/m)
    const status = json((await run(place, ["status", "scripted", "--json"], { env })).stdout)
    assert.deepInclude(status.sandbox, { mode: "none", enforced: false })
    assert.match((await run(place, ["status", "scripted"], { env })).stdout, /^sandbox +not fenced: /m)
    await pod.kill("SIGTERM")
    const doctor = await run(place, ["doctor", "--manifest", manifest], { env })
    assert.match(doctor.stdout, /^warn +sandbox: Bash is not fenced: bubblewrap/m)
    assert.strictEqual(doctor.code, 0, doctor.stdout)
  })

  it("required refuses to start with 1, also later, when no manifest is named", async () => {
    const env = unfenced()
    const manifest = scriptedManifest(place.cwd, [[{ text: "fine" }]], sandbox('mode = "required"'))
    const refused = await run(place, ["serve", "--manifest", manifest], { env })
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stderr, /sandbox.mode = "required", but there is no usable sandbox: bubblewrap \(bwrap\)/)
    const doctor = await run(place, ["doctor", "--manifest", manifest], { env })
    assert.match(doctor.stdout, /^fail +sandbox: /m)
    assert.strictEqual(doctor.code, 1)
    if (!canFence) return
    assert.strictEqual((await run(place, ["run", "--manifest", manifest, "go"])).code, 0)
    const later = await run(place, ["serve", "--pod", "scripted"], { env })
    assert.strictEqual(later.code, 1, later.stderr)
    assert.match(later.stderr, /"required"/)
  })

  it("off does not look for one", async () => {
    const manifest = scriptedManifest(place.cwd, [[]], sandbox('mode = "off"'))
    const pod = await serve(place, ["--manifest", manifest])
    assert.notMatch(pod.stderr(), /fenced/)
    const status = json((await run(place, ["status", "scripted", "--json"])).stdout)
    assert.deepInclude(status.sandbox, { mode: "none", enforced: false })
    await pod.kill("SIGTERM")
  })

  it("keys of the environment are kept from commands all the same", async () => {
    const more = sandbox('mode = "off"\nenv_allow = ["MINE", "*_KEY"]')
    const output = await outputOf("env; set", more, { ...keys, MINE: "mine", OTHER_TOKEN: "token-secret" })
    assert.include(output, "MINE=mine")
    assert.notMatch(output, /-secret/)
  })
})

describe.skipIf(!canFence)("with a sandbox", () => {
  it("says what it enforces in status and doctor", async () => {
    const more = `${sandbox('network = "deny"')}\n[[scope.deny]]\ntarget = "keys/new"\npermission = "read"`
    const manifest = scriptedManifest(place.cwd, [[]], more)
    const pod = await serve(place, ["--manifest", manifest])
    assert.notMatch(pod.stderr(), /fenced/)
    const status = json((await run(place, ["status", "scripted", "--json"])).stdout)
    assert.deepInclude(status.sandbox, { mode: "bubblewrap", enforced: true, network: "deny" })
    assert.match(JSON.stringify(status.sandbox), /"narrower":\[".*keys stays away"/)
    const text = (await run(place, ["status", "scripted"])).stdout
    assert.match(text, /^sandbox +bubblewrap, network denied; read \//m)
    assert.notMatch(text, /^weaker/m)
    assert.match(text, /^narrower +\/.*keys stays away/m)
    await pod.kill("SIGTERM")
    const doctor = await run(place, ["doctor", "--manifest", manifest])
    assert.match(doctor.stdout, /^ok +sandbox: bubblewrap works; commands get no network/m)
    assert.match(doctor.stdout, /^warn +sandbox mounts: .*keys stays away/m)
  })

  it("says where it is weaker than elsewhere, at the start, in status and in doctor", async () => {
    const older = join(place.cwd, "../older")
    mkdirSync(older)
    makeOlder(older)
    const env = { PATH: `${older}:${process.env["PATH"]}` }
    const manifest = scriptedManifest(place.cwd, [[]])
    const pod = await serve(place, ["--manifest", manifest], { env })
    assert.match(pod.stderr(), /^note: the sandbox is weaker here: system calls are not filtered: .*--seccomp\)/m)
    const status = json((await run(place, ["status", "scripted", "--json"], { env })).stdout)
    assert.match(JSON.stringify(status.sandbox), /"weaker":\["system calls .*user namespaces.*mounts are made by name/)
    assert.match((await run(place, ["status", "scripted"], { env })).stdout, /^weaker +system calls are not filtered/m)
    await pod.kill("SIGTERM")
    const doctor = await run(place, ["doctor", "--manifest", manifest], { env })
    assert.match(doctor.stdout, /^warn +sandbox: system calls are not filtered/m)
    assert.strictEqual(doctor.code, 0, doctor.stdout)
  })

  it("commands find nothing of pods: no journal, no socket, no key, no process", async () => {
    const elsewhere = join(place.cwd, "../elsewhere")
    mkdirSync(elsewhere)
    const other = await serve(place, ["--pod", "other", "--cwd", elsewhere], { env: keys })
    const command = [
      `cat ${place.home}/data/sessions/*/*.jsonl ${place.home}/data/pods/*/metadata.json`,
      `ls ${place.home} ${place.home}/run/other`,
      "cat /proc/[0-9]*/environ | tr '\\0' '\\n'",
      "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
      "env"
    ].join("; ")
    const output = await outputOf(command, "", keys)
    assert.notMatch(output, /-secret/)
    assert.notMatch(output, /segment_start|session_id|node /)
    assert.match(output, /No such file|Permission denied/)
    await other.kill("SIGTERM")
  })

  it("kill -9 of the pod leaves no process of its commands, wherever they went", async () => {
    const pipe = join(place.cwd, "held")
    execFileSync("mkfifo", [pipe])
    const cat = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] })
    const ended = new Promise<void>((resolve) => cat.stdout.once("close", () => resolve()))
    cat.stdout.resume()
    const background = {
      tool: "Bash",
      id: "b",
      args: { command: "exec 9>held; setsid sleep 300", run_in_background: true }
    }
    const escape = "exec 9>held; (setsid sh -c 'trap \"\" TERM HUP; sleep 300' >/dev/null 2>&1 &); echo up; sleep 300"
    const manifest = scriptedManifest(place.cwd, [[background], [bash(escape)], [{ text: "done" }]])
    const turn = start(place, ["run", "--json", "--manifest", manifest, "go"])
    await turn.waitFor("stdout", /"event":"tool_output".*up/)
    await turn.kill("SIGKILL")
    await ended
  })

  it("output streams, and long output is in a file that commands can read", async () => {
    const manifest = scriptedManifest(place.cwd, [[bash("seq 3000")], [{ text: "done" }]])
    const { stdout } = await run(place, ["run", "--json", "--manifest", manifest, "go"])
    const events = stdout.split("\n").filter((line) => line !== "")
    const shown = events.flatMap((line) => {
      const { data, event } = JSON.parse(line) as { event: string; data: { text: string } }
      return event === "tool_output" ? [data.text] : []
    })
    assert.strictEqual(shown.join("").trim().split("\n").length, 3000)
    assert.include(stdout, '"output_path"')
    assert.isFalse(existsSync(join(place.home, "run/scripted")))
  })
})
