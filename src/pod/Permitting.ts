/** The permissions of a pod at work: every call is judged by each of its tables, and the strictest answer holds. */
import * as Effect from "effect/Effect"
import type { Permit } from "../agent/Permission.ts"
import { permissionDenied } from "../knowledge/Wrappers.ts"
import { decideCall } from "../manifest/PermissionRules.ts"
import type { PermissionsTable } from "../manifest/tables/Permissions.ts"
import type { Targets } from "./PermissionTargets.ts"

/** `tables`: what the pod was given now, and what it was given before and still holds. */
export const make = (tables: ReadonlyArray<PermissionsTable>, targets: Targets): Permit =>
  Effect.fnUntraced(function* ({ args, tool }) {
    // Without rules nothing is looked at: no path is resolved and no parser loaded.
    if (tables.length === 0) return { _tag: "Allow" }
    const target = yield* targets(tool, args)
    const decisions = tables.map((table) => decideCall(table, target))
    const strictest =
      decisions.find(({ action }) => action === "deny") ?? decisions.find(({ action }) => action === "ask")
    return strictest === undefined ? { _tag: "Allow" } : { _tag: "Deny", message: permissionDenied(tool, strictest) }
  })
