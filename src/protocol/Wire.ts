/**
 * One JSON object per line: values to lines, and lines to methods.
 *
 * What is written never holds a lone UTF-16 surrogate, because strict readers refuse the whole line over one.
 * What is read never throws: a line that is not a method becomes an error that a person can act on, with the request's
 * `id` if it has one, so that the answer can be addressed. Framing is `Lines.ts`.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { Method, type MethodName, methodNames, RequestId } from "./Method.ts"
import { nearest } from "./Nearest.ts"
import { repeatedKey } from "./RepeatedKey.ts"

/** Every escape of a JSON text; the first alternative is a surrogate, which is escaped only if it stands alone. */
const escapes = /\\(?:u(d[89a-f][0-9a-f]{2})|.)/g

/** Compact JSON and a newline. Lone surrogates become U+FFFD. */
export const encodeLine = (value: object): string => {
  const json = JSON.stringify(value)
  const line = json.includes("\\ud")
    ? json.replace(escapes, (escape, surrogate: string | undefined) => (surrogate === undefined ? escape : "\ufffd"))
    : json
  return `${line}\n`
}

/** `message` is one line that begins with `invalid method:`. */
export class InvalidMethod extends Schema.TaggedError<InvalidMethod>()("InvalidMethod", {
  message: Schema.String,
  id: Schema.optionalKey(Schema.String)
}) {}

const isRequestId = Schema.is(RequestId)

type Decoder = (input: unknown) => Result.Result<Method, SchemaIssue.Issue>

/**
 * One decoder per method: an error then speaks of that method alone. The cast widens each member to the union, which a
 * tuple's `map` cannot see.
 */
const decoders: ReadonlyMap<string, Decoder> = new Map<MethodName, Decoder>(
  Method.members.map(
    (member, index) =>
      [methodNames[index]!, SchemaParser.decodeUnknownResult(member as Schema.Codec<Method, unknown>)] as const
  )
)

/** The method that a line asks for. */
export const decodeMethod = (text: string): Result.Result<Method, InvalidMethod> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return refuse(`not JSON: ${oneLine((error as SyntaxError).message)}`, undefined)
  }
  if (!isObject(value)) {
    return refuse(`expected an object {"method", "id"?, "params"?}, got ${typeName(value)}`, undefined)
  }
  const repeated = repeatedKey(text)
  const id = repeated !== "id" && isRequestId(value["id"]) ? value["id"] : undefined
  if (repeated !== undefined) return refuse(`the key "${repeated}" is there twice`, id)
  const name = value["method"]
  if (typeof name !== "string") {
    return refuse(name === undefined ? `"method" is missing` : `"method" is not a string`, id)
  }
  const decode = decoders.get(name)
  if (decode === undefined) return refuse(unknownMethod(name), id)
  return Result.mapError(decode(value), (issue) => invalid(`${name}: ${describe(issue, value)}`, id))
}

const invalid = (what: string, id: string | undefined): InvalidMethod =>
  new InvalidMethod({ message: `invalid method: ${what}`, ...(id === undefined ? {} : { id }) })

const refuse = (what: string, id: string | undefined) => Result.fail(invalid(what, id))

const unknownMethod = (name: string): string => {
  const near = nearest(name, methodNames)
  const shown = JSON.stringify(cut(name, 64))
  return near === undefined
    ? `unknown method ${shown}; known are ${methodNames.join(", ")}`
    : `unknown method ${shown}; did you mean "${near}"?`
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** The first thing that is wrong, as `params.input[0].content is missing` or `params.from: expected …, got …`. */
const describe = (issue: SchemaIssue.Issue, value: unknown): string => {
  const first = format(issue).issues[0]!
  const path = (first.path ?? []) as ReadonlyArray<string | number>
  const where = path.reduce<string>(
    (at, key) => (typeof key === "number" ? `${at}[${key}]` : at === "" ? key : `${at}.${key}`),
    ""
  )
  if (first.message === "Missing key") return `${where} is missing`
  const got = path.reduce<unknown>(
    (at, key) => (isObject(at) || Array.isArray(at) ? Reflect.get(at, key) : undefined),
    value
  )
  const expected = oneLine(first.message.replace(/^Expected/, "expected"))
  return `${where === "" ? "" : `${where}: `}${expected}, got ${shortValue(got)}`
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const typeName = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`

/** Words and numbers are shown, everything longer is only named: a message must not carry a document. */
const shortValue = (value: unknown): string =>
  typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= 40)
    ? JSON.stringify(value)
    : typeName(value)

const cut = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max)}…`)

const oneLine = (text: string): string => cut(text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " "), 240)
