/** `Sandbox` that fences nothing, and says so. It refuses to stand in where a sandbox is required. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Fence, Sandbox, SandboxError } from "../../src/runtime/Sandbox.ts"

const promise =
  "Commands run with all rights of the user who started the pod. The file tools keep to the scope; a command can read, " +
  "write and reach whatever that user can."

/** `why` is a sentence. */
export const fence = (why: string): Fence => ({
  report: () => Effect.succeed({ mode: "none", enforced: false, reason: `${why} ${promise}` }),
  wrap: (spec) => Effect.succeed(spec),
  wrapReader: () => Effect.undefined
})

export const layer: Layer.Layer<Sandbox> = Layer.succeed(Sandbox, {
  open: ({ mode }) =>
    mode === "required"
      ? Effect.fail(
          new SandboxError({
            message: 'sandbox.mode = "required", but this program has no sandbox',
            hint: 'set sandbox.mode to "auto" or "off" if unfenced commands are acceptable'
          })
        )
      : Effect.succeed(fence("Bash is not fenced."))
})
