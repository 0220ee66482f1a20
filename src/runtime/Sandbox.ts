/**
 * A fence around commands: they see the pod's scope, what a shell needs of the system, and no more.
 *
 * What it really enforces is found out by trying and reported as it is: the report goes into the greeting, and from
 * there to people and to the model.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SandboxReport } from "../protocol/Greeting.ts"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import type { LaunchSpec } from "./Launcher.ts"

/** There is no usable sandbox where one is required, or none for this command. */
export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", {
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String)
}) {}

/** As in the manifest's `[sandbox]`. */
export interface SandboxPolicy {
  /** `required` fails without a usable sandbox, `auto` does without, `off` does not look for one. */
  readonly mode: "auto" | "required" | "off"
  readonly network: "allow" | "deny"
}

/** What one command may see. */
export interface FencedScope {
  /** The rules with real paths, as of now. */
  readonly rules: ScopeRules
  /** The same as they were written, maybe through links: commands may use those names too. */
  readonly written: ScopeRules
  /** The pod's own directories that commands may read, although what lies around them is hidden: long output. */
  readonly own: ReadonlyArray<string>
}

/** A program behind a fence that shows it nothing but files to read. */
export interface FencedReader {
  readonly spec: LaunchSpec
  /** Directories that may be read and cannot be shown: a rule for them alone would come to too many mounts. */
  readonly unseen: ReadonlyArray<string>
}

/** The fence of one pod. */
export interface Fence {
  /** What is enforced, with the mounts that this scope comes to. */
  readonly report: (scope: FencedScope) => Effect.Effect<SandboxReport>
  /** The same command inside the fence; without a sandbox, the command as it is. */
  readonly wrap: (spec: LaunchSpec, scope: FencedScope) => Effect.Effect<LaunchSpec, SandboxError>
  /**
   * A program of our own that walks through files: it sees what these rules, with real paths, let be read, and itself. No
   * network, no home, no processes. Undefined where there is no sandbox, or the program does not run in it.
   */
  readonly wrapReader: (spec: LaunchSpec, rules: ScopeRules) => Effect.Effect<FencedReader | undefined, SandboxError>
}

export class Sandbox extends Context.Service<
  Sandbox,
  {
    /** Whether a sandbox works is tried with the first pod that wants one, once. The fence lives in the Scope. */
    readonly open: (policy: SandboxPolicy) => Effect.Effect<Fence, SandboxError, Scope.Scope>
  }
>()("effect-pod/runtime/Sandbox") {}
