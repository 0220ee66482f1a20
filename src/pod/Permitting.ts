/** The permissions of a pod at work: every call is judged by each of its tables, and the strictest answer holds. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Permit } from "../agent/Permission.ts"
import { permissionDenied } from "../knowledge/Wrappers.ts"
import { decideCall } from "../manifest/PermissionRules.ts"
import type { PermissionsTable } from "../manifest/tables/Permissions.ts"
import type { Approving } from "./Approving.ts"
import type { Targets } from "./PermissionTargets.ts"

/** `tables`: what the pod was given now, and what it was given before and still holds. */
export const make = (tables: ReadonlyArray<PermissionsTable>, targets: Targets, ask: Approving["ask"]): Permit =>
  Effect.fnUntraced(function* ({ args, callId, tool }) {
    // Without rules nothing is looked at: no path is resolved and no parser loaded.
    if (tables.length === 0) return { _tag: "Allow" }
    const target = yield* targets(tool, args)
    const decisions = tables.map((table) => decideCall(table, target))
    const denied = decisions.find(({ action }) => action === "deny")
    if (denied !== undefined) return { _tag: "Deny", message: permissionDenied(tool, denied) }
    const asking = tables.filter((_, i) => decisions[i]?.action === "ask")
    if (asking.length === 0) return { _tag: "Allow" }
    const question = ask({
      callId,
      tool,
      arguments: JSON.stringify(args),
      target: target.target,
      subject: target.remembered,
      timeout: asking.map(({ ask_timeout }) => ask_timeout).reduce((a, b) => Duration.min(a, b))
    })
    return { _tag: "Ask", question }
  })
