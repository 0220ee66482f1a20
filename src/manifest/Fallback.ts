/** The models that a pod turns to when its own cannot be had: each is what the catalog says of it. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { ManifestError } from "./ManifestError.ts"
import { type ResolvedModel, type ResolveOptions, resolveModel } from "./Model.ts"
import type { ModelTable } from "./tables/Model.ts"

/** In their order, with the limits of the table. Fails like `resolveModel`, for the first that cannot be had. */
export const resolveFallbacks = (
  { fallback = [], limits }: ModelTable,
  options: ResolveOptions
): Effect.Effect<ReadonlyArray<ResolvedModel>, ManifestError, FileSystem.FileSystem> =>
  Effect.forEach(fallback, (ref, n) =>
    resolveModel({ ref, limits }, { ...options, key: `${options.key ?? "model"}.fallback[${n}]` })
  )
