/** scripts/lts.mjs as a process, in a project of its own, with an npm that brings a shell script for a Node. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const script = Fs.readFileSync(Path.resolve("scripts/lts.mjs"), "utf8")
const version = /^const version = "(.+)"$/m.exec(script)?.[1] ?? ""

const npm = `
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
appendFileSync(new URL("calls", import.meta.url), "npm " + process.argv[2] + "\\n")
if (existsSync(new URL("trouble", import.meta.url))) {
  console.error(readFileSync(new URL("trouble", import.meta.url), "utf8"))
  process.exit(1)
}
const [name] = Object.keys(JSON.parse(readFileSync("package.json", "utf8")).dependencies)
const { integrity } = JSON.parse(readFileSync("package-lock.json", "utf8")).packages["node_modules/" + name]
if (!/^sha512-.{86}==$/.test(integrity)) throw new Error("no hash to compare with")
mkdirSync("node_modules/" + name + "/bin", { recursive: true })
writeFileSync("node_modules/" + name + "/bin/node", readFileSync(new URL("node", import.meta.url)), { mode: 0o755 })
`

const nodeOf = (says: string) => `#!/bin/sh
if [ "$1" = --version ]; then echo ${says}; exit; fi
echo "$0 $*"
echo "2 passed, 1 failed, 0 skipped"
exit 1
`

let project: string

const write = (file: string, text: string) => {
  const path = Path.join(project, file)
  Fs.mkdirSync(Path.dirname(path), { recursive: true })
  Fs.writeFileSync(path, text)
}

beforeEach(() => {
  project = Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "lts-")))
  write("scripts/lts.mjs", script)
  write("scripts/project.mjs", Fs.readFileSync(Path.resolve("scripts/project.mjs"), "utf8"))
  write("scripts/bootstrap.mjs", "export const bootstrap = async () => {}")
  write("npm-cli.js", npm)
  write("package.json", JSON.stringify({ type: "module" }))
  write("node", nodeOf(`v${version}`))
})

afterEach(() => Fs.rmSync(project, { recursive: true, force: true }))

const run = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [Path.join(project, "scripts/lts.mjs"), ...args], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], npm_execpath: Path.join(project, "npm-cli.js") }
  })
  return { status, stderr, stdout, last: stdout.trimEnd().split("\n").at(-1) }
}

const left = () => Fs.readdirSync(Path.join(project, ".lts"))

describe("the suite on the newest LTS", () => {
  it("runs on a Node that is fetched once and called by its path, and passes on how it ended", () => {
    for (const _ of [1, 2]) {
      const { last, status, stderr, stdout } = run("test/some")
      assert.deepStrictEqual([status, stderr, last], [1, "", "2 passed, 1 failed, 0 skipped"])
      assert.match(stdout, /^\/.*\/\.lts\/node-[^/]+ --import \.\/test\/support\/groupBy\.mjs \/.* run test\/some$/m)
    }
    assert.strictEqual(Fs.readFileSync(Path.join(project, "calls"), "utf8"), "npm ci\n")
    assert.lengthOf(left(), 1)
  })

  it("is skipped with npm's own words where this Node cannot be had, and tried again", () => {
    write("trouble", "getaddrinfo ENOTFOUND")
    const { last, status, stdout } = run()
    assert.deepStrictEqual([status, last], [0, "0 passed, 0 failed, 1 skipped"])
    assert.match(stdout, /^lts: skipped: Node .* cannot be had:\ngetaddrinfo ENOTFOUND/m)
    assert.deepStrictEqual(left(), [])
    Fs.rmSync(Path.join(project, "trouble"))
    assert.strictEqual(run().last, "2 passed, 1 failed, 0 skipped")
  })

  it("is skipped where this Node does not start", () => {
    write("node", "#!/bin/sh\necho 'no such loader' >&2\nexit 127\n")
    const { last, status, stdout } = run()
    assert.deepStrictEqual([status, last], [0, "0 passed, 0 failed, 1 skipped"])
    assert.match(stdout, /does not run here:\nno such loader/)
  })

  it("fails when the package is another one than was pinned", () => {
    write("trouble", "npm error code EINTEGRITY")
    const { last, status } = run()
    assert.deepStrictEqual([status, last], [1, "0 passed, 1 failed, 0 skipped"])
    assert.deepStrictEqual(left(), [])
  })

  it("fails when the program is another one than its name says", () => {
    write("node", nodeOf("v1.2.3"))
    const { last, status, stdout } = run()
    assert.deepStrictEqual([status, last], [1, "0 passed, 1 failed, 0 skipped"])
    assert.match(stdout, /is v1\.2\.3, not v/)
  })
})
