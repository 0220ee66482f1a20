/**
 * `npm run crash`: kills the built program again and again, and looks after each start whether its journal lies.
 *
 * Ends with 1 if anything was found, and keeps the journal then; with the same seed the same scripts are played again.
 * What a script meets is the machine's doing, so a violation may need several tries to be seen again.
 */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Campaign from "./Campaign.ts"
import * as Service from "./Service.ts"

const usage = `usage: npm run crash -- [--rounds N] [--seed N] [--json] [--program FILE]

  --rounds N      lives that end by a kill, 1000 by default
  --seed N        which scripts are played; the time of day by default
  --json          the report as one object on stdout
  --program FILE  the program to kill, dist/main.js by default
`

/** However slow the machine is: a round takes about half a second, and none may take this long for all of them. */
const limitPerRound = 10_000

class UsageError extends Error {}

const whole = (name: string, text: string, from: number): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < from) throw new UsageError(`--${name} ${text}: not a number from ${from} on`)
  return value
}

const readOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string", default: "1000" },
        seed: { type: "string", default: String(Date.now() % 1_000_000) },
        json: { type: "boolean", default: false },
        program: { type: "string", default: fileURLToPath(new URL("../dist/main.js", import.meta.url)) },
        help: { type: "boolean", default: false }
      }
    })
    const program = resolve(values.program)
    if (!existsSync(program)) throw new UsageError(`${program} is missing: npm run build makes it`)
    return { ...values, program, rounds: whole("rounds", values.rounds, 1), seed: whole("seed", values.seed, 0) }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

const progress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`)
}

const render = (report: Campaign.Report, seconds: number): string =>
  [
    ...report.violations.map(
      ({ claim, kept, round, story }) => `VIOLATION story ${story}, round ${round}: ${claim}\n  kept: ${kept}`
    ),
    ...(report.unavailable.length === 0 ? [] : [`not offered by this build: ${report.unavailable.join(", ")}`]),
    `seed ${report.seed}: ${report.rounds} rounds (${report.startups} killed in their start), ` +
      `${report.restarts} restarts, in ${seconds.toFixed(0)} s`,
    `${report.accepted} inputs accepted, ${report.legs} legs, ${report.tools} commands run, ` +
      `${report.rewinds} rewinds and undos, ${report.forks} forks, ${report.segments} segments, ${report.torn} torn writes cut`,
    `${report.violations.length} violations`,
    ""
  ].join("\n")

const main = async (): Promise<number> => {
  const options = readOptions()
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  process.once("exit", Service.endAll)
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1))
  setTimeout(
    () => {
      process.stderr.write(`\ncrash: not done in ${limitPerRound / 1000} s for each round\n`)
      process.exit(1)
    },
    60_000 + options.rounds * limitPerRound
  ).unref()
  const begun = Date.now()
  const report = await Campaign.run({
    rounds: options.rounds,
    seed: options.seed,
    program: options.program,
    onStory: ({ restarts, rounds, violations }) =>
      progress(`${rounds}/${options.rounds} rounds, ${restarts} restarts, ${violations.length} violations`)
  })
  progress("")
  const seconds = (Date.now() - begun) / 1000
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, seconds })}\n` : render(report, seconds))
  return report.violations.length === 0 ? 0 : 1
}

try {
  process.exit(await main())
} catch (error) {
  const isUsage = error instanceof UsageError
  process.stderr.write(`crash: ${error instanceof Error ? error.message : String(error)}\n${isUsage ? usage : ""}`)
  process.exit(isUsage ? 2 : 1)
}
