/** A tool that no pod can have as it is. Found when the pod is made, before its journal is opened. */
import * as Schema from "effect/Schema"

/**
 * * `NameTaken`: another tool has that name. Two of one name would be one to the model.
 * * `BadName`: vendors refuse it.
 * * `BadParameters`: there is no JSON Schema of an object for its arguments.
 * * `NoHandler`: it is run by the vendor of some model, and has nothing that a pod could run.
 */
export class ToolDefinitionError extends Schema.TaggedError<ToolDefinitionError>()("ToolDefinitionError", {
  reason: Schema.Literals(["NameTaken", "BadName", "BadParameters", "NoHandler"]),
  tool: Schema.String,
  problem: Schema.String,
  hint: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `tool ${JSON.stringify(this.tool)}: ${this.problem}${this.hint === undefined ? "" : ` (${this.hint})`}`
  }
}
