/** A directory for a whole pod to work in, and the manifest of one that may write there. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Manifest from "../../src/manifest/Manifest.ts"

/** A fresh directory, removed when the Scope closes. Its path is real. */
export const directory = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "effect-pod-test-" }), (path) => fs.realPath(path))
)

export const manifestFor = (cwd: string, name: string, extra: Partial<Manifest.ManifestInput> = {}) =>
  Manifest.make({ pod: { name }, scope: { allow: [{ target: cwd, permission: "write" }] }, ...extra })

/** One with a file and an instruction in it. */
export const withNotes = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const cwd = yield* directory
  yield* fs.writeFileString(`${cwd}/notes.md`, "alpha\n")
  yield* fs.writeFileString(`${cwd}/AGENTS.md`, "Always be brief.\n")
  return cwd
})
