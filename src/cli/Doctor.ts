/**
 * `effect-pod doctor`: looks at everything that a pod needs, and says what to do about what is missing.
 *
 * Values of variables are never shown, and nothing is made or changed.
 */
import * as Effect from "effect/Effect"
import { type CliError, ExitCode } from "./CliError.ts"
import { checkDirectories } from "./DoctorDirectories.ts"
import { examineManifest, type ManifestValue } from "./DoctorManifest.ts"
import { checkPods } from "./DoctorPods.ts"
import { checkPrograms } from "./DoctorPrograms.ts"
import { fail, type Finding, ok } from "./Finding.ts"
import type { Command, Invocation } from "./Invocation.ts"
import { table } from "./List.ts"
import { oneLine, plain, style } from "./Text.ts"

const oldest = [20, 19] as const

const checkNode = (): Finding => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  const enough = major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
  return enough
    ? ok("node", `${process.versions.node}`)
    : fail("node", `${process.versions.node} is too old`, `install Node ${oldest.join(".")} or later`)
}

export interface Report {
  readonly ok: boolean
  readonly findings: ReadonlyArray<Finding>
  /** The effective manifest, empty if there is none to show. */
  readonly manifest: ReadonlyArray<ManifestValue>
}

export const examine = Effect.fn("Doctor.examine")(function* (invocation: Invocation): Effect.fn.Return<Report> {
  const { env } = invocation
  const [directories, pods, manifest, programs] = yield* Effect.all(
    [checkDirectories(env), checkPods(env), examineManifest(invocation), checkPrograms(env)],
    { concurrency: "unbounded" }
  )
  const findings = [checkNode(), ...directories, ...pods, ...manifest.findings, ...programs]
  return { ok: findings.every(({ level }) => level !== "fail"), findings, manifest: manifest.values }
})

const line = (finding: Finding, color: boolean): string => {
  const { green, red, yellow } = style(color)
  const mark = { ok: green("ok  "), warn: yellow("warn"), fail: red("fail") }[finding.level]
  const hint = finding.hint === undefined ? "" : `      do: ${plain(finding.hint)}\n`
  return `${mark}  ${finding.check}: ${plain(finding.message)}\n${hint}`
}

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* (invocation): Effect.fn.Return<ExitCode, CliError> {
    const { flags, terminal } = invocation
    const report = yield* examine(invocation)
    if (flags["json"] === true) {
      yield* terminal.out(`${JSON.stringify(report)}\n`)
    } else {
      yield* terminal.out(report.findings.map((finding) => line(finding, terminal.color.out)).join(""))
      if (report.manifest.length > 0) {
        yield* terminal.out(
          `\neffective manifest:\n${table(
            report.manifest.map(({ key, source, value }) => [`  ${key}`, oneLine(value, 60), source])
          )}`
        )
      }
    }
    return report.ok ? ExitCode.ok : ExitCode.failed
  })
}
