/** What a newcomer runs first: the quickstart, the demonstration of a crash, the examples. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { eventually, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { makePlace, type Place, serve } from "../support/cli.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const node = (
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {}
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: options.cwd ?? place.cwd,
      env: { ...place.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece))
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece))
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, stdout, stderr }))
  })

describe("npm run quickstart", () => {
  const quickstart = (options?: Parameters<typeof node>[1]) => node([join(root, "scripts/quickstart.mjs")], options)
  const journalIn = (stdout: string): ReadonlyArray<Record<string, unknown>> =>
    readFileSync(/^ {2}(\/.*\.jsonl)$/m.exec(stdout)?.[1] ?? "no journal is named", "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  it("is a real turn over real files on the offline model, whatever keys there are, and says what is next", async () => {
    writeFileSync(join(place.cwd, "README.md"), "# The only readme of its kind\n")
    mkdirSync(join(place.cwd, "src"))
    writeFileSync(join(place.cwd, "src", "a.ts"), "")
    const env = { ANTHROPIC_API_KEY: "sk-ant-secret", OPENAI_API_KEY: "sk-secret" }
    const first = await quickstart({ env })
    expect([first.code, first.stderr]).toEqual([0, expect.stringMatching(/✓ Glob \*.*\n[^]*✓ Read README\.md/)])
    expect(first.stdout).toMatch(/offline model/)
    expect(first.stdout).toMatch(/The only readme of its kind/)
    for (const next of [
      /main\.js log quickstart /,
      /main\.js serve /,
      /main\.js attach work-/,
      /ANTHROPIC_API_KEY=\.\.\. /
    ]) {
      expect(first.stdout).toMatch(next)
    }
    const journal = journalIn(first.stdout)
    expect(journal.filter(({ kind }) => kind === "tool_result")).toHaveLength(3)
    expect(JSON.stringify(journal)).not.toMatch(/sk-/)

    // Again, beside a service that may write here: the same pod goes on.
    const pod = await serve(place)
    const second = await quickstart({ env })
    expect([second.code, second.stderr]).toEqual([0, expect.stringMatching(/✓ Read/)])
    expect(journalIn(second.stdout).filter(({ kind }) => kind === "user_input")).toHaveLength(2)
    await pod.kill("SIGTERM")

    // In another directory it is another pod.
    const third = await quickstart({ cwd: join(place.cwd, "src"), env })
    expect([third.code, third.stdout]).toEqual([0, expect.stringMatching(/pod quickstart-2/)])
    expect(journalIn(third.stdout).filter(({ kind }) => kind === "user_input")).toHaveLength(1)
  })

  it("passes on why it cannot be done", async () => {
    const { code, stderr, stdout } = await quickstart({ env: { EFFECT_POD_HOME: "here" } })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/EFFECT_POD_HOME is "here": expected an absolute path/)])
    expect(stdout).toBe("")
  })
})

describe("npm run demo:crash", () => {
  it("kills, starts again and checks; ends with 0 and leaves nothing behind", async () => {
    const { code, stdout } = await node([join(root, "scripts/demo-crash.mjs")], { env: { TMPDIR: place.cwd } })
    expect(stdout).not.toMatch(/^FAIL/m)
    expect(stdout).toMatch(/Everything holds\.\n$/)
    expect(stdout.match(/^ok /gm)?.length).toBeGreaterThan(15)
    expect(code).toBe(0)
    expect(readdirSync(place.cwd).filter((name) => !name.startsWith("effect-pod-pipes-"))).toEqual([])
  })

  const ways: ReadonlyArray<readonly [string, (demo: ChildProcess) => unknown, number]> = [
    ["nobody reads it any more", ({ stdout }) => stdout?.destroy(), 141],
    ["SIGHUP", (demo) => demo.kill("SIGHUP"), 129],
    ["SIGINT", (demo) => demo.kill("SIGINT"), 130],
    ["SIGTERM", (demo) => demo.kill("SIGTERM"), 143],
    ["an error that nobody catches", (demo) => demo.kill("SIGUSR2"), 1]
  ]
  it.each(ways)("leaves nothing running when it is ended by: %s", async (_, end, status) => {
    const throwing = `data:text/javascript,process.on("SIGUSR2", () => { throw new Error("out of the blue") })`
    const demo = spawn(process.execPath, ["--import", throwing, join(root, "scripts/demo-crash.mjs")], {
      cwd: place.cwd,
      env: { ...place.env, TMPDIR: place.cwd },
      stdio: ["ignore", "pipe", "ignore"]
    })
    const ended = once(demo, "exit")
    const pid = await new Promise<string>((resolve, reject) => {
      let said = ""
      demo.stdout.setEncoding("utf8").on("data", (piece: string) => {
        said += piece
        const [, service] = /the service runs: process (\d+)\n/.exec(said) ?? []
        if (service !== undefined) resolve(service)
      })
      demo.once("exit", () => reject(new Error(`it ended before its service ran:\n${said}`)))
    })
    end(demo)
    expect(await ended).toEqual([status, null])
    expect(eventually(() => !isRunning(Number(pid)))).toBe(true)
    expect(readdirSync(place.cwd).filter((name) => !name.startsWith("effect-pod-pipes-"))).toEqual([])
  })
})

describe("npm run example", () => {
  const example = (...args: ReadonlyArray<string>) =>
    node([join(root, "scripts/run-ts.mjs"), "examples", ...args], { cwd: root })

  it("two-pods: they talk to each other and end with their Scope", async () => {
    const { code, stdout } = await example("two-pods")
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /scout uses a tool: Read[^]*writer uses a tool: Created[^]*Friday it is\.[^]*scout and writer have ended/
    )
  })

  it("own-layers: a model and a store of one's own", async () => {
    const { code, stdout } = await example("own-layers")
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /committed .*"user_input"[^]*answer: some pods speak backwards[^]*committed .*"run_completed"[^]*finished/
    )
  })

  it("effect-ai: a model and a toolkit of Effect's own in a pod, and the pod in a chat", async () => {
    const { code, stdout } = await example("effect-ai")
    expect(code).toBe(0)
    expect(stdout).toBe(
      'apples? One moment. I have looked: {"pieces":3} (stop, 10 tokens)\n' +
        "pears? One moment. I have looked: there is no article pears\n" +
        '{"_tag":"NoSuchArticle","article":"pears"} (stop, 10 tokens)\n'
    )
  })

  it("without a name says which there are", async () => {
    const { code, stderr } = await example()
    expect([code, stderr]).toEqual([2, expect.stringMatching(/effect-ai, own-layers, two-pods/)])
  })
})
