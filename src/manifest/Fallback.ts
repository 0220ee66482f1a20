/** The models that a pod turns to when its own cannot be had: each is what the catalog says of it. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { ManifestError } from "./ManifestError.ts"
import { type ResolvedModel, type ResolveOptions, resolveModel } from "./Model.ts"
import type { ModelTable } from "./tables/Model.ts"

/**
 * In their order. One for which the catalog has no limits is waited for as the table says. Fails like `resolveModel`, for
 * the first that cannot be had.
 */
export const resolveFallbacks = (
  { fallback = [], limits }: ModelTable,
  options: ResolveOptions
): Effect.Effect<ReadonlyArray<ResolvedModel>, ManifestError, FileSystem.FileSystem> =>
  Effect.forEach(fallback, (ref, n) =>
    resolveModel({ ref, limits: {} }, { ...options, limits, key: `${options.key ?? "model"}.fallback[${n}]` })
  )
