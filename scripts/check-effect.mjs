/**
 * What Effect's own rules say about the sources: effects that nobody runs, errors and services that got lost, and so on.
 *
 * @effect/tsgo brings a compiler of its own, made for exactly one version of `typescript`; with another one it says which
 * it wants. Its rules are set in tsconfig.json, under `plugins`. Every report fails, a mere suggestion too: one that is
 * not meant is switched off where it stands (`// @effect-diagnostics-next-line RULE:off -- why`), or for all, there.
 */
import { spawnSync } from "node:child_process"
import { join, relative } from "node:path"
import { root } from "./project.mjs"

const program = join(root, "node_modules", "@effect", "tsgo", "dist", "effect-tsgo.cjs")
const args = ["diagnostics", "--project", join(root, "tsconfig.json"), "--format", "json"]
const { error, stderr, stdout } = spawnSync(process.execPath, [program, ...args], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024
})

const refuse = (why) => {
  process.stderr.write(`${why}\n`)
  process.exit(1)
}

const parse = () => {
  try {
    return JSON.parse(stdout)
  } catch {
    return refuse(`effect-tsgo gave no report: ${error?.message ?? `${stdout}${stderr}`.trim()}`)
  }
}

const { diagnostics, summary } = parse()
for (const { column, file, line, message, name } of diagnostics) {
  process.stdout.write(`${relative(root, file)}:${line}:${column} ${name}: ${message}\n`)
}
// Without its plugin in tsconfig.json it looks at no file and finds nothing wrong.
if (summary.filesChecked === 0 || summary.filesChecked !== summary.totalFiles) {
  refuse(`only ${summary.filesChecked} of ${summary.totalFiles} files were looked at`)
}
process.stdout.write(`effect: ${summary.filesChecked} files, ${diagnostics.length} reports\n`)
process.exitCode = diagnostics.length > 0 ? 1 : 0
