/**
 * What is remembered of the manifest that a pod was last started with on purpose, beside what its journal holds.
 *
 * A start that names no manifest must not be a way around the permissions, the budget, the sandbox and the hooks of the
 * one that did: what was denied then is denied now, what was too much is too much, what was fenced is, and whoever was
 * asked is asked.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ModelInfo } from "../llm/LlmClient.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import { BudgetTable } from "../manifest/tables/Budget.ts"
import { HookCommand, HooksTable } from "../manifest/tables/Hooks.ts"
import { PermissionsTable } from "../manifest/tables/Permissions.ts"
import { plainJson } from "../protocol/Fields.ts"
import type { SandboxTable } from "../manifest/tables/Sandbox.ts"
import type { SandboxPolicy } from "../runtime/Sandbox.ts"

const Settings = Schema.Struct({
  permissions: Schema.NullOr(PermissionsTable),
  model: Schema.String,
  budget: Schema.optionalKey(BudgetTable),
  sandbox: Schema.optionalKey(
    Schema.Struct({
      mode: Schema.Literals(["auto", "required", "off"]),
      network: Schema.Literals(["allow", "deny"])
    })
  ),
  hooks: Schema.optionalKey(HooksTable)
})
export type Settings = typeof Settings.Type

const decode = Schema.decodeUnknownOption(Settings)
const encode = Schema.encodeSync(Settings)

/** As it is kept: plain JSON. */
export const write = (current: Settings): Schema.Json => plainJson(encode(current))

/** Undefined if nothing was recorded, or nothing that this version can read. */
export const read = (snapshot: unknown): Settings | undefined => Option.getOrUndefined(decode(snapshot))

export const settings = ({ budget, hooks, permissions, sandbox }: Manifest, model: ModelInfo): Settings => ({
  permissions: permissions ?? null,
  model: `${model.provider} ${model.model}`,
  ...(budget === undefined ? {} : { budget }),
  sandbox: { mode: sandbox.mode, network: sandbox.network },
  ...(hooks === undefined ? {} : { hooks })
})

const strictness: { readonly [M in SandboxPolicy["mode"]]: number } = { off: 0, auto: 1, required: 2 }

/** The stricter of both, in each point. */
export const fencedBy = ({ mode, network }: SandboxTable, before: Settings["sandbox"]): SandboxPolicy => ({
  mode: before !== undefined && strictness[before.mode] > strictness[mode] ? before.mode : mode,
  network: before?.network === "deny" ? "deny" : network
})

const sameHook = Schema.toEquivalence(HookCommand)

/** All of the tables, each command once. */
export const hookCommands = (tables: ReadonlyArray<HooksTable | undefined>): ReadonlyArray<HookCommand> => {
  const commands: Array<HookCommand> = []
  for (const table of tables) {
    for (const command of table?.command ?? []) {
      if (!commands.some((other) => sameHook(other, command))) commands.push(command)
    }
  }
  return commands
}
