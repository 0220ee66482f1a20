/**
 * `npm run demo:crash`: what is left of a pod that is killed, and how it goes on.
 *
 * A service is killed with SIGKILL twice, once while a tool runs and once in the middle of an answer, and started again
 * each time. What is claimed is then looked up in the journal file, in the file that the tool has written to and in
 * what the service says on its socket. Ends with 1 if a claim does not hold. `--keep` leaves the directory in place.
 *
 * The model plays a script; all else is the program as it is. Nothing waits for time, everything for an event.
 */
import { spawn, spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { connect as connectSocket } from "node:net"
import { constants, tmpdir } from "node:os"
import { basename, join } from "node:path"
import { root } from "./project.mjs"

const patience = 30_000
const keep = process.argv.includes("--keep")

const place = mkdtempSync(join(realpathSync(tmpdir()), "effect-pod-demo-"))
const work = join(place, "work")
const home = join(place, "home")
const ledger = join(work, "ledger.txt")
const manifest = join(place, "manifest.toml")
const script = join(place, "script.jsonl")

// --- Telling -----------------------------------------------------------------------------------------------------------

const style = (code) => (process.stdout.isTTY ? (text) => `\u001b[${code}m${text}\u001b[0m` : (text) => text)
const [bold, green, red] = [style(1), style(32), style(31)]
const failures = []

const say = (text) => process.stdout.write(`${text}\n`)
const heading = (text) => say(`\n${bold(text)}`)
const tell = (text) => say(`    ${text}`)

const check = (claim, holds, found) => {
  if (!holds) failures.push(claim)
  say(`${holds ? green("ok  ") : red("FAIL")}  ${claim}`)
  if (!holds) tell(`found: ${JSON.stringify(found)}`)
}

const within = (promise, what) => {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} took longer than ${patience / 1000} s`)), patience)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// --- The service -------------------------------------------------------------------------------------------------------

const services = new Set()

/** However this ends: nothing that was started here goes on. In one step, because nobody waits for more at an exit. */
const leave = () => {
  for (const child of services) child.kill("SIGKILL")
  if (!keep) rmSync(place, { recursive: true, force: true, maxRetries: 10 })
}
process.once("exit", leave)
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]))
}
// Whoever was reading has gone: there is nobody left to tell.
process.stdout.once("error", () => process.exit(128 + constants.signals.SIGPIPE))

/** The model's answers from the next start on, one per call. */
const teach = (...calls) => writeFileSync(script, calls.map((steps) => `${JSON.stringify({ steps })}\n`).join(""))

const start = async () => {
  const child = spawn(process.execPath, [join(root, "dist", "main.js"), "serve", "--manifest", manifest], {
    cwd: work,
    env: { PATH: process.env.PATH, HOME: place, EFFECT_POD_HOME: home },
    stdio: ["ignore", "ignore", "pipe"]
  })
  services.add(child)
  const ended = new Promise((resolve) => {
    child.once("close", (code, signal) => {
      services.delete(child)
      resolve(code ?? signal)
    })
  })
  let said = ""
  const ready = new Promise((resolve, reject) => {
    child.once("error", reject)
    child.stderr.setEncoding("utf8").on("data", (piece) => {
      said += piece
      const line = /^POD-READY\t[^\t\n]+\t([^\t\n]+)$/m.exec(said)
      if (line !== null) resolve(line[1])
    })
    ended.then((how) => reject(new Error(`the service ended (${how}) before it was ready:\n${said}`)))
  })
  const socket = await within(ready, () => "starting the service")
  tell(`the service runs: process ${child.pid}`)
  const kill = (signal) => {
    child.kill(signal)
    return within(ended, () => `the end by ${signal}`)
  }
  return { socket, kill }
}

// --- A client ----------------------------------------------------------------------------------------------------------

/** Speaks the native protocol. Every line from the pod goes to whoever waits for one like it. */
const connect = async (path) => {
  const socket = connectSocket(path)
  const lines = []
  const waiting = new Set()
  let closed = false
  const wake = () => {
    for (const look of waiting) look()
  }
  let rest = ""
  socket.setEncoding("utf8").on("data", (piece) => {
    const parts = (rest + piece).split("\n")
    rest = parts.pop()
    lines.push(...parts.map((text) => JSON.parse(text)))
    wake()
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    closed = true
    wake()
  })
  const next = (what, matches) =>
    within(
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find(matches)
          if (found === undefined && !closed) return
          waiting.delete(look)
          if (found === undefined) reject(new Error(`the connection ended before ${what}`))
          else resolve(found.data)
        }
        waiting.add(look)
        look()
      }),
      () => `waiting for ${what}`
    )
  let count = 0
  const request = async (method, params) => {
    const id = `${method}-${++count}`
    socket.write(`${JSON.stringify({ method, id, params })}\n`)
    const reply = await next(`the reply to ${method}`, ({ data, event }) => event === "reply" && data.reply_to === id)
    if (!reply.ok) throw new Error(`${method} was refused: ${reply.error.message}`)
    return reply.result
  }
  socket.write(`${JSON.stringify({ method: "hello", params: { protocol: 2, client: "demo-crash" } })}\n`)
  // The first snapshot is for clients that say no hello; the one behind the welcome is ours.
  await next("the welcome", ({ event }) => event === "welcome")
  const snapshot = await next("the snapshot", ({ data, event }) => event === "snapshot" && data.seq !== undefined)
  return {
    snapshot,
    next,
    run: (text, key) => request("run", { input: [{ kind: "text", content: text }], key }),
    runEnd: (runId) => next("the end of the run", ({ data, event }) => event === "run_end" && data.run_id === runId),
    close: () => socket.destroy()
  }
}

// --- What is on disk ---------------------------------------------------------------------------------------------------

const segmentFile = () => {
  const sessions = join(home, "data", "sessions")
  const files = readdirSync(sessions, { recursive: true }).filter((name) => name.endsWith(".jsonl"))
  if (files.length !== 1) throw new Error(`expected one journal in ${sessions}, found ${files.length}`)
  return join(sessions, files[0])
}

/** Every line of the journal file, decoded; a line that cannot be decoded throws. */
const journal = () => {
  const lines = readFileSync(segmentFile(), "utf8").split("\n")
  if (lines.pop() !== "") throw new Error("the last line of the journal is not whole")
  return lines.map((line) => JSON.parse(line))
}

const inputs = (text) =>
  journal().filter((entry) => entry.kind === "user_input" && entry.segments.some((segment) => segment.content === text))
const ends = (runId) =>
  journal().filter(
    (entry) => entry.run_id === runId && (entry.kind === "run_completed" || entry.kind === "run_errored")
  )
const results = (callId) => journal().filter((entry) => entry.kind === "tool_result" && entry.item.call_id === callId)
const started = (callId) =>
  journal().filter(
    (entry) => entry.domain === "pod.tool" && entry.payload.op === "started" && entry.payload.call_id === callId
  )
const ledgerLines = () =>
  readFileSync(ledger, "utf8")
    .split("\n")
    .filter((line) => line !== "")

/** Processes with the mark in their command line. One that has ended and waits to be collected has none any more. */
const marked = () => {
  const listed = existsSync("/proc/self/cmdline")
    ? readdirSync("/proc").flatMap((pid) => {
        try {
          return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8")] : []
        } catch {
          return []
        }
      })
    : spawnSync("ps", ["-A", "-o", "command="], { encoding: "utf8" }).stdout.split("\n")
  return listed.filter((line) => line.includes(`# ${mark}`)).length
}

/** For processes that are being killed by the watcher of the pod: it is looked for them until they are gone. */
const gone = async () => {
  const end = Date.now() + patience
  while (marked() > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  return marked() === 0
}

// --- The demonstration -------------------------------------------------------------------------------------------------

const pay = "Pay the invoice."
// The comment tells the processes of this call from all others, under whatever number they see themselves.
const mark = basename(place)
const payCommand = `echo paid >> ledger.txt; echo the money is on its way; sleep 3600; true # ${mark}`

const killedInTool = async () => {
  heading("1. A run is given to the pod, and its tool does something that can be seen.")
  teach([{ text: "I will pay it." }, { tool: "Bash", id: "pay-1", args: { command: payCommand, timeout: 600 } }])
  const service = await start()
  const client = await connect(service.socket)
  const accepted = await client.run(pay, "invoice-17")
  tell(`run ${accepted.run_id} was accepted under the key invoice-17`)
  await client.next(
    "the tool's output",
    ({ data, event }) => event === "tool_output" && data.text.includes("on its way")
  )
  tell(`the tool runs, and ledger.txt says: ${ledgerLines().join(", ")}`)
  const running = marked()

  heading("2. kill -9, while the tool runs.")
  await service.kill("SIGKILL")
  client.close()
  check("the tool's processes died with the service", running > 0 && (await gone()), `${running}, then ${marked()}`)
  check("the journal has the input", inputs(pay).length === 1, inputs(pay))
  check("and that the tool was started, written before it was", started("pay-1").length === 1, started("pay-1"))
  check(
    "and no word about how it ended",
    results("pay-1").length + ends(accepted.run_id).length === 0,
    journal().slice(-3)
  )
  return accepted
}

const wentOn = async (accepted) => {
  heading("3. It is started again.")
  teach([{ text: "The payment was interrupted; the ledger has it. " }, { text: "I will not pay twice." }])
  const service = await start()
  const client = await connect(service.socket)
  const { entries, status } = client.snapshot
  check("the pod is idle and shows the log as it stands in the file", status === "idle" && entries.length > 0, status)
  check("the input is there once", inputs(pay).length === 1, inputs(pay))
  const [end] = ends(accepted.run_id)
  check(
    "the run that was cut is closed, once, as interrupted",
    ends(accepted.run_id).length === 1 && end.outcome.result === "interrupted",
    ends(accepted.run_id)
  )
  const [result] = results("pay-1")
  check(
    "the tool call is answered, once: whether it had its effect is unknown",
    results("pay-1").length === 1 && result.item.is_error === true,
    results("pay-1")
  )
  tell(`it says: ${result?.item.summary}`)

  heading("4. The client does not know whether its run had arrived, and sends it again under the same key.")
  const again = await client.run(pay, "invoice-17")
  check("it gets the same answer as the first time", again.run_id === accepted.run_id, [again, accepted])
  check("and nothing is run", inputs(pay).length === 1 && started("pay-1").length === 1, journal().slice(-3))

  heading("5. The pod goes on.")
  const next = await client.run("What happened?")
  const { result: how } = await client.runEnd(next.run_id)
  const answer = journal().findLast((entry) => entry.kind === "assistant_item" && entry.item.kind === "message")
  tell(`the pod answers: ${answer?.item.content[0].text}`)
  check("the next run finished", how === "finished", how)
  check("the money was paid exactly once", ledgerLines().length === 1, ledgerLines())
  client.close()
  check("a stop ends the service with 0", (await service.kill("SIGTERM")) === 0)
}

const killedInAnswer = async () => {
  heading("6. kill -9 again, in the middle of an answer.")
  const half = "This sentence will never be"
  teach([{ text: half }, { wait: "1 hour" }, { text: " finished." }])
  const first = await start()
  const client = await connect(first.socket)
  const cut = await client.run("Tell me a story.")
  await client.next("a part of the answer", ({ data, event }) => event === "text_delta" && data.text === half)
  await first.kill("SIGKILL")
  client.close()

  teach([{ text: "Once upon a time. The end." }])
  const second = await start()
  const back = await connect(second.socket)
  check("the input is there once", inputs("Tell me a story.").length === 1, inputs("Tell me a story."))
  const [end] = ends(cut.run_id)
  check("its run is closed as interrupted", ends(cut.run_id).length === 1 && end.outcome.result === "interrupted", end)
  check("what was half said is in no message", !readFileSync(segmentFile(), "utf8").includes(half))
  const next = await back.run("Once more, please.")
  const { result } = await back.runEnd(next.run_id)
  check("the next run finished", result === "finished", result)
  back.close()
  check("a stop ends the service with 0", (await second.kill("SIGTERM")) === 0)
  check("and nothing is left of it but its journal", !existsSync(second.socket), second.socket)
}

const finale = () => {
  heading("7. The journal, from its first line to its last.")
  const open = new Set()
  let legs = 0
  for (const entry of journal()) {
    if (entry.domain === "pod.run" && entry.payload.op === "start") {
      open.add(`${entry.payload.run_id}/${entry.payload.leg}`)
      legs += 1
    }
    if (entry.kind === "run_completed" || entry.kind === "run_errored") open.delete(`${entry.run_id}/${entry.leg}`)
  }
  check(`all ${legs} runs have an end`, legs === 4 && open.size === 0, [legs, ...open])
  tell(`${journal().length} entries; two kills have cost nothing that was accepted, and have repeated nothing`)
}

const toml = `
[pod]
name = "demo"

[model]
scheme = "scripted"
script = ${JSON.stringify(script)}

[[scope.allow]]
target = ${JSON.stringify(work)}
permission = "write"
`

const main = async () => {
  mkdirSync(work)
  writeFileSync(manifest, toml)
  say(`A pod in ${place}, on a model that plays a script.`)
  await wentOn(await killedInTool())
  await killedInAnswer()
  finale()
}

try {
  await main()
} catch (error) {
  failures.push(error.message)
  say(`${red("FAIL")}  ${error.message}`)
}
if (keep) say(`\nleft in place: ${place}`)
say(
  failures.length === 0
    ? `\n${green("Everything holds.")}`
    : `\n${red(`${failures.length} of the claims do not hold.`)}`
)
process.exitCode = failures.length === 0 ? 0 : 1
