import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SandboxNone from "../../../layers/runtime/SandboxNone.ts"
import { Sandbox } from "../../../src/runtime/Sandbox.ts"

describe("no sandbox", () => {
  const rules = { allow: [], deny: [] }
  const scope = { rules, written: rules, own: [] }

  it.effect("changes nothing, and does not claim otherwise", () =>
    Effect.gen(function* () {
      const fence = yield* (yield* Sandbox).open({ mode: "auto", network: "deny" })
      const spec = { command: "bash", args: ["-c", "true"], cwd: "/", env: {} }
      assert.strictEqual(yield* fence.wrap(spec, scope), spec)
      const report = yield* fence.report(scope)
      assert.strictEqual(report.mode, "none")
      assert.isFalse(report.enforced)
      assert.include(report.reason, "not fenced")
    }).pipe(Effect.provide(SandboxNone.layer))
  )

  it.effect("refuses where one is required", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* Sandbox).open({ mode: "required", network: "allow" }))
      assert.strictEqual(error._tag, "SandboxError")
    }).pipe(Effect.provide(SandboxNone.layer))
  )
})
