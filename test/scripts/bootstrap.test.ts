/** scripts/bootstrap.mjs as a process, in a project of its own whose npm and whose build only note that they were called. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const npm = `
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
appendFileSync("calls", "install\\n")
if (existsSync("no-network")) { console.log("first line"); console.error("getaddrinfo ENOTFOUND"); process.exit(1) }
mkdirSync("node_modules/a", { recursive: true })
`

const build = `
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { root } from "./project.mjs"
import { buildStampFile, sourceStamp } from "./stamps.mjs"
appendFileSync(root + "/calls", "build\\n")
mkdirSync(root + "/dist", { recursive: true })
writeFileSync(root + "/dist/main.js", "")
writeFileSync(buildStampFile(root + "/dist"), sourceStamp())
`

let project: string

const write = (file: string, text: string) => {
  const path = Path.join(project, file)
  Fs.mkdirSync(Path.dirname(path), { recursive: true })
  Fs.writeFileSync(path, text)
}

const remove = (file: string) => Fs.rmSync(Path.join(project, file), { recursive: true, force: true })

const packageA = (version: string) => ({ "node_modules/a": { version, integrity: `sha512-${version}` } })

const lockOf = (version: string) =>
  JSON.stringify({
    packages: { "": {}, ...packageA(version), "node_modules/other-platform": { version: "1.0.0", optional: true } }
  })

beforeEach(() => {
  project = Fs.mkdtempSync(Path.join(Os.tmpdir(), "bootstrap-"))
  for (const script of ["bootstrap.mjs", "project.mjs", "stamps.mjs"]) {
    write(`scripts/${script}`, Fs.readFileSync(Path.resolve("scripts", script), "utf8"))
  }
  write("scripts/build.mjs", build)
  write("npm-cli.js", npm)
  write("package.json", JSON.stringify({ type: "module", engines: { node: ">=20.19" } }))
  write("package-lock.json", lockOf("1.0.0"))
  write("src/main.ts", "main")
  write("layers/store/Memory.ts", "memory")
})

afterEach(() => Fs.rmSync(project, { recursive: true, force: true }))

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const start = (...args: ReadonlyArray<string>): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [Path.join(project, "scripts/bootstrap.mjs"), ...args], {
      env: { ...process.env, npm_execpath: Path.join(project, "npm-cli.js") },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const out = { stdout: "", stderr: "" }
    child.stdout.on("data", (chunk) => (out.stdout += chunk))
    child.stderr.on("data", (chunk) => (out.stderr += chunk))
    child.once("close", (code) => resolve({ code, ...out }))
  })

/** What one call of the script did, in order. */
const steps = async (...args: ReadonlyArray<string>) => {
  remove("calls")
  const { code, stderr } = await start(...args)
  assert.strictEqual(code, 0, stderr)
  const calls = Path.join(project, "calls")
  return Fs.existsSync(calls) ? Fs.readFileSync(calls, "utf8").trim().split("\n") : []
}

describe("bootstrap", () => {
  it("installs and builds once, and is silent afterwards", async () => {
    assert.deepStrictEqual(await steps(), ["install", "build"])
    assert.deepStrictEqual(await start(), { code: 0, stdout: "", stderr: "" })
  })

  it("builds again for a changed, a new and a removed source, or when told to, and for nothing else", async () => {
    await steps()
    write("test/Some.test.ts", "test")
    Fs.utimesSync(Path.join(project, "src/main.ts"), new Date(0), new Date())
    assert.deepStrictEqual(await steps(), [])
    write("src/main.ts", "niam")
    assert.deepStrictEqual(await steps(), ["build"])
    write("layers/store/Files.ts", "files")
    assert.deepStrictEqual(await steps(), ["build"])
    remove("layers/store/Files.ts")
    assert.deepStrictEqual(await steps(), ["build"])
    remove("dist")
    assert.deepStrictEqual(await steps(), ["build"])
    assert.deepStrictEqual(await steps("--build"), ["build"])
  })

  it("installs again for another lockfile and for a removed node_modules", async () => {
    await steps()
    write("package-lock.json", lockOf("1.0.1"))
    assert.deepStrictEqual(await steps(), ["install", "build"])
    remove("node_modules")
    assert.deepStrictEqual(await steps(), ["install"])
  })

  it("takes what npm installed by hand, if it is what the lockfile says", async () => {
    write("node_modules/a/package.json", "{}")
    write("node_modules/.package-lock.json", JSON.stringify({ packages: packageA("1.0.0") }))
    assert.deepStrictEqual(await steps("--install"), [])
    write("package-lock.json", lockOf("1.0.1"))
    assert.deepStrictEqual(await steps("--install"), ["install"])
  })

  it("shows all that npm said when it fails, on stderr alone, and tries again the next time", async () => {
    write("no-network", "")
    const { code, stdout, stderr } = await start()
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /first line[^]*getaddrinfo ENOTFOUND[^]*npm ci ended with 1[^]*run the same command again/)
    remove("no-network")
    assert.deepStrictEqual(await steps(), ["install", "build"])
  })

  it("keeps no mark of a failed build", async () => {
    write("scripts/build.mjs", `console.log("src/main.ts(1,1): error"); process.exit(1)`)
    const { code, stderr } = await start()
    assert.strictEqual(code, 1)
    assert.match(stderr, /src\/main\.ts\(1,1\): error[^]*the build failed/)
    write("scripts/build.mjs", build)
    assert.deepStrictEqual(await steps(), ["build"])
  })

  it("refuses an old Node by name before it does anything", async () => {
    write("package.json", JSON.stringify({ type: "module", engines: { node: ">=99.1" } }))
    const { code, stderr } = await start()
    assert.strictEqual(code, 1)
    assert.match(stderr, /needs Node >=99\.1, and this is Node \d/)
    assert.isFalse(Fs.existsSync(Path.join(project, "calls")))
  })

  it("does the work once when it is started three times at the same moment", async () => {
    const outcomes = await Promise.all([start(), start(), start()])
    assert.deepStrictEqual(
      outcomes.map(({ code }) => code),
      [0, 0, 0]
    )
    assert.strictEqual(Fs.readFileSync(Path.join(project, "calls"), "utf8"), "install\nbuild\n")
  })

  it("goes on past the mark of a process that is no more", async () => {
    write(".bootstrap.lock", "2147483646")
    assert.deepStrictEqual(await steps(), ["install", "build"])
    assert.isFalse(Fs.existsSync(Path.join(project, ".bootstrap.lock")))
  })

  it("works through a link to the project", async () => {
    const real = project
    const link = `${project}-link`
    Fs.symlinkSync(real, link)
    project = link
    assert.deepStrictEqual(await steps(), ["install", "build"])
    Fs.unlinkSync(link)
    project = real
  })
})
