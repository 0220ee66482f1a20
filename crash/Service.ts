/**
 * The service under test: a real process that can be killed at any moment, also before it is ready, and what it leaves
 * behind.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readlinkSync } from "node:fs"
import { within } from "../bench/Clock.ts"
import type { Place } from "./Place.ts"

/** How long a start, a stop or the end of what a killed process has started may take. */
export const patience = 20_000

export interface Service {
  readonly pid: number
  /** The path of its socket; rejects when the process ends before it is ready. */
  readonly ready: Promise<string>
  /** Exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly hasEnded: () => boolean
  /** What it has said on stderr. */
  readonly said: () => string
  /** Sent at once; `ended` tells when it has worked. */
  readonly signal: (signal: NodeJS.Signals) => void
}

const alive = new Set<ChildProcess>()

/** For whoever leaves in a hurry: nothing that was started here stays. */
export const endAll = (): void => {
  for (const child of alive) child.kill("SIGKILL")
}

export const start = (place: Place, program: string, args: ReadonlyArray<string>): Service => {
  const child = spawn(process.execPath, [program, "serve", ...args], {
    cwd: place.cwd,
    env: { ...place.env },
    stdio: ["ignore", "ignore", "pipe"]
  })
  alive.add(child)
  let said = ""
  let over = false
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("error", () => resolve(null))
    child.once("exit", (code, signal) => {
      over = true
      alive.delete(child)
      resolve(code ?? signal)
    })
  })
  const ready = within(
    new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (piece: string) => {
        said += piece
        const line = /^POD-READY\t[^\t\n]+\t([^\t\n]+)$/m.exec(said)
        if (line !== null) resolve(line[1] as string)
      })
      child.once("close", (code, signal) => reject(new Error(`the service ended (${code ?? signal}):\n${said}`)))
    }),
    () => `waiting for the service to be ready:\n${said}`,
    patience
  )
  // Whoever kills it during its start does not wait for it to be ready.
  ready.catch(() => {})
  return {
    pid: child.pid ?? -1,
    ready,
    ended: within(ended, () => `waiting for process ${child.pid} to end`, 3_600_000),
    hasEnded: () => over,
    said: () => said,
    signal: (signal) => child.kill(signal)
  }
}

/** Processes that work in the place. Linux tells; elsewhere there are none to be seen. */
export const processesIn = (place: Place): ReadonlyArray<number> => {
  let pids: ReadonlyArray<string>
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
  return pids.flatMap((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(place.cwd) ? [Number(pid)] : []
    } catch {
      // It has ended, and only waits to be collected.
      return []
    }
  })
}

/** Those of `pids` that still work in the place when `patience` is over; none as soon as none does. */
export const survivors = async (place: Place, pids: ReadonlyArray<number>): Promise<ReadonlyArray<number>> => {
  const end = Date.now() + patience
  for (;;) {
    const here = new Set(processesIn(place))
    const left = pids.filter((pid) => here.has(pid))
    if (left.length === 0 || Date.now() > end) return left
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
