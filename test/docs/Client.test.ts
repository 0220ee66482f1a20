import { expect, it } from "@effect/vitest"
import { execFile, spawnSync } from "node:child_process"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { Manifest, Pod } from "effect-pod"
import { Offline, PodTest, SocketServer } from "effect-pod/layers"
import { blocks, read } from "./markdown.ts"

const program = blocks(read("docs/protocol.md")).find(({ info }) => info === "python")
const hasPython = spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]).status === 0

it.live.skipIf(!hasPython)("the client in docs/protocol.md shows an answer to its end", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped({ prefix: "effect-pod-docs-" })
    const file = join(directory, "client.py")
    const path = join(directory, "sock")
    yield* fs.writeFileString(file, program?.text ?? "")
    const manifest = yield* Manifest.make({
      pod: { name: "doorman" },
      scope: { allow: [{ target: directory, permission: "read" }] }
    })
    yield* SocketServer.listen(yield* Pod.make(manifest), { path })
    const printed = yield* Effect.callback<string, Error>((resume) => {
      const child = execFile("python3", [file, path, "help"], { timeout: 20_000 }, (error, stdout) =>
        resume(error === null ? Effect.succeed(stdout) : Effect.fail(error))
      )
      return Effect.sync(() => child.kill())
    })
    expect(printed).toContain("I am the offline model")
    expect(printed.trimEnd().split("\n").at(-1)).toBe("finished")
  }).pipe(Effect.scoped, Effect.provide([Offline.layer, PodTest.world()]))
)
