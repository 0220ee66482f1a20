/** The check of `doctor` on the sandbox: the same trial that a start makes, and what this manifest comes to in mounts. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Files from "../../layers/runtime/Files.ts"
import * as LauncherLive from "../../layers/runtime/Launcher.ts"
import * as SandboxBubblewrap from "../../layers/runtime/SandboxBubblewrap.ts"
import { Sandbox } from "../runtime/Sandbox.ts"
import * as LiveScope from "../scope/LiveScope.ts"
import * as Patience from "../scope/Patience.ts"
import { fail, type Finding, ok, warn } from "./Finding.ts"
import { directoriesOf } from "./Directories.ts"
import type { Prepared } from "./Prepare.ts"
import { mountsText } from "./SandboxText.ts"

export const checkSandbox = ({ invocation: { env }, manifest }: Prepared): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const { config, data, runtime } = yield* directoriesOf(env)
    const layer = Layer.provide(
      SandboxBubblewrap.layer({ hidden: [config, data, runtime], searchPath: env["PATH"] ?? "" }),
      LauncherLive.layer
    )
    return yield* Effect.gen(function* () {
      const { mode, network } = manifest.sandbox
      const fence = yield* (yield* Sandbox).open({ mode, network })
      const written = { allow: manifest.scope.allow, deny: manifest.scope.deny }
      const fs = yield* FileSystem.FileSystem
      const within = (yield* Patience.make)("A place that the scope names", "looked at")
      const { rules } = yield* LiveScope.make({ fs, rules: Effect.succeed(written), readable: [], within }).pipe(
        Effect.mapError(({ message }) => ({ message, hint: "look at the disks that [scope] names" }))
      )
      const report = yield* fence.report({ rules, written, own: [] })
      if (!report.enforced) {
        const hint = "run pods as a user or in a container that may do no more than they should"
        return [warn("sandbox", report.reason, hint)]
      }
      const reach = network === "deny" ? "no network" : "network and abstract sockets as this machine has them"
      return [
        ok("sandbox", `bubblewrap works; commands get ${reach}`),
        ok("sandbox mounts", mountsText(report)),
        ...(report.narrower ?? []).map((line) => warn("sandbox mounts", line)),
        ...(report.weaker ?? []).map((line) =>
          warn("sandbox", line, "see what a newer bubblewrap or kernel can do here")
        )
      ]
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(layer, Files.layer)))
  }).pipe(Effect.catch(({ hint, message }) => Effect.succeed([fail("sandbox", message, hint)])))
