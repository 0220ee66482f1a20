/** A program that is killed between the write of a file and its rename: see `Temporaries.test.ts`. Arguments: directory, owner, file. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Files from "../../layers/runtime/Files.ts"
import * as OpenerLive from "../../layers/runtime/Opener.ts"
import * as ScopedFs from "../../src/scope/ScopedFs.ts"

const [, , cwd = "", owner = "", path = ""] = process.argv

Effect.gen(function* () {
  const rules = { allow: [{ target: cwd, permission: "write" as const, recursive: true }], deny: [] }
  const fs = yield* ScopedFs.make({ cwd, rules: Effect.succeed(rules), owner })
  const wait = Effect.andThen(
    Effect.sync(() => process.stdout.write("written\n")),
    Effect.sleep("1 hour")
  )
  yield* fs.writeAtomic(path, new TextEncoder().encode("half done"), () => wait)
}).pipe(Effect.scoped, Effect.provide(Layer.merge(Files.layer, OpenerLive.layer)), NodeRuntime.runMain)
