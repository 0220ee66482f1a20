/**
 * Runs the built program as a user does: a real process in a directory and a home of its own.
 *
 * Nothing of the caller's environment but PATH gets through, so that no key of a developer's is ever used.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** `EFFECT_POD_PROGRAM` names another build, for trying one out. */
export const program =
  process.env["EFFECT_POD_PROGRAM"] ?? fileURLToPath(new URL("../../dist/main.js", import.meta.url))

export interface Place {
  /** EFFECT_POD_HOME. */
  readonly home: string
  /** Where commands are called. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Processes started here that have not ended. */
  readonly running: Set<Running>
  /** Kills what still runs and removes everything. */
  readonly remove: () => Promise<void>
}

/** A short path, so that sockets fit into it. */
export const makePlace = (env: Readonly<Record<string, string>> = {}): Place => {
  if (!existsSync(program)) throw new Error(`${program} is missing: npm run build makes it`)
  const root = mkdtempSync(join(realpathSync(tmpdir()), "ep-"))
  const cwd = mkdtempSync(join(root, "work-"))
  const home = join(root, "home")
  const running = new Set<Running>()
  return {
    home,
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: root, EFFECT_POD_HOME: home, ...env },
    running,
    remove: async () => {
      await Promise.all(Array.from(running, ({ kill }) => kill("SIGKILL")))
      // What a killed pod's commands still write is not waited for: their watcher ends them.
      rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
    }
  }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<Ended>
  /** Resolves when what was written to the stream matches; fails when the process ends before, or after `ms`. */
  readonly waitFor: (stream: "stdout" | "stderr", pattern: RegExp, ms?: number) => Promise<RegExpExecArray>
  /** Sends the signal and waits for the end. */
  readonly kill: (signal: NodeJS.Signals) => Promise<Ended>
}

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Written to stdin, which is then closed. Null leaves it open. */
  readonly input?: string | null
}

export const start = (place: Place, args: ReadonlyArray<string>, options: StartOptions = {}): Running => {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? place.cwd,
    env: { ...place.env, ...options.env },
    stdio: "pipe"
  })
  const text = { stdout: "", stderr: "" }
  const watchers = new Set<() => void>()
  let over: Ended | undefined
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8")
    child[name].on("data", (piece: string) => {
      text[name] += piece
      for (const watcher of watchers) watcher()
    })
  }
  child.stdin.on("error", () => {})
  if (options.input !== null) child.stdin.end(options.input ?? "")
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code, signal) => {
      over = { code, signal, ...text }
      for (const watcher of watchers) watcher()
      resolve(over)
    })
  })
  const waitFor: Running["waitFor"] = (stream, pattern, ms = 20_000) =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer)
        watchers.delete(look)
        settle()
      }
      const fail = (why: string) =>
        done(() => reject(new Error(`${why} before ${stream} matched ${pattern}\n${text.stdout}\n---\n${text.stderr}`)))
      const look = () => {
        const found = pattern.exec(text[stream])
        if (found !== null) done(() => resolve(found))
        else if (over !== undefined) fail(`the process ended (${over.code ?? over.signal})`)
      }
      const timer = setTimeout(() => fail(`${ms} ms went by`), ms)
      watchers.add(look)
      look()
    })
  const running: Running = {
    child,
    pid: child.pid ?? -1,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ended,
    waitFor,
    kill: (signal) => {
      child.kill(signal)
      return ended
    }
  }
  place.running.add(running)
  void ended.finally(() => place.running.delete(running))
  return running
}

/** Runs a command to its end. */
export const run = (place: Place, args: ReadonlyArray<string>, options?: StartOptions): Promise<Ended> =>
  start(place, args, options).ended

export interface Served extends Running {
  readonly name: string
  readonly socket: string
}

/** Starts a service and waits until it says that it is ready. */
export const serve = async (
  place: Place,
  args: ReadonlyArray<string> = [],
  options: StartOptions = {}
): Promise<Served> => {
  const running = start(place, ["serve", ...args], options)
  const [, name = "", socket = ""] = await running.waitFor("stderr", /^POD-READY\t([^\t\n]+)\t([^\t\n]+)$/m)
  return { ...running, name, socket }
}
