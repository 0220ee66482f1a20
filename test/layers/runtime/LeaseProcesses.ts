/** Real processes that hold leases. `LeaseChild.ts` is bundled once per test file: Node 20 runs no TypeScript. */
import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { rolldown } from "rolldown"
import type { Arguments } from "./LeaseChild.ts"

export const bundleChild = async (directory: string): Promise<string> => {
  const file = Path.join(directory, "lease-child.mjs")
  const bundle = await rolldown({
    input: Path.join(import.meta.dirname, "LeaseChild.ts"),
    platform: "node",
    logLevel: "silent"
  })
  await bundle.write({ file, format: "esm" })
  await bundle.close()
  return file
}

export interface LeaseProcess {
  readonly pid: number
  /** The next line that it says. */
  readonly says: Effect.Effect<{ readonly [key: string]: unknown }>
  /** Lets it release the lease. */
  readonly end: Effect.Effect<void>
  /** Sends the signal; returns when the process is in the state that the signal puts it into. */
  readonly signal: (signal: "SIGKILL" | "SIGSTOP" | "SIGCONT") => Effect.Effect<void>
}

/** Killed with the Scope. */
export const start = (script: string, args: Arguments): Effect.Effect<LeaseProcess, never, Scope.Scope> =>
  Effect.gen(function* () {
    const lines = yield* Queue.unbounded<{ readonly [key: string]: unknown }>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const started = spawn(process.execPath, [script, JSON.stringify(args)], { stdio: ["pipe", "pipe", "inherit"] })
        createInterface({ input: started.stdout }).on("line", (line) => Queue.offerUnsafe(lines, JSON.parse(line)))
        return started
      }),
      (started) => send(started, "SIGKILL")
    )
    return {
      pid: child.pid!,
      says: Queue.take(lines),
      end: Effect.sync(() => child.stdin.end()),
      signal: (signal) => send(child, signal)
    }
  })

const send = (child: ChildProcess, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    if (signal === "SIGKILL") {
      child.once("exit", () => resume(Effect.void))
      child.kill(signal)
      return
    }
    child.kill(signal)
    // The state follows the signal at once, but not within the call.
    const look = () => {
      const stat = Fs.readFileSync(`/proc/${child.pid}/stat`, "utf8")
      const stopped = stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")
      if (stopped === (signal === "SIGSTOP")) resume(Effect.void)
      else setImmediate(look)
    }
    look()
  })
