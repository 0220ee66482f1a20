/** Real processes, and how a test learns that they are gone without waiting for time to pass. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import type { LaunchSpec, RunningProcess } from "../../../src/runtime/Launcher.ts"

export const bash = (script: string, cwd = "/"): LaunchSpec => ({
  command: "bash",
  args: ["-c", script],
  cwd,
  env: { PATH: process.env.PATH ?? "/usr/bin:/bin" }
})

/** A fence whose first process outlives whoever made it, as one does that was talked into it. Its output goes nowhere. */
export const obstinate = (script: string): string =>
  `exec bwrap --info-fd 3 --new-session --unshare-user-try --unshare-pid --bind / / --dev /dev --proc /proc bash -c '${script}' ` +
  "> /dev/null 2>&1"

/** Everything that the process writes, as text. */
export const textOf = (running: RunningProcess) =>
  Stream.runCollect(running.output).pipe(Effect.map((chunks) => new TextDecoder().decode(Buffer.concat(chunks))))

export interface Canary {
  /** Whoever opens it for writing and dies is noticed. */
  readonly path: string
  /** What was written into it, once nobody holds it any more. Opened by a reader of its own, at once. */
  readonly ended: Promise<string>
}

/** A named pipe that is held by processes under test: its end is their end. */
export const canary = (directory: string): Canary => {
  const path = Path.join(directory, "canary")
  execFileSync("mkfifo", [path])
  // A `cat` of the test's own reads it: it does not see the end before a writer has come.
  const cat = spawn("cat", [path], { stdio: ["ignore", "pipe", "inherit"] })
  const ended = new Promise<string>((resolve) => {
    let text = ""
    cat.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()))
    cat.stdout.on("close", () => resolve(text))
  })
  return { path, ended }
}

/** Asks again after a process has come and gone, at most 400 times: an event, not a time. */
export const eventually = (holds: () => boolean): boolean => {
  for (let tries = 0; tries < 400; tries++) {
    if (holds()) return true
    spawnSync("true")
  }
  return false
}

/** Whether the process runs; a dead one that nobody has collected does not. */
export const isRunning = (pid: number): boolean => {
  try {
    const stat = NFS.readFileSync(`/proc/${pid}/stat`, "latin1")
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
  } catch {
    return false
  }
}

/** The watchers that were started by this process. */
export const watchers = (): ReadonlyArray<number> =>
  NFS.readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          NFS.readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("effect-pod-leash") &&
          NFS.readFileSync(`/proc/${pid}/status`, "latin1").includes(`PPid:\t${process.pid}\n`) &&
          isRunning(pid)
        )
      } catch {
        return false
      }
    })
