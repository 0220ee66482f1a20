/** From measured values to a table for people and an object for programs. */
import { cpus } from "node:os"
import { type Key, referenceReady, rowOf, type Spread, spread, type Unit, type Values } from "./Rows.ts"
import type { SubjectName } from "./Subject.ts"

export interface Measured {
  readonly keys: ReadonlyArray<Key>
  readonly rounds: number
  readonly values: { readonly [S in SubjectName]: ReadonlyArray<Values> }
  readonly fdatasync: Spread | undefined
  readonly failures: ReadonlyArray<string>
}

export interface Line {
  readonly key: Key
  readonly title: string
  readonly unit: Unit
  readonly floor?: Spread
  readonly pod?: Spread
  readonly ratio?: number
  readonly difference?: number
  /** What the aim comes to in this run. */
  readonly aim?: Judged
  /** The same on a machine as fast as this one was during the run. Memory is not a matter of speed. */
  readonly aimHere?: Judged
}

export interface Judged {
  readonly limit: number
  /** Missing if the program could not be measured. */
  readonly verdict?: "ok" | "over"
}

export interface Report {
  readonly node: string
  readonly platform: string
  readonly cpu: string
  readonly cpus: number
  readonly rounds: number
  readonly fdatasync_ms?: Spread
  /** How many times longer the floor took to be ready than where the aims were set. */
  readonly slowness?: number
  readonly rows: ReadonlyArray<Line>
  readonly failures: ReadonlyArray<string>
}

const collect = (values: ReadonlyArray<Values>, key: Key): Spread | undefined =>
  spread(values.flatMap((value) => value[key] ?? []))

/** `slowness` is that of the machine for which the limit is asked; what was measured in this run has it already. */
const limitOf = (measured: Measured, key: Key, slowness: number): number | undefined => {
  const { aim, unit } = rowOf(key)
  if (aim === undefined) return undefined
  if (aim.kind === "atMost") return unit === "MB" || unit === "KiB" ? aim.limit : aim.limit * slowness
  const base = aim.kind === "overReady" ? collect(measured.values.pod, "ready") : collect(measured.values.floor, key)
  return base === undefined ? undefined : base.median + aim.more * slowness
}

const judge = (limit: number | undefined, pod: Spread | undefined): Judged | undefined =>
  limit === undefined ? undefined : { limit, ...(pod && { verdict: pod.median <= limit ? "ok" : "over" }) }

const slownessOf = (measured: Measured): number | undefined => {
  const reference = referenceReady[process.version.slice(1).split(".", 1)[0] ?? ""]
  const ready = collect(measured.values.floor, "ready")
  return reference === undefined || ready === undefined ? undefined : ready.median / reference
}

export const make = (measured: Measured): Report => {
  const slowness = slownessOf(measured)
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    rounds: measured.rounds,
    ...(measured.fdatasync && { fdatasync_ms: measured.fdatasync }),
    ...(slowness && { slowness }),
    rows: measured.keys.map((key) => {
      const { title, unit } = rowOf(key)
      const floor = collect(measured.values.floor, key)
      const pod = collect(measured.values.pod, key)
      const aim = judge(limitOf(measured, key, 1), pod)
      const aimHere = slowness === undefined ? undefined : judge(limitOf(measured, key, slowness), pod)
      return {
        key,
        title,
        unit,
        ...(floor && { floor }),
        ...(pod && { pod }),
        ...(floor && pod && { ratio: pod.median / floor.median, difference: pod.median - floor.median }),
        ...(aim && { aim }),
        ...(aimHere && { aimHere })
      }
    }),
    failures: measured.failures
  }
}

const digits = (unit: Unit, value: number): string =>
  value.toFixed(unit === "s" ? 3 : unit === "1/s" ? 0 : unit === "MB" || Math.abs(value) >= 20 ? 1 : 2)

const spreadText = (unit: Unit, found: Spread | undefined): string =>
  found === undefined ? "–" : `${digits(unit, found.median)} (${digits(unit, found.min)}–${digits(unit, found.max)})`

const judgedText = (unit: Unit, judged: Judged | undefined): ReadonlyArray<string> =>
  judged === undefined ? ["", ""] : [`≤ ${digits(unit, judged.limit)}`, judged.verdict ?? "–"]

const cells = (line: Line): ReadonlyArray<string> => [
  line.title,
  line.unit,
  spreadText(line.unit, line.floor),
  spreadText(line.unit, line.pod),
  line.ratio === undefined ? "–" : `${line.ratio.toFixed(2)}×`,
  line.difference === undefined ? "–" : `${line.difference < 0 ? "" : "+"}${digits(line.unit, line.difference)}`,
  ...judgedText(line.unit, line.aim),
  ...judgedText(line.unit, line.aimHere)
]

const heads = ["", "", "floor", "pod", "ratio", "more", "aim", "", "aim here", ""]

const textColumns = new Set([0, 1, 7, 9])

export const render = (report: Report): string => {
  const table = [heads, ...report.rows.map(cells)]
  const widths = heads.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  const lines = table.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return textColumns.has(column) ? cell.padEnd(width) : cell.padStart(width)
      })
      .join("  ")
      .trimEnd()
  )
  const disk = report.fdatasync_ms
  return [
    `Node ${report.node}, ${report.platform}, ${report.cpus} × ${report.cpu}`,
    `medians of ${report.rounds} fresh processes (min–max)` +
      (disk === undefined ? "" : `; the disk alone: ${disk.median.toFixed(2)} ms per append and fdatasync`),
    ...(report.slowness === undefined
      ? []
      : [`this machine, now, takes ${report.slowness.toFixed(1)} × the time of the one that the aims were set on`]),
    "",
    ...lines,
    ...(report.failures.length === 0 ? [] : ["", ...report.failures.map((failure) => `FAILED ${failure}`)]),
    ""
  ].join("\n")
}
