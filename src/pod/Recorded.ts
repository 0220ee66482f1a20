/**
 * What is remembered of the manifest that a pod was last started with on purpose, beside what its journal holds.
 *
 * A start that names no manifest must not be a way around the permissions and the budget of the one that did: what was
 * denied then is denied now, and what was too much is too much.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Permit } from "../agent/Permission.ts"
import { permissionDenied } from "../knowledge/Wrappers.ts"
import type { ModelInfo } from "../llm/LlmClient.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import { decidePermission } from "../manifest/PermissionRules.ts"
import { BudgetTable } from "../manifest/tables/Budget.ts"
import { PermissionsTable } from "../manifest/tables/Permissions.ts"
import { plainJson } from "../protocol/Fields.ts"

const Settings = Schema.Struct({
  permissions: Schema.NullOr(PermissionsTable),
  model: Schema.String,
  budget: Schema.optionalKey(BudgetTable)
})
export type Settings = typeof Settings.Type

const decode = Schema.decodeUnknownOption(Settings)
const encode = Schema.encodeSync(Settings)

/** As it is kept: plain JSON. */
export const write = (current: Settings): Schema.Json => plainJson(encode(current))

/** Undefined if nothing was recorded, or nothing that this version can read. */
export const read = (snapshot: unknown): Settings | undefined => Option.getOrUndefined(decode(snapshot))

export const settings = ({ budget, permissions }: Manifest, model: ModelInfo): Settings => ({
  permissions: permissions ?? null,
  model: `${model.provider} ${model.model}`,
  ...(budget === undefined ? {} : { budget })
})

/** A call must be allowed by each of the tables. */
export const permitBy =
  (tables: ReadonlyArray<PermissionsTable | null | undefined>): Permit =>
  ({ args, tool }) =>
    Effect.sync(() => {
      for (const table of tables) {
        const decision = decidePermission(table ?? undefined, tool, args)
        if (decision.action !== "allow") return { _tag: "Deny", message: permissionDenied(tool, decision) }
      }
      return { _tag: "Allow" }
    })
