/**
 * `npm run quickstart`: one real turn in the current directory, on the embedded offline model, whatever keys are set.
 *
 * It goes through the program's own commands, in the user's own directories, so that all of it can be found again.
 * The pod may read the directory and change nothing in it. A second call goes on with the same pod.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "./project.mjs"

const program = join(root, "dist", "main.js")
// npm runs scripts in the directory of package.json and says here where it was called.
const cwd = realpathSync(process.env.INIT_CWD ?? process.cwd())
const request = "Look around."

const say = (text) => process.stdout.write(`${text}\n`)

// A Ctrl-C reaches the command as well, and its end is ours.
process.on("SIGINT", () => {})

/** Runs a command to its end. Its output is shown, or returned where it is captured. */
const command = (args, { capture = false } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      stdio: ["ignore", capture ? "pipe" : "inherit", "inherit"]
    })
    let stdout = ""
    child.stdout?.setEncoding("utf8").on("data", (piece) => (stdout += piece))
    child.once("error", reject)
    child.once("close", (code) => resolve({ code: code ?? 1, stdout }))
  })

const load = (path) => import(pathToFileURL(join(root, "dist", path)).href)

const canGoOn = (pod) => pod.cwd === cwd && (pod.state === "restorable" || pod.state === "stopped")

/** A name that nobody has, or that of a pod of this directory which is not running: it goes on. */
const chooseName = (pods) => {
  for (let n = 1; ; n++) {
    const name = n === 1 ? "quickstart" : `quickstart-${n}`
    const pod = pods.find((known) => known.name === name)
    if (pod === undefined || canGoOn(pod)) return name
  }
}

const manifest = (name) => `
[pod]
name = ${JSON.stringify(name)}

[model]
scheme = "offline"

[[scope.allow]]
target = ${JSON.stringify(cwd)}
permission = "read"
`

const turn = async (name) => {
  const directory = mkdtempSync(join(tmpdir(), "effect-pod-quickstart-"))
  try {
    const file = join(directory, "quickstart.toml")
    writeFileSync(file, manifest(name))
    return (await command(["run", "--manifest", file, "--cwd", cwd, request])).code
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const journalOf = async (name) => {
  const { stdout } = await command(["status", name, "--json"], { capture: true })
  const { segment_id, session_id } = JSON.parse(stdout)
  const [Effect, Directories] = await Promise.all([import("effect/Effect"), load("layers/runtime/Directories.js")])
  const { sessions } = Effect.runSync(Directories.resolve(process.env, homedir()))
  return join(sessions, session_id, `${segment_id}.jsonl`)
}

/** Lines of a command and what it is for, one below the other. */
const columns = (rows) => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}`).join("\n")
}

const main = async () => {
  const listed = await command(["list", "--json"], { capture: true })
  if (listed.code !== 0) return listed.code
  const name = chooseName(JSON.parse(listed.stdout))
  say(`One turn of the pod ${name}, which may read ${cwd}. The request: ${request}\n`)
  const code = await turn(name)
  if (code !== 0) return code

  const call = cwd === root ? "node dist/main.js" : `node ${program}`
  const start = cwd === root ? "npm start" : `${call} serve`
  const { sanitisePodName } = await load("src/manifest/PodName.js")
  say(`
Each step was written to the journal before it had an effect. It is one file of JSON lines:
  ${await journalOf(name)}

What next:
${columns([
  [`${call} log ${name}`, "the same, to be read"],
  [start, "a service in this directory"],
  [`${call} attach ${sanitisePodName(basename(cwd))}`, "talk to it, from another terminal"],
  [`ANTHROPIC_API_KEY=... ${start}`, "the service with a real model; OPENAI_API_KEY will do as well"],
  [`${call} help`, "all commands"]
])}`)
  return 0
}

process.exitCode = await main()
