/**
 * `Ripgrep` from its npm distribution. Where that has no binary for the platform, `rg` in PATH is tried: only a search
 * that needs it then fails, not the start of the pod.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ripgrep } from "../../src/tools/Ripgrep.ts"

const fallback = "rg"

export const layer: Layer.Layer<Ripgrep> = Layer.effect(
  Ripgrep,
  // The package throws while it is loaded when its binary is missing.
  Effect.tryPromise(() => import("@vscode/ripgrep")).pipe(
    Effect.map(({ rgPath }) => rgPath),
    Effect.orElseSucceed(() => fallback),
    Effect.cached,
    Effect.map((path) => ({ path }))
  )
)
