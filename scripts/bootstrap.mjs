/**
 * Makes a fresh clone ready, and a ready one wait for nothing: installs when node_modules does not match the lockfile,
 * builds when dist does not match the sources. Needs only Node and npm, and never asks.
 *
 *   node scripts/bootstrap.mjs            install and build, each if needed
 *   node scripts/bootstrap.mjs --install  install if needed, no build
 *   node scripts/bootstrap.mjs --build    install if needed, build in any case
 *
 * It speaks on stderr alone: the stdout of `npm start` belongs to the service.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { isMain, root } from "./project.mjs"
import { isBuilt, isInstalled, markInstalled } from "./stamps.mjs"

const lockFile = join(root, ".bootstrap.lock")

const say = (line) => process.stderr.write(`effect-pod: ${line}\n`)

/** An end that has been foreseen: its message is all there is to say. */
class Refusal extends Error {}

const refuse = (message) => {
  throw new Refusal(message)
}

const seconds = (start) => `${((Date.now() - start) / 1000).toFixed(1)} s`

const requireNode = () => {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node
  const [major, minor] = wanted.replace(/^>=/, "").split(".").map(Number)
  const [ownMajor, ownMinor] = process.versions.node.split(".").map(Number)
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return
  refuse(
    `needs Node ${wanted}, and this is Node ${process.versions.node} (${process.execPath}). Install a newer one: https://nodejs.org`
  )
}

/** Both streams of the child go to stderr, whole. */
const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] })

const install = () => {
  const start = Date.now()
  say("installing the dependencies (npm ci) ...")
  const args = [
    "ci",
    "--include=dev",
    "--include=optional",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-progress",
    "--loglevel=error",
    // Some dependencies declare Node 22 and are tested here on 20: `engines` of package.json is what counts.
    "--engine-strict=false"
  ]
  // The npm that runs this script is the one to use; yarn and pnpm set the same variable.
  const own = process.env.npm_execpath
  const result =
    own !== undefined && /^npm-cli\.c?js$/.test(basename(own))
      ? run(process.execPath, [own, ...args])
      : run("npm", args)
  if (result.error !== undefined)
    refuse(`cannot start npm: ${result.error.message}. npm comes with Node: is it on the PATH?`)
  if (result.status !== 0) {
    refuse(
      `npm ci ended with ${result.status ?? result.signal}; its own words are above. ` +
        "The packages come from npm's registry: check the network or the proxy, then run the same command again."
    )
  }
  markInstalled()
  say(`installed in ${seconds(start)}`)
}

const build = () => {
  const result = run(process.execPath, [join(root, "scripts", "build.mjs")])
  if (result.status !== 0) refuse("the build failed; the reason is above. The build before it, if any, is untouched.")
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

const tryLock = () => {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: "wx" })
    return true
  } catch (error) {
    if (error.code === "EEXIST") return false
    throw error
  }
}

const lockOwner = () => {
  try {
    return Number(readFileSync(lockFile, "utf8"))
  } catch {
    return undefined
  }
}

/** Two first runs in two terminals must not install into one tree at once. The lock of a dead owner is void. */
const takeLock = async () => {
  let told = false
  while (!tryLock()) {
    const owner = lockOwner()
    if (owner === undefined) continue
    if (!isAlive(owner)) {
      rmSync(lockFile, { force: true })
      continue
    }
    if (!told) say(`waiting for process ${owner}, which installs or builds here now (it holds ${lockFile}) ...`)
    told = true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Returns when everything is in place; ends the process, with the reason said, when that cannot be. */
export const bootstrap = async ({ build: when = "if needed" } = {}) => {
  const needsBuild = () => when === "always" || (when === "if needed" && !isBuilt())
  try {
    requireNode()
    if (isInstalled() && !needsBuild()) return
    await takeLock()
    try {
      if (!isInstalled()) install()
      if (needsBuild()) build()
    } finally {
      rmSync(lockFile, { force: true })
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    say(error.message)
    process.exit(1)
  }
}

if (isMain(import.meta.url)) {
  const flag = process.argv[2]
  await bootstrap({ build: flag === "--install" ? "never" : flag === "--build" ? "always" : "if needed" })
}
