/**
 * One line of a file scope: a path and what may be done below it.
 *
 * It travels in `pod_event`, in the journal (`pod.scope`) and in the manifest, so it lives with the protocol.
 * What the rules *mean* together is decided in `../scope/Scope.ts`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const Permission = Schema.Literals(["read", "write"])
export type Permission = typeof Permission.Type

/** `target` is absolute. `recursive: false` covers the target and its direct children only. */
export const ScopeRule = Schema.Struct({
  target: Schema.String,
  permission: Permission,
  recursive: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
})
export type ScopeRule = typeof ScopeRule.Type

/** The payload of the journal's `pod.scope` extension: the whole scope, allow and deny. */
export const ScopeRules = Schema.Struct({
  allow: Schema.Array(ScopeRule),
  deny: Schema.Array(ScopeRule)
})
export type ScopeRules = typeof ScopeRules.Type
