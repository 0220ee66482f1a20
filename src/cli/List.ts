/** `effect-pod list`: the pods of this machine. */
import * as Effect from "effect/Effect"
import { ExitCode } from "./CliError.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import { type PodReport, reportAll } from "./PodReport.ts"
import { oneLine } from "./Text.ts"

/** Columns that are as wide as what stands in them; the last one is open. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`
    )
    .join("")
}

const row = (pod: PodReport): ReadonlyArray<string> => [
  pod.name,
  pod.state,
  pod.status ?? "",
  pod.pid === undefined ? "" : String(pod.pid),
  pod.entries === undefined ? "" : String(pod.entries),
  pod.updated_at?.slice(0, 16).replace("T", " ") ?? "",
  pod.error === undefined ? oneLine(pod.cwd ?? "", 200) : oneLine(pod.error, 200)
]

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, terminal }) {
    const machine = yield* Machine.make(env)
    const reports = (yield* reportAll(machine)).map(({ report }) => report)
    if (flags["json"] === true) {
      yield* terminal.out(`${JSON.stringify(reports)}\n`)
    } else if (reports.length === 0) {
      yield* terminal.err(`no pods in ${machine.directories.data}; effect-pod serve starts one\n`)
    } else {
      yield* terminal.out(
        table([["NAME", "STATE", "STATUS", "PID", "ENTRIES", "UPDATED (UTC)", "DIRECTORY"], ...reports.map(row)])
      )
    }
    return ExitCode.ok
  })
}
