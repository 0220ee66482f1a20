/** `ShellSyntax` on the package unbash, which is loaded when the first command has to be judged. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type ParseShell, ShellSyntax } from "../../src/runtime/ShellSyntax.ts"

const unreadable: ParseShell = () => "the parser for commands is not installed"

export const layer: Layer.Layer<ShellSyntax> = Layer.effect(
  ShellSyntax,
  Effect.tryPromise(() => import("./UnbashScript.ts")).pipe(
    Effect.map(({ parseShell }) => parseShell),
    Effect.tapError((error) => Effect.logError("the parser for commands cannot be loaded", error)),
    Effect.orElseSucceed(() => unreadable),
    Effect.cached,
    Effect.map((parser) => ({ parser }))
  )
)
