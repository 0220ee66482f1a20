/**
 * Makes src/manifest/CatalogBundle.ts of the two TOML files beside it. `npm run build` does this first.
 *
 * The result is kept in the repository: types, tests and a program's own bundler read sources and know no TOML, and a
 * start must not pay for a parser. A test compares the two, so that nobody edits one without the other.
 *
 *   node scripts/catalog.mjs
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Toml from "effect/encoding/Toml"
import { isMain, root } from "./project.mjs"

const directory = join(root, "src", "manifest")
const target = join(directory, "CatalogBundle.ts")

const entries = (file, key) => {
  const parsed = Toml.parse(readFileSync(join(directory, "catalog", file), "utf8"))
  if (parsed._tag === "Failure") throw new Error(`src/manifest/catalog/${file}: ${parsed.failure.message}`)
  return parsed.success[key]
}

const list = (name, type, all) =>
  [
    `export const ${name}: ReadonlyArray<${type}> = [`,
    all.map((entry) => `  ${JSON.stringify(entry)}`).join(",\n"),
    "]"
  ].join("\n")

/** The module as it should be. */
export const catalogModule = () =>
  `${[
    "/** Made of catalog/providers.toml and catalog/models.toml by scripts/catalog.mjs: change those. */",
    'import type { ModelInput, ProviderInput } from "./CatalogEntries.ts"',
    "",
    list("providers", "ProviderInput", entries("providers.toml", "provider")),
    "",
    list("models", "ModelInput", entries("models.toml", "model"))
  ].join("\n")}\n`

/** Leaves a file alone that is up to date, so that nothing that watches it wakes up. */
export const writeCatalog = () => {
  const module = catalogModule()
  if (module !== readFileSync(target, "utf8")) writeFileSync(target, module)
}

if (isMain(import.meta.url)) writeCatalog()
