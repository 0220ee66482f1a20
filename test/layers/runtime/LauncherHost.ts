/** A program that starts one command and waits for it: what is killed in `LauncherLeash.test.ts`. Arguments: the script; whether it reports an init. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as LauncherLive from "../../../layers/runtime/Launcher.ts"
import { Launcher } from "../../../src/runtime/Launcher.ts"

Effect.gen(function* () {
  const launcher = yield* Launcher
  const running = yield* launcher.start({
    command: "bash",
    args: ["-c", process.argv[2] ?? ""],
    cwd: "/",
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
    reportsInit: process.argv[3] === "init"
  })
  yield* Stream.runForEach(running.output, (chunk) => Effect.sync(() => process.stdout.write(chunk)))
}).pipe(Effect.scoped, Effect.provide(LauncherLive.layer), NodeRuntime.runMain)
