/**
 * Who owns a pod. One live owner per pod name and per session, over processes, pid reuse and `kill -9`.
 *
 * The proof is a lock that the kernel frees when its owner dies and keeps while it is stopped; it is never a matter of
 * time. Pid, boot id and start time only name the owner in messages.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ScopeRules } from "../protocol/ScopeRule.ts"

export const LeaseOwner = Schema.Struct({
  pod_name: Schema.String,
  pid: Schema.Int,
  socket: Schema.NullOr(Schema.String),
  /** The process is stopped (SIGSTOP): it holds the lease and answers nothing. */
  stopped: Schema.Boolean
})
export type LeaseOwner = typeof LeaseOwner.Type

/**
 * * `PodHeld`, `SessionHeld`: another process is this pod, or writes this session.
 * * `ScopeOverlap`: another live pod may write where this one wants to; `rules` are its conflicting targets.
 * * `Unavailable`: no lease could be tried at all (file system, permissions).
 */
export class LeaseError extends Schema.TaggedError<LeaseError>()("LeaseError", {
  reason: Schema.Literals(["PodHeld", "SessionHeld", "ScopeOverlap", "Unavailable"]),
  pod: Schema.String,
  message: Schema.String,
  owner: Schema.optionalKey(LeaseOwner),
  rules: Schema.optionalKey(Schema.Array(Schema.String))
}) {}

export interface LeaseRequest {
  readonly podName: string
  /** Null for the name alone: of a pod that is being made, whose session nobody can know yet. */
  readonly sessionId: string | null
  readonly socket: string | null
}

/** A lease that this process holds, until its Scope closes or the process dies. */
export interface HeldLease {
  /**
   * Registers what this pod may write, so that no two live pods write the same place; `ScopeOverlap` if one does.
   * Deny rules narrow what overlaps. A later claim replaces an earlier one.
   */
  readonly claim: (scope: ScopeRules) => Effect.Effect<void, LeaseError>
}

export class Lease extends Context.Service<
  Lease,
  {
    /** Refused at once when held. Released when the Scope closes, or by the kernel when the process dies. */
    readonly acquire: (request: LeaseRequest) => Effect.Effect<HeldLease, LeaseError, Scope.Scope>
  }
>()("effect-pod/runtime/Lease") {}
