import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { tempDir } from "../../scope/support.ts"
import { canFence } from "../../support/bubblewrap.ts"
import { canary, eventually, obstinate } from "./LauncherSupport.ts"

const root = fileURLToPath(new URL("../../../", import.meta.url))

/** A program of its own that runs `script` through the launcher; `told` is what the script has said so far. */
const host = (script: string, ...more: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const file = Path.join(root, "test/layers/runtime/LauncherHost.ts")
      const child = spawn(process.execPath, [Path.join(root, "scripts/run-ts.mjs"), file, script, ...more], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      let told = ""
      while (!told.includes("ready\n")) {
        const [chunk] = await once(child.stdout, "data")
        told += String(chunk)
      }
      return { child, told }
    }),
    ({ child }) =>
      Effect.sync(() => {
        child.kill("SIGKILL")
        NFS.rmSync(Path.join(root, `.dist-run-${child.pid}`), { recursive: true, force: true })
      })
  )

/** The directory of the host's pipes, as the file name behind the script's own output tells it. */
const pipesOf = (told: string): string => Path.dirname(/pipe=(.*)/.exec(told)?.[1] ?? "")

describe("when the program is killed", () => {
  it.live("every process of its commands dies, also one that ignores signals or has left the group", () =>
    Effect.gen(function* () {
      const held = canary(yield* tempDir)
      const { child, told } = yield* host(
        [
          `exec 9>${held.path}`,
          "echo pipe=$(readlink /proc/$$/fd/1)",
          "(trap '' TERM HUP INT; sleep 300; sleep 300) &",
          "setsid sleep 300 &",
          "sleep 300 | sleep 300 &",
          "sleep 300 > /dev/null 2>&1 &",
          "echo held >&9",
          // From here on the shell itself writes nowhere: it is known by its group alone.
          "exec 8>&1 >/dev/null 2>&1; echo ready >&8; exec 8>&-",
          "sleep 300"
        ].join("\n")
      )
      assert.isTrue(NFS.existsSync(pipesOf(told)))
      child.kill("SIGKILL")
      // The end of the pipe that all of them hold: it comes when the last one is gone.
      assert.strictEqual(yield* Effect.promise(() => held.ended), "held\n")
      assert.isTrue(eventually(() => !NFS.existsSync(pipesOf(told))))
    })
  )

  it.live.skipIf(!canFence)("and every pid namespace ends, also one that would outlive the program that made it", () =>
    Effect.gen(function* () {
      const held = canary(yield* tempDir)
      const inside = `exec 9>${held.path}; echo held >&9; echo ready >&8; exec 8>&-; setsid sleep 300; sleep 300`
      const { child } = yield* host(`exec 8>&1; ${obstinate(inside)}`, "init")
      child.kill("SIGKILL")
      assert.strictEqual(yield* Effect.promise(() => held.ended), "held\n")
    })
  )

  it.live("and when it ends well, its watcher and its directory go with it", () =>
    Effect.gen(function* () {
      const held = canary(yield* tempDir)
      const { child, told } = yield* host(
        `exec 9>${held.path}; echo pipe=$(readlink /proc/$$/fd/1); echo held >&9; echo ready; sleep 300`
      )
      child.kill("SIGTERM")
      assert.strictEqual(yield* Effect.promise(() => held.ended), "held\n")
      if (child.exitCode === null && child.signalCode === null) yield* Effect.promise(() => once(child, "exit"))
      assert.isFalse(NFS.existsSync(pipesOf(told)))
    })
  )
})
