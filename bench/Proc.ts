/** What the kernel says about a process. Linux only; elsewhere, and for what a kernel does not tell, undefined. */
import { readdirSync, readFileSync } from "node:fs"

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const kilobytes = (text: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0)

/** The process and its helpers, for what they cost belongs to it. */
const family = (pid: number): ReadonlyArray<number> => {
  const children = (read(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter((text) => text !== "")
  return [pid, ...children.flatMap((child) => family(Number(child)))]
}

/** Megabytes. */
export interface Memory {
  /** Pages that several processes share count in parts: of a Node that others run as well, each has a part. */
  readonly proportional: number
  /** Pages that nobody else has: what the next process of the same kind would cost. */
  readonly own: number
}

export const memory = (pid: number): Memory | undefined => {
  const rollups = family(pid).map((member) => read(`/proc/${member}/smaps_rollup`) ?? "")
  if (rollups[0] === "") return undefined
  const sum = (...fields: ReadonlyArray<string>) =>
    rollups.reduce((all, text) => fields.reduce((some, field) => some + kilobytes(text, field), all), 0) / 1024
  return { proportional: sum("Pss"), own: sum("Private_Clean", "Private_Dirty") }
}

/** Megabytes that the process itself has had in memory at most. */
export const peakMemory = (pid: number): number | undefined => {
  const status = read(`/proc/${pid}/status`)
  return status === undefined ? undefined : kilobytes(status, "VmHWM") / 1024
}

const ticksPerSecond = 100

const nanoseconds = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((thread) => Number((read(`/proc/${pid}/task/${thread}/schedstat`) ?? "0").split(" ")[0]))
      .reduce((sum, used) => sum + used, 0)
  } catch {
    return 0
  }
}

/**
 * Seconds of processor that the process has used, kernel included. From the scheduler's own account where the kernel
 * keeps one, else in ticks of 10 ms.
 */
export const cpuSeconds = (pid: number): number | undefined => {
  const exact = nanoseconds(pid)
  if (exact > 0) return exact / 1e9
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, "")
    .split(" ")
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
