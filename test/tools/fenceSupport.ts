/** Commands in a fence and without one: what both suites do the same way. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import * as Net from "node:net"
import * as OS from "node:os"
import * as Path from "node:path"
import * as LauncherLive from "../../layers/runtime/Launcher.ts"
import * as RipgrepLive from "../../layers/runtime/Ripgrep.ts"
import * as SandboxBubblewrap from "../../layers/runtime/SandboxBubblewrap.ts"
import * as PdfReaderLive from "../../layers/pdf/PdfReader.ts"
import * as PageReaderLive from "../../layers/web/PageReader.ts"
import * as WebClientLive from "../../layers/web/WebClient.ts"
import type { SandboxPolicy } from "../../src/runtime/Sandbox.ts"
import { canary } from "../layers/runtime/LauncherSupport.ts"
import type { Workbench } from "./support.ts"

export const deny: SandboxPolicy = { mode: "required", network: "deny" }
export const allow: SandboxPolicy = { mode: "required", network: "allow" }

/** What pods keep for themselves, in a place that every test may put into its scope. The file that takes it removes it. */
export const podHome = (): string => NFS.realpathSync(NFS.mkdtempSync(Path.join(OS.tmpdir(), "effect-pod-test-home-")))

/** The layers of `support.ts`, with a sandbox. */
export const fencedBy = (options: Partial<SandboxBubblewrap.SandboxOptions>) =>
  Layer.mergeAll(
    NodeFileSystem.layer,
    LauncherLive.layer,
    RipgrepLive.layer,
    Layer.provide(SandboxBubblewrap.layer({ hidden: [], ...options }), LauncherLive.layer),
    WebClientLive.layer(),
    Layer.provide(PageReaderLive.layer(), LauncherLive.layer),
    Layer.provide(PdfReaderLive.layer(), LauncherLive.layer)
  )

export const bash = (bench: Workbench, command: string, timeout?: number) =>
  bench.call("Bash", { command, ...(timeout === undefined ? {} : { timeout }) })

/** Both what it said and how it ended. */
export const tried = (bench: Workbench, command: string) =>
  Effect.map(
    bash(bench, command),
    ({ content = "", summary }) => `${content}${/\((exit|killed|timed|ended)[^)]*\)$/.exec(summary)?.[0] ?? "(fine)"}`
  )

/** A server that says hello, on a path or on a port of the loopback. */
export const listening = (at: string | number) =>
  Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer((socket) => socket.end("hello"))
      const place = typeof at === "string" ? { path: at } : { port: at, host: "127.0.0.1" }
      server.listen(place, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )

/** What a command wrote into a file, once there is a line of it. */
export const written = Effect.fnUntraced(function* (bench: Workbench, name: string) {
  while (!NFS.existsSync(bench.at(name)) || !bench.text(name).endsWith("\n")) yield* Effect.yieldNow
  return bench.text(name).trim()
})

/** A tree in which nobody takes a TERM. It says `up`. */
export const deaf =
  "trap '' TERM; (trap '' TERM; sleep 300) & (sleep 300 | sleep 300) & echo > up; wait; wait; sleep 300"

/** Each process that dies is replaced by its brothers. The depth keeps the machine alive if nothing else does. */
export const forkBomb =
  "b() { trap '' TERM; [ $1 -gt 5 ] || { b $(($1+1)) & b $(($1+1)) & }; [ $1 -gt 0 ] || echo > up; sleep 300; }; b 0"

/** Runs into a time limit of 5 seconds and then a second of grace. Returns when no process of it holds its pipe. */
export const runIntoLimit = Effect.fnUntraced(function* (bench: Workbench, script: string) {
  const held = canary(bench.work)
  const running = yield* Effect.forkChild(bash(bench, `exec 9>canary; ${script}`, 5), { startImmediately: true })
  yield* written(bench, "up")
  yield* TestClock.adjust("5 seconds")
  yield* TestClock.adjust("1 second")
  const result = yield* Fiber.join(running)
  yield* Effect.promise(() => held.ended)
  return result
})
