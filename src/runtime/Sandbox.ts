/**
 * Wraps a command so that it sees the pod's scope and no more.
 *
 * What it really enforces is reported and never assumed: `report` goes into the greeting and the status.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SandboxReport } from "../protocol/Greeting.ts"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import type { LaunchSpec } from "./Launcher.ts"

export class Sandbox extends Context.Service<
  Sandbox,
  {
    readonly report: SandboxReport
    readonly wrap: (spec: LaunchSpec, scope: ScopeRules) => Effect.Effect<LaunchSpec>
  }
>()("effect-pod/runtime/Sandbox") {}
