/** Where the ripgrep program is. Glob and Grep run it and nothing else. */
import * as Context from "effect/Context"

export class Ripgrep extends Context.Service<
  Ripgrep,
  {
    /** Absolute, or a name to be found in PATH. */
    readonly path: string
  }
>()("effect-pod/tools/Ripgrep") {}
