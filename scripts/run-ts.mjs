/**
 * Runs one TypeScript file of the project on any Node that the project supports (Node 20 strips no types).
 *
 *   node scripts/run-ts.mjs FILE [ARGS]
 *   node scripts/run-ts.mjs DIRECTORY [NAME [ARGS]]   NAME.ts in it; without a name, says which there are
 *
 * The file and what it imports by path become one module for the length of the run, as deep in the tree as the file's
 * own directory, so that `new URL("../dist/main.js", import.meta.url)` means the same. Packages stay packages.
 */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs"
import { basename, isAbsolute, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { rolldown } from "rolldown"
import { root } from "./project.mjs"

const usage = (line) => {
  process.stderr.write(`${line}\n`)
  process.exit(2)
}

const chooseFile = (path, args) => {
  if (path === undefined || !existsSync(path)) usage(`no such file: ${path ?? "(none named)"}`)
  if (!statSync(path).isDirectory()) return [path, args]
  const names = readdirSync(path).flatMap((file) => (/(?<!\.test)\.ts$/.test(file) ? [basename(file, ".ts")] : []))
  const [name, ...rest] = args
  if (!names.includes(name)) {
    usage(`${name === undefined ? "name one" : `no ${name} in ${path}/`}: ${names.join(", ")}`)
  }
  return [join(path, `${name}.ts`), rest]
}

const [first, ...others] = process.argv.slice(2)
const [file, args] = chooseFile(first, others)
const stage = join(root, `.dist-run-${process.pid}`)
process.once("exit", () => rmSync(stage, { recursive: true, force: true }))

const bundle = await rolldown({
  input: resolve(file),
  platform: "node",
  // "effect-pod" is not a package here but the sources, see `paths` in tsconfig.json.
  external: (id) => !id.startsWith(".") && !isAbsolute(id) && !/^effect-pod(\/|$)/.test(id),
  tsconfig: join(root, "tsconfig.json"),
  transform: { target: "node20.19" }
})
const module = join(stage, "main.mjs")
await bundle.write({ file: module, format: "esm", codeSplitting: false, sourcemap: "inline" })
await bundle.close()

process.argv = [process.argv[0], module, ...args]
await import(pathToFileURL(module).href)
