/** Where the ripgrep program is. Glob and Grep run it and nothing else. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class Ripgrep extends Context.Service<
  Ripgrep,
  {
    /** Absolute, or a name to be found in PATH. Looked for when it is first needed. */
    readonly path: Effect.Effect<string>
  }
>()("effect-pod/tools/Ripgrep") {}
