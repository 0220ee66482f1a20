/**
 * `pods.json`: how pods of the seed know of each other on one machine, and where its tools look for live ones.
 *
 * Ours keep leases instead. A row says who holds a name, a segment and a write scope, for as long as its pid lives.
 */
import * as Schema from "effect/Schema"
import { Count, defaulted, nullable } from "./Fields.ts"
import { ScopeRule } from "./ScopeRule.ts"

export const PodAllocation = Schema.Struct({
  pod_name: Schema.String,
  pid: Count,
  socket: Schema.String,
  scope_allow: Schema.Array(ScopeRule),
  scope_deny: defaulted(Schema.Array(ScopeRule), []),
  /** The parent's name. */
  delegated_from: nullable(Schema.String),
  /** Null while a parent, whose pid stands in the row, has reserved it for a child that is not there yet. */
  segment_id: nullable(Schema.String)
})
export type PodAllocation = typeof PodAllocation.Type

/** An empty file is an empty table. */
export const PodRegistry = Schema.Struct({ allocations: Schema.Array(PodAllocation) })
export type PodRegistry = typeof PodRegistry.Type
