/**
 * Why a path was refused. The message is complete and written for whoever named the path, model or person.
 *
 * A target of a link is named only if the directory that holds the link may be read: what lies outside the scope is
 * not described.
 */
import * as Schema from "effect/Schema"

/**
 * * `NotAbsolute`, `OutOfScope`, `ReadOnly`: the path cannot be used with this scope.
 * * `LinkOutOfScope`, `BrokenLink`, `LinkToDirectory`: a link on the way is the trouble.
 * * `IsDirectory`, `NotDirectory`, `NotRegular`, `TooLarge`, `Binary`: the thing is there, and of the wrong kind.
 * * `NotFound`, `Failed`, `TimedOut`: the request was fine, the file system was not.
 */
export const ScopeErrorReason = Schema.Literals([
  "NotAbsolute",
  "OutOfScope",
  "ReadOnly",
  "LinkOutOfScope",
  "BrokenLink",
  "LinkToDirectory",
  "IsDirectory",
  "NotDirectory",
  "NotRegular",
  "TooLarge",
  "Binary",
  "NotFound",
  "Failed",
  "TimedOut"
])
export type ScopeErrorReason = typeof ScopeErrorReason.Type

export class ScopeError extends Schema.TaggedError<ScopeError>()("ScopeError", {
  reason: ScopeErrorReason,
  path: Schema.String,
  message: Schema.String
}) {}

export const scopeError = (reason: ScopeErrorReason, path: string, message: string): ScopeError =>
  new ScopeError({ reason, path, message })
