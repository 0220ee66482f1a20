/**
 * A tool: what the model is told about it, and what happens when it is called.
 *
 * A failing tool is a result for the model and never the end of a run. Everything that a call starts lives in the
 * call's fiber: interrupting it leaves nothing behind.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ToolSpec } from "../llm/LlmRequest.ts"

/** `summary`: one or two lines that stay in the history for ever. `content`: the bulk, capped by the turn loop. */
export interface ToolOutput {
  readonly summary: string
  readonly content?: string
  /** The tool left something out of `content`. */
  readonly truncated?: boolean
  /** Where the whole output is, if it was kept. */
  readonly outputPath?: string
}

/**
 * `InvalidArgument`: the model should call differently. `ExecutionFailed`: the call was fine, the world was not.
 * `message` is written for the model and becomes the result's text.
 */
export class ToolError extends Schema.TaggedError<ToolError>()("ToolError", {
  reason: Schema.Literals(["InvalidArgument", "ExecutionFailed", "Internal"]),
  message: Schema.String
}) {}

/** What the turn loop gives to a call. */
export interface ToolCallContext {
  readonly callId: string
  /** Live output for whoever watches; it is not kept and may be dropped. */
  readonly emitOutput: (text: string) => Effect.Effect<void>
}

export interface Tool {
  readonly spec: ToolSpec
  /** True if running it twice does no more than running it once: such a call may run again after an interruption. */
  readonly idempotent: boolean
  /**
   * Absolute paths that the call will change. Calls of one response that change the same path run in call order.
   * Arguments that do not decode change nothing.
   */
  readonly mutates: (args: Schema.JsonObject) => ReadonlyArray<string>
  /** `args` is the parsed JSON object of the call. */
  readonly run: (args: Schema.JsonObject, context: ToolCallContext) => Effect.Effect<ToolOutput, ToolError>
}

/**
 * Builds a tool from a schema of its arguments: the JSON Schema for the model and the decoder come from it.
 * Optional arguments accept null as absent; unknown ones are ignored.
 */
export const make = <S extends Schema.Codec<unknown, unknown>>(options: {
  readonly name: string
  readonly description: string
  readonly parameters: S
  readonly idempotent: boolean
  readonly mutates?: (args: S["Type"]) => ReadonlyArray<string>
  readonly run: (args: S["Type"], context: ToolCallContext) => Effect.Effect<ToolOutput, ToolError>
}): Tool => {
  const decode = Schema.decodeUnknownEffect(options.parameters)
  const decodeSync = Schema.decodeUnknownOption(options.parameters)
  return {
    spec: lazySpec(options.name, options.description, options.parameters),
    idempotent: options.idempotent,
    mutates: (args) => {
      const decoded = decodeSync(dropNulls(args))
      return decoded._tag === "Some" && options.mutates !== undefined ? options.mutates(decoded.value) : []
    },
    run: (args, context) =>
      decode(dropNulls(args)).pipe(
        Effect.mapError(
          (error) => new ToolError({ reason: "InvalidArgument", message: `${options.name}: ${error.message}` })
        ),
        Effect.flatMap((decoded) => options.run(decoded, context))
      )
  }
}

/** A JSON Schema takes a while to make, and a pod that has just started has no use for it yet. */
const lazySpec = (name: string, description: string, parameters: Schema.Top): ToolSpec => {
  let made: Schema.JsonObject | undefined
  return {
    name,
    description,
    get parameters() {
      return (made ??= jsonSchema(parameters))
    }
  }
}

/** Models send null for an argument they leave out. */
const dropNulls = (args: Schema.JsonObject): Schema.JsonObject =>
  Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null))

/** One self-contained object schema; vendors want neither `$ref` at the top nor a separate definitions document. */
const jsonSchema = (schema: Schema.Top): Schema.JsonObject => {
  const document = Schema.toJsonSchemaDocument(schema)
  const definitions = document.definitions as Schema.JsonObject
  return {
    ...(document.schema as Schema.JsonObject),
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}
