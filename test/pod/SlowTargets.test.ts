/** What the permissions cannot find out in time of a place may be any place. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Unbash from "../../layers/shell/Unbash.ts"
import { decideCall } from "../../src/manifest/PermissionRules.ts"
import type { PermissionsTable } from "../../src/manifest/tables/Permissions.ts"
import * as PermissionTargets from "../../src/pod/PermissionTargets.ts"
import { ShellSyntax } from "../../src/runtime/ShellSyntax.ts"
import { gated } from "../scope/gated.ts"

const table = (rule: PermissionsTable["rule"]): PermissionsTable => ({
  default_action: "ask",
  rule,
  ask_timeout: Duration.minutes(10)
})

const inside = table([
  { tool: "Write", action: "allow", pattern: "sub/*" },
  { tool: "Bash", action: "allow", pattern: "echo *" }
])
const anything = table([{ tool: "Write", action: "allow", pattern: "*" }])
const elsewhere = table([
  { tool: "Write", action: "deny", pattern: "/etc/*" },
  { tool: "Write", action: "allow", pattern: "*" }
])

const pod = Effect.gen(function* () {
  const place = yield* gated
  const { cwd, whereAre } = place.fs
  return { ...place, targets: PermissionTargets.make({ whereAre, cwd, shell: yield* ShellSyntax }) }
}).pipe(Effect.provide(Unbash.layer))

describe("the target of a call on a disk that does not answer", () => {
  it.effect("is judged after a minute as a path that leads nowhere, and as what it is when the disk is back", () =>
    Effect.gen(function* () {
      const { asked, open, targets } = yield* pod
      const call = targets("Write", { file_path: "sub/b.txt" })
      const judging = yield* Effect.forkChild(call)
      yield* asked
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(judging.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const target = yield* Fiber.join(judging)
      assert.strictEqual(decideCall(inside, target).action, "ask")
      assert.strictEqual(decideCall(anything, target).action, "allow")
      assert.strictEqual(decideCall(elsewhere, target).action, "deny")
      yield* open
      const found = yield* call
      assert.strictEqual(decideCall(inside, found).action, "allow")
      assert.strictEqual(decideCall(elsewhere, found).action, "allow")
    })
  )

  it.effect("has one minute for all the files that a command opens", () =>
    Effect.gen(function* () {
      const { asked, at, count, open, targets } = yield* pod
      const command = [1, 2, 3, 4].map((n) => `echo x > ${at("work/sub")}/${n}`).join("; ")
      const judging = yield* Effect.forkChild(targets("Bash", { command }))
      yield* asked
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(decideCall(inside, yield* Fiber.join(judging)).action, "ask")
      assert.strictEqual(count(), 1)
      yield* open
      assert.strictEqual(decideCall(inside, yield* targets("Bash", { command })).action, "allow")
    })
  )
})
