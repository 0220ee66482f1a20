/**
 * A quick test whether a value that came out of `JSON.parse` is in the form in which it decodes to itself.
 *
 * What is journalled is the same plain object decoded and encoded, so a value of the decoded type without a key too
 * many needs no decoding. The test knows the few forms that such schemas are made of and says no wherever it is not
 * sure: the schema has the last word then.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { Count } from "../protocol/Fields.ts"

type Accepts = (value: unknown) => boolean
type Fields = { readonly [key: string]: unknown }

const refuse: Accepts = () => false

/** Compiled when it is first asked: a start has no time for what it may never meet. */
const lazily = (make: () => Accepts): Accepts => {
  let made: Accepts | undefined
  return (value) => (made ??= make())(value)
}

export const isCanonical = <A>(schema: Schema.Codec<A, unknown>): ((json: unknown) => json is A) =>
  lazily(() => compile(SchemaAST.toType(schema.ast))) as (json: unknown) => json is A

const compile = (ast: SchemaAST.AST): Accepts => {
  if (ast.encoding !== undefined) return refuse
  if (ast.checks !== undefined && ast.checks === Count.ast.checks) return isCount
  const accepts = ofForm(ast)
  const checks = ast.checks ?? []
  if (checks.length === 0) return accepts
  const filters = checks.flatMap((check) => (check._tag === "Filter" ? [check] : []))
  if (filters.length < checks.length) return refuse
  return (value) => {
    if (!accepts(value)) return false
    for (const filter of filters) if (filter.run(value, ast, parseOptions) !== undefined) return false
    return true
  }
}

const parseOptions = {}

/** What the checks of a count come to; half of what is in a line is counts. */
const isCount: Accepts = (value) => Number.isSafeInteger(value) && (value as number) >= 0

const ofForm = (ast: SchemaAST.AST): Accepts => {
  switch (ast._tag) {
    case "String":
      return (value) => typeof value === "string"
    case "Number":
      return (value) => typeof value === "number"
    case "Boolean":
      return (value) => typeof value === "boolean"
    case "Null":
      return (value) => value === null
    case "Literal":
      return (value) => value === ast.literal
    case "Arrays":
      return ofArray(ast)
    case "Objects":
      return ast.indexSignatures.length === 0 ? ofStruct(ast) : ofRecord(ast)
    case "Union":
      return ofUnion(ast)
    case "Declaration":
      return ast.run === (Schema.Json.ast as SchemaAST.Declaration).run ? (value) => isJson(value, 0) : refuse
    default:
      return refuse
  }
}

const ofArray = ({ elements, rest }: SchemaAST.Arrays): Accepts => {
  const [element, ...more] = rest
  if (element === undefined || more.length > 0 || elements.length > 0) return refuse
  const accepts = compile(element)
  return (value) => Array.isArray(value) && value.every(accepts)
}

const ofStruct = ({ propertySignatures }: SchemaAST.Objects): Accepts => {
  const fields = propertySignatures.map(({ name, type }) => ({
    name: name as string,
    accepts: compile(type),
    required: !SchemaAST.isOptional(type)
  }))
  // Without fields, the schema takes more than objects.
  if (fields.length === 0) return refuse
  return (value) => {
    if (!isObject(value)) return false
    let known = 0
    for (const { accepts, name, required } of fields) {
      const field = value[name]
      if (field === undefined ? required : !accepts(field)) return false
      if (field !== undefined) known += 1
    }
    // The schema would leave out a key that it does not know.
    for (const _ in value) known -= 1
    return known === 0
  }
}

const ofRecord = ({ indexSignatures, propertySignatures }: SchemaAST.Objects): Accepts => {
  const [signature, ...more] = indexSignatures
  if (signature === undefined || more.length > 0 || propertySignatures.length > 0) return refuse
  const { parameter, type } = signature
  if (parameter._tag !== "String" || parameter.checks !== undefined || parameter.encoding !== undefined) return refuse
  const accepts = compile(type)
  return (value) => isObject(value) && Object.values(value).every(accepts)
}

/** Only where no two members can hold the same value: which of them the schema would take is not known here. */
const ofUnion = (union: SchemaAST.Union): Accepts => {
  const groups = new Map<string, Array<SchemaAST.AST>>()
  for (const member of membersOf(union)) {
    const kind = kindOfMember(member)
    if (kind === undefined) return refuse
    groups.set(kind, [...(groups.get(kind) ?? []), member])
  }
  const byKind = new Map(Array.from(groups, ([kind, members]) => [kind, ofGroup(members)]))
  return (value) => byKind.get(kindOf(value))?.(value) ?? false
}

const membersOf = (union: SchemaAST.Union): ReadonlyArray<SchemaAST.AST> =>
  union.types.flatMap((member) =>
    member._tag === "Union" && member.checks === undefined && member.encoding === undefined
      ? membersOf(member)
      : [member]
  )

const kindOfMember = (ast: SchemaAST.AST): string | undefined => {
  switch (ast._tag) {
    case "String":
    case "Number":
    case "Boolean":
    case "Null":
      return ast._tag.toLowerCase()
    case "Arrays":
      return "array"
    case "Objects":
      return "object"
    case "Literal":
      return typeof ast.literal
    default:
      return undefined
  }
}

const kindOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value)

const ofGroup = (members: ReadonlyArray<SchemaAST.AST>): Accepts => {
  const [first] = members
  if (first !== undefined && members.length === 1) return compile(first)
  if (members.every(SchemaAST.isLiteral)) {
    const accepts = members.map(compile)
    return (value) => accepts.some((one) => one(value))
  }
  return members.every(SchemaAST.isObjects) ? ofTagged(members) : refuse
}

/** Structs that a literal of each tells apart. */
const ofTagged = (members: ReadonlyArray<SchemaAST.Objects>): Accepts => {
  const key = members[0]?.propertySignatures.find(({ name }) => {
    const tags = new Set(members.map((member) => tagOf(member, name)))
    return tags.size === members.length && !tags.has(undefined)
  })?.name
  if (typeof key !== "string") return refuse
  const byTag = new Map<unknown, Accepts>(
    members.map((member) => [tagOf(member, key), lazily(() => compile(member))] as const)
  )
  return (value) => byTag.get((value as Fields)[key])?.(value) ?? false
}

const tagOf = ({ propertySignatures }: SchemaAST.Objects, key: PropertyKey): SchemaAST.LiteralValue | undefined => {
  const type = propertySignatures.find(({ name }) => name === key)?.type
  return type?._tag === "Literal" && !SchemaAST.isOptional(type) ? type.literal : undefined
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Deeper than anything that is journalled by this program, and far from the end of the stack. */
const maxDepth = 64

const isJson = (value: unknown, depth: number): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      // `JSON.parse` makes an infinity of `1e999`.
      return Number.isFinite(value)
    case "object":
      if (value === null) return true
      return depth < maxDepth && Object.values(value).every((element) => isJson(element, depth + 1))
    default:
      return false
  }
}
