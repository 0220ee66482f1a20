import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SandboxNone from "../../../layers/runtime/SandboxNone.ts"
import { Sandbox } from "../../../src/runtime/Sandbox.ts"

describe("no sandbox", () => {
  it.effect("changes nothing, and does not claim otherwise", () =>
    Effect.gen(function* () {
      const { report, wrap } = yield* Sandbox
      const spec = { command: "bash", args: ["-c", "true"], cwd: "/", env: {} }
      assert.strictEqual(yield* wrap(spec, { allow: [], deny: [] }), spec)
      assert.strictEqual(report.mode, "none")
      assert.isFalse(report.enforced)
      assert.include(report.reason, "not fenced")
    }).pipe(Effect.provide(SandboxNone.layer))
  )
})
