/**
 * The arguments of a call as its tool will see them.
 *
 * What a schema does not declare reaches no tool. So it may reach nobody who judges the call either: a rule about `path`
 * would be met by a `path` that nothing reads. Rules, hooks, people and the tool get one and the same value: what was
 * decoded, encoded again.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { isTooDeep, maxDepth } from "../session/Depth.ts"

export interface Arguments {
  readonly decode: (args: Schema.JsonObject) => Result.Result<unknown, Schema.SchemaError>
  /** A failure says what is wrong, for the model. */
  readonly accept: (args: Schema.JsonObject) => Result.Result<Schema.JsonObject, string>
}

export const make = (schema: Schema.Codec<unknown, unknown>): Arguments => {
  const decodeOnce = Schema.decodeUnknownResult(schema)
  const decodeDeclared = Schema.decodeUnknownResult(schema, { onExcessProperty: "error" })
  const encode = Schema.encodeUnknownResult(schema)
  const { ast } = schema
  const takesNone = SchemaAST.isObjects(ast) && ast.propertySignatures.length === 0 && ast.indexSignatures.length === 0

  /** Models send null for an argument that they leave out. Where null is a value of its own, it stays one. */
  const arrange = (args: Schema.JsonObject) => (Result.isSuccess(decodeOnce(args)) ? args : dropNulls(args))

  const accept = (args: Schema.JsonObject): Result.Result<Schema.JsonObject, string> => {
    // What encodes calls itself for each level.
    if (isTooDeep(args)) return Result.fail(`the arguments are nested more than ${maxDepth} levels deep`)
    const given = arrange(args)
    const decoded = decodeOnce(given)
    if (Result.isFailure(decoded)) return Result.fail(decoded.failure.message)
    // To a struct without fields everything is "anything but null".
    if (takesNone) return Result.succeed({})
    const encoded = encode(decoded.success)
    if (Result.isSuccess(encoded)) return Result.succeed(encoded.success as Schema.JsonObject)
    // What was decoded has no way back. What was sent will do, if all of it is read.
    const declared = decodeDeclared(given)
    return Result.isSuccess(declared) ? Result.succeed(given) : Result.fail(declared.failure.message)
  }

  return { decode: (args) => decodeOnce(arrange(args)), accept }
}

const dropNulls = (args: Schema.JsonObject): Schema.JsonObject =>
  Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null))
