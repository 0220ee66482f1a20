/**
 * `npm run check`: everything that can be said about the sources without running them.
 *
 *   node scripts/check.mjs           every check
 *   node scripts/check.mjs lint ...  only those named
 *
 * All of them run, also behind one that failed; the exit code is 1 when any did.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { bootstrap } from "./bootstrap.mjs"
import { root } from "./project.mjs"

const tool = (...path) => join(root, "node_modules", ...path)

const checks = {
  types: [tool("typescript", "bin", "tsc"), "--noEmit", "-p", "tsconfig.json"],
  lint: [tool("oxlint", "bin", "oxlint"), "--quiet"],
  format: [tool("@biomejs", "biome", "bin", "biome"), "format", "--reporter=summary"],
  boundaries: [join(root, "scripts", "check-boundaries.mjs")],
  effect: [join(root, "scripts", "check-effect.mjs")]
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks)
const unknown = names.filter((name) => !Object.hasOwn(checks, name))
if (unknown.length > 0) {
  process.stderr.write(`unknown check ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}\n`)
  process.exit(2)
}

await bootstrap({ build: "never" })

const failed = names.filter((name) => {
  const { status } = spawnSync(process.execPath, checks[name], { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  process.stdout.write(`check ${name}: ${status === 0 ? "passed" : "FAILED"}\n`)
  return status !== 0
})
if (failed.includes("format")) process.stdout.write("`npm run format` brings the files into shape\n")
process.exitCode = failed.length > 0 ? 1 : 0
