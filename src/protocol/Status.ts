/** The closed sets of words on the wire: statuses, results, error codes, alert levels. */
import * as Schema from "effect/Schema"

/** What the seed protocol knows. */
export const SeedStatus = Schema.Literals(["idle", "running", "paused"])
export type SeedStatus = typeof SeedStatus.Type

export const PodStatus = Schema.Literals(["idle", "running", "paused", "compacting", "restoring", "stopping"])
export type PodStatus = typeof PodStatus.Type

export const SeedRunResult = Schema.Literals(["finished", "paused", "limit_reached", "rolled_back"])
export type SeedRunResult = typeof SeedRunResult.Type

/** How a leg of a run ended. `interrupted` is a crash; `abandoned` ends a run that was paused. */
export const RunResult = Schema.Literals([
  "finished",
  "paused",
  "limit_reached",
  "rolled_back",
  "cancelled",
  "failed",
  "interrupted",
  "abandoned"
])
export type RunResult = typeof RunResult.Type

export const InvokeKind = Schema.Literals(["user_send", "notify", "pod_event", "system_reminder", "wakeup"])
export type InvokeKind = typeof InvokeKind.Type

export const RunKind = Schema.Literals(["run", "notify", "pod_event", "resume"])
export type RunKind = typeof RunKind.Type

export const SeedErrorCode = Schema.Literals([
  "already_running",
  "not_running",
  "not_paused",
  "provider_error",
  "tool_error",
  "invalid_request",
  "internal"
])
export type SeedErrorCode = typeof SeedErrorCode.Type

export const ErrorCode = Schema.Literals([
  ...SeedErrorCode.literals,
  "conflict",
  "not_found",
  "lease_lost",
  "storage_error",
  "overloaded",
  "provider_overflow",
  "approval_denied"
])
export type ErrorCode = typeof ErrorCode.Type

/** Where in its life a run or a request was when it failed. */
export const ErrorPhase = Schema.Literals([
  "accept",
  "prepare",
  "request",
  "stream",
  "tool",
  "store",
  "compact",
  "restore"
])
export type ErrorPhase = typeof ErrorPhase.Type

export const AlertLevel = Schema.Literals(["warn", "error"])
export const AlertSource = Schema.Literals(["pod", "worker", "compactor", "agents_md"])
export type AlertSource = typeof AlertSource.Type

export const CompletionKind = Schema.Literals(["file", "knowledge", "workflow"])
export type CompletionKind = typeof CompletionKind.Type
