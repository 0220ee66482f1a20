/**
 * Names a process so that another one with the same pid is not taken for it: boot id and start time, from `/proc`.
 *
 * For messages and as a cheap first look only. Whether a lease is held is said by its lock.
 */
import * as Fs from "node:fs"
import { systemCode } from "../store/SystemError.ts"

export interface ProcessName {
  readonly pid: number
  /** Null where there is no `/proc`. */
  readonly boot_id: string | null
  /** In clock ticks since boot, as `/proc` has it. */
  readonly start_time: string | null
}

export const thisProcess = (): ProcessName => ({
  pid: process.pid,
  boot_id: bootId(),
  start_time: stat(process.pid)?.startTime ?? null
})

/** A process of this pid runs, and nothing says that it is another one. A zombie runs no more. */
export const runs = (name: ProcessName): boolean => {
  if (name.boot_id === null || name.start_time === null) return answersSignals(name.pid)
  if (name.boot_id !== bootId()) return false
  const found = stat(name.pid)
  return found !== undefined && found.startTime === name.start_time && !["Z", "X"].includes(found.state)
}

/** Stopped by SIGSTOP, by job control or by a debugger. */
export const isStopped = (name: ProcessName): boolean => {
  const state = runs(name) ? stat(name.pid)?.state : undefined
  return state === "T" || state === "t"
}

const bootId = (): string | null => readSmall("/proc/sys/kernel/random/boot_id")?.trim() ?? null

const stat = (pid: number): { readonly state: string; readonly startTime: string } | undefined => {
  const text = readSmall(`/proc/${pid}/stat`)
  // The second field is the program's name in parentheses, and may hold anything, also `) R 1`.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ")
  const state = fields?.[0]
  const startTime = fields?.[19]
  return state === undefined || startTime === undefined ? undefined : { state, startTime }
}

/** `/proc` answers from memory: there is nothing to wait for. */
const readSmall = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const answersSignals = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return systemCode(cause) === "EPERM"
  }
}
