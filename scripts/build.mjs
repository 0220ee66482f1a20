/**
 * The two builds, side by side:
 *   - the library (tsc): dist/src and dist/layers, one file each, with types and maps;
 *   - the program (rolldown): dist/main.js with dist/chunks/program.js and start-*.js, the files that a start reads, and
 *     in dist/chunks what is loaded through `import()` when it is first used: vendors' SDKs and the commands beside
 *     `serve`.
 *
 * Both go to a directory of their own that takes the place of `dist` at the end: a failed build leaves the old one.
 */
import { spawn } from "node:child_process"
import { chmodSync, copyFileSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { rolldown } from "rolldown"
import { writeCatalog } from "./catalog.mjs"
import { root } from "./project.mjs"
import { buildStampFile, sourceStamp } from "./stamps.mjs"

const entries = { main: join(root, "src", "main.ts"), program: join(root, "src", "cli", "Program.ts") }
/** Files that processes start from: beside whoever starts them, by the same name, in the program and in the library. */
const workers = {
  PageWorker: join(root, "layers", "web", "PageWorker.mjs"),
  PdfWorker: join(root, "layers", "pdf", "PdfWorker.mjs")
}
const stage = join(root, `.dist-${process.pid}`)

/** It finds its binary beside its own files, so it stays a package; only searches load it. */
const external = ["@vscode/ripgrep"]

/** Too heavy for a start: each would cost every pod 20-100 ms and 5-20 MB. */
const heavy = /node_modules[\\/](@anthropic-ai|@google|effect[\\/]dist[\\/]ai|openai|redis|undici)[\\/]/

/** Ours, and not a start's: what reads events, what judges commands, what some pods have. One import brings it back. */
const late = /src[\\/](cli[\\/]Client|manifest[\\/]Shell\w+|protocol[\\/](Seed)?Event|tools[\\/]WebTools)\.ts$/

/** Of all that a start reads. It takes 8 ms of processor for 100 kB where Node keeps nothing that it has compiled. */
const startLimitKilobytes = 680

const isEntry = (id) => Object.values(entries).includes(id)

const library = () =>
  new Promise((resolve, reject) => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
    const child = spawn(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", stage], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"]
    })
    child.once("error", reject)
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error("tsc found errors, see above"))))
  })

const program = async () => {
  const bundle = await rolldown({
    cwd: root,
    input: entries,
    platform: "node",
    external,
    tsconfig: "tsconfig.json",
    transform: { target: "node20.19" }
  })
  const { output } = await bundle.write({
    dir: stage,
    format: "esm",
    entryFileNames: ({ name }) => (name === "main" ? "main.js" : `chunks/${name}.js`),
    chunkFileNames: "chunks/[name]-[hash].js",
    // One file for all that a start reads: else each set of modules that some command shares with it becomes a file.
    // The entries stay out of it: a chunk that imports what it shares from an entry which awaits that chunk never loads.
    codeSplitting: { groups: [{ name: "start", tags: ["$initial"], test: (id) => !isEntry(id) }] },
    sourcemap: true,
    banner: (chunk) => (chunk.name === "main" ? "#!/usr/bin/env node" : ""),
    // Functions and classes keep their names: they are what a stack trace from the field has to offer.
    minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } }
  })
  await bundle.close()
  return output.filter((file) => file.type === "chunk")
}

/** By themselves: what they need is no part of a start, and shares nothing with it. */
const workerFiles = async () => {
  const bundle = await rolldown({ cwd: root, input: workers, platform: "node", transform: { target: "node20.19" } })
  await bundle.write({
    dir: join(stage, "chunks"),
    format: "esm",
    entryFileNames: "[name].mjs",
    sourcemap: true,
    minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } }
  })
  await bundle.close()
}

/** The chunks that are read before a command runs. */
const startOf = (chunks) => {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]))
  const start = new Set(chunks.filter((chunk) => chunk.isEntry))
  for (const chunk of start) {
    for (const name of chunk.imports) if (byName.has(name)) start.add(byName.get(name))
  }
  return [...start]
}

/** What every pod pays for must be meant to be there. */
const checkStart = (start) => {
  const tooHeavy = start.flatMap((chunk) => chunk.moduleIds).filter((id) => heavy.test(id) || late.test(id))
  if (tooHeavy.length > 0) {
    throw new Error(
      `a start would load ${relative(root, tooHeavy[0])} (and ${tooHeavy.length - 1} more modules of this kind). ` +
        "Load it through import() in the layer or the command that needs it."
    )
  }
  const packages = start.flatMap((chunk) => chunk.imports).filter((name) => external.includes(name))
  if (packages.length > 0)
    throw new Error(`a start would load ${packages[0]}. Load it through import() where it is used.`)
  if (kilobytesOf(start) > startLimitKilobytes) {
    throw new Error(
      `a start would read ${kilobytesOf(start)} kB, more than ${startLimitKilobytes}. Load what it does not need ` +
        "through import(), or raise startLimitKilobytes in scripts/build.mjs on purpose."
    )
  }
}

const kilobytesOf = (chunks) => Math.round(chunks.reduce((sum, chunk) => sum + chunk.code.length, 0) / 1024)

const replaceDist = () => {
  const dist = join(root, "dist")
  const old = `${stage}-old`
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(stage, dist)
  rmSync(old, { recursive: true, force: true })
}

const started = Date.now()
try {
  // Before the stamp: it is one of the sources.
  writeCatalog()
  const stamp = sourceStamp()
  // Both to their end: a person wants to see what both say, and neither may write behind the clean-up.
  const [bundled, ...others] = await Promise.allSettled([program(), workerFiles(), library()])
  const reasons = [bundled, ...others].flatMap((result) =>
    result.status === "rejected" ? [result.reason.message] : []
  )
  if (reasons.length > 0) throw new Error(reasons.join("\n"))
  const atStart = startOf(bundled.value)
  checkStart(atStart)
  chmodSync(join(stage, "main.js"), 0o755)
  for (const file of Object.values(workers)) copyFileSync(file, join(stage, relative(root, file)))
  writeFileSync(buildStampFile(stage), stamp)
  replaceDist()
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  process.stderr.write(`effect-pod: built dist/main.js (a start reads ${kilobytesOf(atStart)} kB) in ${seconds} s\n`)
} catch (error) {
  process.stderr.write(`effect-pod: ${error.message}\n`)
  process.exitCode = 1
} finally {
  rmSync(stage, { recursive: true, force: true })
}
