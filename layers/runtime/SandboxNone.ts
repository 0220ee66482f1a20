/** `Sandbox` that fences nothing, and says so. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sandbox } from "../../src/runtime/Sandbox.ts"

export const layer: Layer.Layer<Sandbox> = Layer.succeed(Sandbox, {
  report: {
    mode: "none",
    enforced: false,
    reason:
      "Bash is not fenced: commands run with all rights of the user who started the pod. The file tools keep to " +
      "the scope; a command can read, write and reach whatever that user can."
  },
  wrap: (spec) => Effect.succeed(spec)
})
