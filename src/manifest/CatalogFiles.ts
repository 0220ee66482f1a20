/**
 * The catalog as it is for one user: what comes with the program, and what `providers.toml` and `models.toml` in the
 * configuration directory say over it.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { bundled, type Catalog } from "./Catalog.ts"
import type { CatalogText } from "./CatalogToml.ts"
import { manifestError, type ManifestError } from "./ManifestError.ts"
import { resolvePath } from "./Paths.ts"
import { readTextFile } from "./TextFile.ts"

export const catalogFileNames = ["providers.toml", "models.toml"] as const

const catalogFileBytes = 1024 * 1024

/**
 * `configDir` is absolute. A file that is not there changes nothing and costs one look; one that is broken is an
 * error, never passed over.
 */
export const readCatalog = Effect.fn("Catalog.read")(function* (
  configDir: string
): Effect.fn.Return<Catalog, ManifestError, FileSystem.FileSystem> {
  const [providers, models] = yield* Effect.all(
    [textOf(configDir, catalogFileNames[0]), textOf(configDir, catalogFileNames[1])],
    { concurrency: 2 }
  )
  if (providers === undefined && models === undefined) return bundled
  // The TOML parser is only needed for those who have a file.
  const { parseCatalog } = yield* Effect.promise(() => import("./CatalogToml.ts"))
  return yield* parseCatalog(providers, models)
})

const textOf = (
  configDir: string,
  name: string
): Effect.Effect<CatalogText | undefined, ManifestError, FileSystem.FileSystem> => {
  const file = resolvePath(configDir, name)
  const fail = (message: string) => Effect.fail(manifestError(file, { key: "", message }))
  return Effect.matchEffect(readTextFile(file, catalogFileBytes), {
    onSuccess: ({ cut, text }) =>
      cut ? fail(`is longer than ${catalogFileBytes} bytes`) : Effect.succeed({ file, text }),
    onFailure: ({ message, reason }) => (reason === "NotFound" ? Effect.undefined : fail(message))
  })
}
