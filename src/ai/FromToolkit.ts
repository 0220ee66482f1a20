/**
 * The tools of an `effect/ai` Toolkit as tools of a pod.
 *
 * Schemas, handlers and the services that they need come from the Toolkit. A handler's failure is an error result for
 * the model, encoded by the tool's schema, whatever the tool's failure mode says; interrupting a run interrupts the
 * handler. Preliminary results are live output. A tool that needs an approval is not run: a pod asks by its own rules.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import * as AiTool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Arguments from "../tools/Arguments.ts"
import * as Output from "../tools/Output.ts"
import { parameterSchema } from "../tools/ParameterSchema.ts"
import { type Tool, type ToolCallContext, ToolError, type ToolOutput } from "../tools/Tool.ts"
import { ToolDefinitionError } from "../tools/ToolDefinitionError.ts"

/** What a Toolkit does not say about a tool. */
export interface Declared<Args> {
  /** Default: what the annotations `Tool.Idempotent` and `Tool.Readonly` say. */
  readonly idempotent?: boolean
  /** Absolute paths that the call changes, by its decoded arguments. Default: none. */
  readonly mutates?: (args: Args) => ReadonlyArray<string>
  readonly replaces?: boolean
}

export type Declarations<Tools extends Record<string, AiTool.Any>> = {
  readonly [Name in keyof Tools]?: Declared<AiTool.Parameters<Tools[Name]>>
}

/** Preliminary results of one call that may wait to be shown. */
const preliminaryBuffer = 64

/** Fails for a tool that the vendor of some model runs itself. */
export const tools = <Tools extends Record<string, AiTool.Any>>(
  toolkit: Toolkit.Toolkit<Tools>,
  declared: Declarations<Tools> = {}
): Effect.Effect<
  ReadonlyArray<Tool>,
  ToolDefinitionError,
  AiTool.HandlersFor<Tools> | AiTool.HandlerServices<Tools[keyof Tools]>
> =>
  Effect.gen(function* () {
    type Services = AiTool.HandlerServices<Tools[keyof Tools]>
    const withHandler = yield* toolkit
    const services = yield* Effect.context<Services>()
    // By name, and with whatever arguments: the toolkit decodes them.
    const handle = withHandler.handle as (
      name: string,
      args: Schema.JsonObject,
      callId: string
    ) => Effect.Effect<Stream.Stream<AiTool.HandlerResult<AiTool.Any>, Failure, Services>, Failure, Services>
    const made: Array<Tool> = []
    for (const [name, tool] of Object.entries<AiTool.Any>(toolkit.tools)) {
      if (AiTool.isProviderDefined(tool) && !tool.requiresHandler) {
        return yield* new ToolDefinitionError({
          reason: "NoHandler",
          tool: name,
          problem: "it is run by the vendor of a model, not by a handler",
          hint: "leave it out of the toolkit"
        })
      }
      const call: Handle = (args, callId) => Stream.provideContext(Stream.unwrap(handle(name, args, callId)), services)
      made.push(asTool(tool, call, services, declared[name] ?? {}))
    }
    return made
  })

/** Whatever the schema of a tool's failures is of. */
type Failure = NonNullable<unknown> | null | undefined

type Handle = (args: Schema.JsonObject, callId: string) => Stream.Stream<AiTool.HandlerResult<AiTool.Any>, Failure>

const asTool = (
  tool: AiTool.Any,
  handle: Handle,
  services: Context.Context<never>,
  // oxlint-disable-next-line typescript/no-explicit-any -- of the arguments of whichever tool
  declared: Declared<any>
): Tool => {
  const { name } = tool
  const { accept, decode } = Arguments.make(tool.parametersSchema as Schema.Codec<unknown, unknown>)
  const encodeFailure = Schema.encodeUnknownEffect(tool.failureSchema as Schema.Codec<unknown, unknown>)
  const { annotations } = tool

  const explain = Effect.fnUntraced(function* (error: unknown) {
    if (error instanceof ToolError) return error
    if (AiError.isAiError(error)) return fail(reasonOf(error), error.reason.message)
    const encoded = yield* Effect.option(Effect.provideContext(encodeFailure(error), services))
    return fail("ExecutionFailed", Output.failureText(name, error, Option.getOrUndefined(encoded)))
  })

  return {
    spec: spec(tool),
    idempotent:
      declared.idempotent ?? (Context.get(annotations, AiTool.Idempotent) || Context.get(annotations, AiTool.Readonly)),
    ...(declared.replaces === true ? { replaces: true } : {}),
    mutates: (args) => {
      const decoded = decode(args)
      return decoded._tag === "Success" ? (declared.mutates?.(decoded.success) ?? []) : []
    },
    accept: (sent) =>
      Effect.suspend(() =>
        Effect.fromResult(Result.mapError(accept(sent), (problem) => fail("InvalidArgument", `${name}: ${problem}`)))
      ),
    run: Effect.fnUntraced(function* (args, context) {
      if (yield* needsApproval(tool, decode(args), context.callId)) {
        return yield* fail("ExecutionFailed", `${name} needs an approval, and nobody can be asked: it was not run.`)
      }
      const last = yield* handle(args, context.callId).pipe(
        Stream.tap((result) => (result.preliminary ? show(context, result.encodedResult) : Effect.void)),
        Stream.filter((result) => !result.preliminary),
        Stream.runLast,
        Effect.provideService(Toolkit.PreliminaryBuffer, preliminaryBuffer),
        Effect.catchCause((cause) => refail(cause, explain))
      )
      if (Option.isNone(last)) return yield* fail("Internal", `${name} gave no result`)
      const { encodedResult, failureOrigin, isFailure, modelOutput, result } = last.value
      if (isFailure) {
        if (AiError.isAiError(result)) return yield* fail(reasonOf(result), result.reason.message)
        const reason = failureOrigin === "result" ? "Internal" : "ExecutionFailed"
        return yield* fail(reason, Output.failureText(name, result, encodedResult))
      }
      return yield* output(name, modelOutput === undefined ? encodedResult : Prompt.toolModelOutputToText(modelOutput))
    })
  }
}

const fail = (reason: ToolError["reason"], message: string): ToolError => new ToolError({ reason, message })

/** Typed failures become results; a defect and an interrupt stay what they are. */
const refail = (
  cause: Cause.Cause<unknown>,
  explain: (error: unknown) => Effect.Effect<ToolError>
): Effect.Effect<never, ToolError> => {
  const error = Cause.findErrorOption(cause)
  if (Option.isSome(error)) return Effect.flatMap(explain(error.value), Effect.fail)
  return Effect.failCause(cause as Cause.Cause<never>)
}

const spec = (tool: AiTool.Any): Tool["spec"] => {
  let made: Schema.JsonObject | undefined
  const make = () =>
    AiTool.isDynamic(tool) && tool.jsonSchema !== undefined
      ? (tool.jsonSchema as Schema.JsonObject)
      : parameterSchema(tool.parametersSchema)
  return {
    name: tool.name,
    description: AiTool.getDescription(tool) ?? tool.name,
    get parameters() {
      return (made ??= make())
    }
  }
}

const reasonOf = ({ reason }: AiError.AiError): ToolError["reason"] => {
  if (reason._tag === "ToolParameterValidationError") return "InvalidArgument"
  const isOurs = reason._tag === "InvalidToolResultError" || reason._tag === "ToolResultEncodingError"
  return isOurs ? "Internal" : "ExecutionFailed"
}

const needsApproval = (
  tool: AiTool.Any,
  args: ReturnType<ReturnType<typeof Schema.decodeUnknownResult>>,
  toolCallId: string
): Effect.Effect<boolean> => {
  const needs = tool.needsApproval
  if (typeof needs !== "function") return Effect.succeed(needs === true)
  // Arguments that do not decode reach no handler.
  if (args._tag === "Failure") return Effect.succeed(false)
  const asked = needs(args.success, { toolCallId, messages: [] })
  return Effect.isEffect(asked) ? asked : Effect.succeed(asked)
}

const show = (context: ToolCallContext, encoded: unknown): Effect.Effect<void> =>
  Effect.flatMap(Effect.option(render(() => Output.textOf(encoded))), (text) =>
    Option.isSome(text) ? context.emitOutput(`${text.value}\n`) : Effect.void
  )

const output = (name: string, encoded: unknown): Effect.Effect<ToolOutput, ToolError> =>
  Effect.mapError(
    render(() => Output.fromEncoded(encoded)),
    () => new ToolError({ reason: "Internal", message: `${name}: the result has no JSON form` })
  )

const render = <A>(make: () => A): Effect.Effect<A, void> => Effect.try({ try: make, catch: () => undefined })
