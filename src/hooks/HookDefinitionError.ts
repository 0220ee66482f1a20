/** A hook that no pod can have as it is. Found when the pod is made, before its journal is opened. */
import * as Schema from "effect/Schema"

/** `NameTaken`: another hook has that name. Records and alerts could not tell them apart. */
export class HookDefinitionError extends Schema.TaggedError<HookDefinitionError>()("HookDefinitionError", {
  reason: Schema.Literals(["NameTaken"]),
  hook: Schema.String,
  problem: Schema.String,
  hint: Schema.String
}) {
  override get message(): string {
    return `hook ${JSON.stringify(this.hook)}: ${this.problem} (${this.hint})`
  }
}
