/**
 * `npm run bench`: what the built program costs, measured from outside, beside the least that Node itself costs.
 *
 * Both are measured in turns in the same run, because machines differ and drift: read the ratios. Nothing here fails
 * because it is slow; the exit code is 1 only when something could not be measured.
 */
import { fork } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Children from "./Children.ts"
import * as Disk from "./Disk.ts"
import * as LongLog from "./LongLog.ts"
import * as Measure from "./Measure.ts"
import * as ModelServer from "./ModelServer.ts"
import * as Models from "./Models.ts"
import * as Report from "./Report.ts"
import { type Key, keys, type Values } from "./Rows.ts"
import * as Sandbox from "./Sandbox.ts"
import * as Subject from "./Subject.ts"
import * as Tree from "./Tree.ts"

const usage = `usage: npm run bench -- [--rounds N] [--only ROW,ROW] [--json FILE] [--dir DIR] [--program FILE]

  --rounds N      fresh processes per row, 5 by default
  --only ROWS     ${keys.slice(0, 7).join(" ")}
                  ${keys.slice(7, 16).join(" ")}
                  ${keys.slice(16, 28).join(" ")}
                  ${keys.slice(28, 32).join(" ")}
                  ${keys.slice(32, 36).join(" ")}
                  ${keys.slice(36).join(" ")}
  --json FILE     writes the result there as well; - is stdout, and the table then goes to stderr
  --dir DIR       where the measured processes keep their files (the system's temporary directory); its disk counts
  --program FILE  the program to measure, dist/main.js by default
`

/** However slow the machine is. */
const wholeLimit = 15 * 60_000

/** As long as a session of a day's work. */
const pastTurns = 200

const source = fileURLToPath(new URL("../bench", import.meta.url))

class UsageError extends Error {}

const readFlags = () => {
  try {
    return parseArgs({
      options: {
        rounds: { type: "string", default: "5" },
        only: { type: "string" },
        json: { type: "string" },
        dir: { type: "string", default: tmpdir() },
        program: { type: "string", default: fileURLToPath(new URL("../dist/main.js", import.meta.url)) },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

const readKeys = (only: string | undefined): ReadonlyArray<Key> => {
  if (only === undefined) return keys
  const names = only.split(",")
  const unknown = names.find((name) => !keys.some((key) => key === name))
  if (unknown !== undefined) throw new UsageError(`--only: there is no row ${unknown}`)
  return keys.filter((key) => names.includes(key))
}

const readOptions = () => {
  const flags = readFlags()
  const rounds = Number(flags.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError(`--rounds ${flags.rounds}: not a number from 1 on`)
  const program = resolve(flags.program)
  if (!existsSync(program)) throw new UsageError(`${program} is missing: npm run build makes it`)
  return { rounds, program, keys: readKeys(flags.only), json: flags.json, dir: flags.dir, help: flags.help }
}

type Options = ReturnType<typeof readOptions>

/** Measured in one process, where the session is 200 MB long. */
const longKeys = [
  "restore-long",
  "restore-long-peak",
  "attach-long",
  "attach-long-peak",
  "read-entries",
  "fork",
  "fork-disk"
] as const satisfies ReadonlyArray<Key>

/** Measured where there are many files, and a large one. */
const treeKeys = ["grep-tree", "glob-tree", "read-window"] as const satisfies ReadonlyArray<Key>

/** Not measured in the one process that lives for a while. */
const otherKeys = new Set<Key>([
  "ready",
  "first-request",
  "bash",
  "bash-fenced",
  "restart",
  "restore-1500",
  "append",
  ...longKeys,
  ...Models.dialects.flatMap(Models.decodeKeys),
  ...Models.podsKeys,
  ...treeKeys
])
const lifeKeys = keys.filter((key) => !otherKeys.has(key))

type Work = (bench: Measure.Bench) => Promise<Values>

/** One line that is written over, for somebody who watches. */
const progress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`)
}

const measure = async (options: Options, directory: string): Promise<Report.Measured> => {
  const model = await ModelServer.start(source)
  const pod = Subject.pod(options.program)
  const floor = Subject.floor(join(source, "floor.mjs"))
  const subjects = [floor, pod]
  const hasSandbox = Sandbox.isUsable()
  const wanted = (...some: ReadonlyArray<Key>) => some.some((key) => options.keys.includes(key))
  const values: { [S in Subject.SubjectName]: Array<Values> } = { floor: [], pod: [] }
  const failures: Array<string> = []
  /** False if it could not be done; the other rows are measured all the same. */
  const attempt = async (what: string, subject: Subject.Subject, work: () => Promise<Values>) => {
    progress(`${what}, ${subject.name}`)
    try {
      values[subject.name].push(await work())
      return true
    } catch (error) {
      failures.push(`${what}, ${subject.name}: ${error instanceof Error ? error.message : String(error)}`)
      return false
    }
  }
  const inNewPlace = async <A>(work: (place: Subject.Place) => Promise<A>): Promise<A> => {
    const place = Subject.makePlace(directory)
    try {
      return await work(place)
    } finally {
      Subject.removePlace(place)
    }
  }
  let dialectServer: Promise<Models.DialectServer> | undefined
  const models = async (): Promise<Models.Models> => {
    dialectServer ??= Models.startServer(source)
    return { directory: source, server: await dialectServer, program: options.program }
  }
  /** What is measured in each round where there is a past. */
  const again: Array<{ readonly what: string; readonly subject: Subject.Subject; readonly work: Work }> = []
  const givePast = async (what: string, subject: Subject.Subject, give: Work, work: Work) => {
    const place = Subject.makePlace(directory)
    const given = await attempt(`${what}: the past`, subject, () => give({ subject, model, place }))
    if (given) again.push({ what, subject, work: (bench) => work({ ...bench, place }) })
  }
  if (wanted("restart")) {
    for (const subject of subjects) {
      await givePast("restart", subject, (bench) => Measure.givePast(bench, pastTurns), Measure.restart)
    }
  }
  if (wanted("restore-1500")) {
    await givePast("restore", pod, LongLog.give, LongLog.restore)
  }
  if (wanted(...longKeys)) {
    await givePast("long log", pod, LongLog.giveLong, LongLog.restoreLong)
  }
  if (wanted(...treeKeys)) {
    await givePast("tree", pod, Tree.give, async (bench) => {
      const measured = await Tree.search(bench)
      values.floor.push(measured.floor)
      return measured.pod
    })
  }
  for (let round = 1; round <= options.rounds; round++) {
    const label = (what: string) => `round ${round}/${options.rounds}: ${what}`
    for (const subject of subjects) {
      // The floor's start tells how fast the machine is, and the pod's is what a restart is held against.
      if (subject.name === "floor" || wanted("ready", "first-request", "restart", "restore-1500")) {
        await attempt(label("start"), subject, () => inNewPlace((place) => Measure.start({ subject, model, place })))
      }
      if (wanted(...lifeKeys)) {
        await attempt(label("life"), subject, () =>
          inNewPlace((place) => Measure.life({ subject, model, place }, (key) => wanted(key)))
        )
      }
      for (const past of again.filter((candidate) => candidate.subject === subject)) {
        await attempt(label(past.what), subject, () => inNewPlace((place) => past.work({ subject, model, place })))
      }
    }
    for (const subject of subjects) {
      for (const dialect of Models.dialects.filter((each) => wanted(...Models.decodeKeys(each)))) {
        await attempt(label(`deltas of ${dialect}`), subject, async () =>
          Models.decode(await models(), subject.name, dialect)
        )
      }
      if (wanted(...Models.podsKeys)) {
        await attempt(label("100 pods"), subject, async () => Models.pods(await models(), subject.name))
      }
    }
    if (wanted("bash", "bash-fenced")) {
      const calls = (subject: Subject.Subject, ...rows: ReadonlyArray<"bash" | "bash-fenced">) =>
        attempt(label("bash"), subject, () => inNewPlace((place) => Measure.bash({ subject, model, place }, ...rows)))
      await calls(floor, "bash", "bash-fenced")
      await calls(Subject.pod(options.program, "off"), "bash")
      if (hasSandbox) await calls(Subject.pod(options.program, "required"), "bash-fenced")
    }
    if (wanted("append")) {
      await attempt(label("append"), pod, () =>
        inNewPlace(async (place) => {
          const measured = await LongLog.append({ subject: pod, model, place })
          values.floor.push(measured.floor)
          return measured.pod
        })
      )
    }
  }
  progress("")
  await model.stop()
  await (await dialectServer)?.stop()
  return { keys: options.keys, rounds: options.rounds, values, fdatasync: Disk.fdatasync(directory), failures }
}

const main = async (): Promise<number> => {
  const options = readOptions()
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  const directory = mkdtempSync(join(options.dir, "epb-"))
  const leave = () => {
    Children.endAll()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  process.once("exit", leave)
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1))
  setTimeout(() => {
    process.stderr.write(`\nbench: not done in ${wholeLimit / 60_000} minutes\n`)
    process.exit(1)
  }, wholeLimit).unref()
  const report = Report.make(await measure(options, directory))
  const out = options.json === "-" ? process.stderr : process.stdout
  out.write(Report.render(report))
  const json = `${JSON.stringify(report, undefined, 2)}\n`
  if (options.json === "-") process.stdout.write(json)
  else if (options.json !== undefined) writeFileSync(options.json, json)
  return report.failures.length === 0 ? 0 : 1
}

/**
 * The process that runs TypeScript is large, and a large process is slow to start another one. So the measuring is done
 * by a small one.
 */
const inSmallProcess = () => {
  const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
    env: { ...process.env, EFFECT_POD_BENCH: "measuring" },
    execArgv: []
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal))
  child.once("exit", (code) => process.exit(code ?? 1))
}

if (process.env["EFFECT_POD_BENCH"] === "measuring") {
  try {
    process.exit(await main())
  } catch (error) {
    const isUsage = error instanceof UsageError
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${isUsage ? usage : ""}`)
    process.exit(isUsage ? 2 : 1)
  }
} else {
  inSmallProcess()
}
