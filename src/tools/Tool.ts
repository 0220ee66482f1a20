/**
 * A tool: what the model is told about it, and what happens when it is called.
 *
 * A failing tool is a result for the model and never the end of a run. Everything that a call starts lives in the
 * call's fiber: interrupting it leaves nothing behind.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ToolSpec } from "../llm/LlmRequest.ts"
import type { BackgroundCommand } from "../protocol/BackgroundCommand.ts"
import type { Media } from "../protocol/Media.ts"
import type { SeenFile } from "../protocol/SeenFile.ts"
import type { Task } from "../protocol/Task.ts"
import * as Lexical from "../scope/Lexical.ts"
import * as Arguments from "./Arguments.ts"
import { failureText, fromEncoded } from "./Output.ts"
import { parameterSchema } from "./ParameterSchema.ts"
import type { KnownFiles } from "./KnownFiles.ts"

/** `summary`: one or two lines that stay in the history for ever. `content`: the bulk, capped by the turn loop. */
export interface ToolOutput {
  readonly summary: string
  readonly content?: string
  /** The tool left something out of `content`. */
  readonly truncated?: boolean
  /** What a model that can see is shown besides the text. */
  readonly media?: ReadonlyArray<Media>
  /** Where the whole output is, if it was kept. */
  readonly outputPath?: string
  /** The task that the call has made or changed: recorded with the result, in one line, and true from then on. */
  readonly task?: Task
  /** The file that the call has shown or written whole: recorded with the result, like a task. */
  readonly seen?: SeenFile
  /** The command in the background that the call has started, or of whose end it tells: recorded likewise. */
  readonly command?: BackgroundCommand
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
  /** The tasks of the session when the call begins, in the order of their ids. */
  readonly tasks: ReadonlyArray<Task>
  /** What the model knows of files, live. */
  readonly known: KnownFiles
  /**
   * What is done if the result of the call is never recorded, because the call is cancelled or the journal fails: for
   * what goes on behind the call, and of which only that result tells.
   */
  readonly unlessRecorded: (undo: Effect.Effect<void>) => Effect.Effect<void>
}

export interface Tool {
  readonly spec: ToolSpec
  /** True if running it twice does no more than running it once: such a call may run again after an interruption. */
  readonly idempotent: boolean
  /** Takes the place of the built-in tool of that name; any other tool of one name with another is an error. */
  readonly replaces?: true
  /**
   * Absolute paths that the call will change, or a name of the tool's own for what is no file. Calls of one response that
   * change the same thing run in call order, each when the result of the one before is recorded. Arguments that do not
   * decode change nothing.
   */
  readonly mutates: (args: Schema.JsonObject) => ReadonlyArray<string>
  /**
   * What of the arguments that were sent the call is about: all that the tool will read, and nothing else. Permissions,
   * hooks and people judge this, and `mutates` and `run` get it. Fails where the call could not run anyway.
   */
  readonly accept: (sent: Schema.JsonObject) => Effect.Effect<Schema.JsonObject, ToolError>
  /** `args` is a JSON object. */
  readonly run: (args: Schema.JsonObject, context: ToolCallContext) => Effect.Effect<ToolOutput, ToolError>
}

/** The error of a tool that says nothing about its schema: any with a message, which is what the model reads. */
export interface Told {
  readonly message: string
}

export interface ToolOptions<
  Parameters extends Schema.Codec<unknown, unknown>,
  Success extends AnyCodec | undefined,
  Failure extends AnyCodec | undefined
> {
  /** Letters, digits, `_` and `-`, at most 64: what every vendor takes. Not that of another tool of the pod. */
  readonly name: string
  readonly description: string
  /** Of an object. Default: no arguments. */
  readonly parameters?: Parameters
  /** What `run` gives, as JSON for the model. Without it: a text, a `ToolOutput` of one's own, or nothing. */
  readonly success?: Success
  /** The errors of `run`, as JSON for the model behind their message. Without it: the message alone. */
  readonly failure?: Failure
  /** Default false: after a crash in the middle the call is answered "outcome unknown". */
  readonly idempotent?: boolean
  /** Takes the place of the built-in tool of that name. */
  readonly replaces?: boolean
  readonly mutates?: (args: Parameters["Type"]) => ReadonlyArray<string>
  readonly run: (
    args: Parameters["Type"],
    context: ToolCallContext
  ) => Effect.Effect<
    Success extends AnyCodec ? Success["Type"] : string | ToolOutput | void,
    Failure extends AnyCodec ? Failure["Type"] | ToolError : Told
  >
}

// oxlint-disable-next-line typescript/no-explicit-any -- a codec of whatever the user's own is of
type AnyCodec = Schema.Codec<any, any>

/**
 * Builds a tool from schemas: the JSON Schema for the model, the decoder of its arguments and the text of its results
 * come from them. Optional arguments accept null as absent; those that the schema does not declare are dropped before
 * anybody judges the call.
 */
export const make = <
  Parameters extends Schema.Codec<unknown, unknown> = typeof noParameters,
  Success extends AnyCodec | undefined = undefined,
  Failure extends AnyCodec | undefined = undefined
>(
  options: ToolOptions<Parameters, Success, Failure>
): Tool => {
  const parameters: Schema.Codec<unknown, unknown> = options.parameters ?? noParameters
  const { accept, decode } = Arguments.make(Schema.toCodecJson(parameters))
  const unfit = (problem: string) =>
    new ToolError({ reason: "InvalidArgument", message: `${options.name}: ${problem}` })
  const tell = teller(options.name, options.success)
  const explain = explainer(options.name, options.failure)
  return {
    spec: lazySpec(options.name, options.description, parameters),
    idempotent: options.idempotent ?? false,
    ...(options.replaces === true ? { replaces: true } : {}),
    mutates: (args) => {
      const decoded = decode(args)
      if (Result.isFailure(decoded) || options.mutates === undefined) return []
      return options.mutates(decoded.success).map((path) => (Lexical.isAbsolute(path) ? Lexical.normalize(path) : path))
    },
    accept: (sent) => Effect.suspend(() => Effect.fromResult(Result.mapError(accept(sent), unfit))),
    run: (args, context) =>
      Effect.suspend(() => {
        const decoded = decode(args)
        if (Result.isFailure(decoded)) return Effect.fail(unfit(decoded.failure.message))
        return options.run(decoded.success, context).pipe(Effect.mapError(explain), Effect.flatMap(tell))
      })
  }
}

const noParameters = Schema.Struct({})

/** The result of a call, for the model. One that its schema does not fit is a defect of the tool. */
const teller = (name: string, success: AnyCodec | undefined) => {
  if (success === undefined) {
    return (value: string | ToolOutput | void): Effect.Effect<ToolOutput> =>
      Effect.succeed(typeof value === "object" ? value : fromEncoded(value))
  }
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(success))
  return (value: unknown): Effect.Effect<ToolOutput, ToolError> =>
    encode(value).pipe(
      Effect.map(fromEncoded),
      Effect.mapError((error) => new ToolError({ reason: "Internal", message: `${name}: ${error.message}` }))
    )
}

const explainer = (name: string, failure: AnyCodec | undefined) => {
  const encode = failure === undefined ? undefined : Schema.encodeUnknownOption(Schema.toCodecJson(failure))
  return (error: unknown): ToolError => {
    if (error instanceof ToolError) return error
    const encoded = Option.getOrUndefined(encode?.(error) ?? Option.none())
    return new ToolError({ reason: "ExecutionFailed", message: failureText(name, error, encoded) })
  }
}

/** A JSON Schema takes a while to make, and a pod that has just started has no use for it yet. */
const lazySpec = (name: string, description: string, parameters: Schema.Constraint): ToolSpec => {
  let made: Schema.JsonObject | undefined
  return {
    name,
    description,
    get parameters() {
      return (made ??= parameterSchema(parameters))
    }
  }
}
