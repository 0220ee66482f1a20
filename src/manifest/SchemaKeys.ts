/**
 * Reading a schema as a person would: which keys there are, what each expects, what it is when left out.
 *
 * Errors, `effect-pod schema` and the reference in `docs/manifest.md` all come from here, so they cannot disagree
 * with what is decoded.
 */
import * as SchemaAST from "effect/SchemaAST"
import type { KeyPath } from "./KeyPath.ts"

/** "a string", "one of \"a\", \"b\"", "an integer of at least 1": what the encoded side of a schema accepts. */
export const describeExpected = (ast: SchemaAST.AST): string => {
  const checked = ast.checks?.at(-1)?.annotations?.["expected"]
  if (typeof checked === "string") return checked
  switch (ast._tag) {
    case "String":
      return "a string"
    case "Number":
      return "a number"
    case "Boolean":
      return "true or false"
    case "Literal":
      return JSON.stringify(ast.literal)
    case "Arrays":
      return `an array${ast.rest[0] === undefined ? "" : `, each element ${describeExpected(ast.rest[0])}`}`
    case "Objects": {
      const values = ast.indexSignatures[0]
      return values === undefined ? "a table" : `a table, each value ${describeExpected(values.type)}`
    }
    case "Union": {
      const members = [...new Set(ast.types.map(describeExpected))]
      return ast.types.every(SchemaAST.isLiteral) ? `one of ${members.join(", ")}` : members.join(" or ")
    }
    default:
      return ast._tag
  }
}

/** The words that a choice between words allows. */
export const literalsOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  SchemaAST.isUnion(ast)
    ? ast.types.flatMap(literalsOf)
    : SchemaAST.isLiteral(ast) && typeof ast.literal === "string"
      ? [ast.literal]
      : []

/** Every schema that can stand at a path: more than one below a union of tables. */
export const schemasAt = (root: SchemaAST.AST, path: KeyPath): ReadonlyArray<SchemaAST.AST> => {
  const [part, ...rest] = path
  if (part === undefined) return [root]
  return step(root, part).flatMap((next) => schemasAt(next, rest))
}

const step = (ast: SchemaAST.AST, part: string | number): ReadonlyArray<SchemaAST.AST> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap((member) => step(member, part))
  if (SchemaAST.isArrays(ast)) return typeof part === "number" ? ast.rest.slice(0, 1) : []
  if (!SchemaAST.isObjects(ast)) return []
  const named = ast.propertySignatures.find((property) => property.name === part)
  return named === undefined ? ast.indexSignatures.map((signature) => signature.type) : [named.type]
}

/** The names that a table may have, over all members of a union. */
export const keysOf = (ast: SchemaAST.AST): ReadonlyArray<string> => {
  if (SchemaAST.isUnion(ast)) return [...new Set(ast.types.flatMap(keysOf))]
  return SchemaAST.isObjects(ast) ? ast.propertySignatures.map((property) => String(property.name)) : []
}

/** The names that a table must have. */
export const requiredKeysOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  SchemaAST.isObjects(ast)
    ? ast.propertySignatures
        .filter((property) => !SchemaAST.isOptional(property.type))
        .map((property) => String(property.name))
    : []

export interface SchemaKey {
  /** `scope.allow[].target`; `[]` is any element. */
  readonly key: string
  readonly expected: string
  readonly required: boolean
  readonly description: string
  /** It has keys of its own, which follow in the list. */
  readonly table: boolean
}

/** Every key of a schema, outer ones first, in the order in which they are declared. */
export const listKeys = (ast: SchemaAST.AST): ReadonlyArray<SchemaKey> => {
  const found = new Map<string, SchemaKey>()
  // Descriptions stand on the decoded side, where defaults do not hide them; expectations on the encoded one.
  const walk = (decoded: SchemaAST.AST, encoded: SchemaAST.AST, prefix: string): void => {
    if (SchemaAST.isUnion(decoded) && SchemaAST.isUnion(encoded)) {
      return decoded.types.forEach((member, index) => walk(member, encoded.types[index] ?? member, prefix))
    }
    if (SchemaAST.isArrays(decoded) && SchemaAST.isArrays(encoded)) {
      const [element, sent] = [decoded.rest[0], encoded.rest[0]]
      return element === undefined || sent === undefined ? undefined : walk(element, sent, `${prefix}[]`)
    }
    if (!SchemaAST.isObjects(decoded) || !SchemaAST.isObjects(encoded)) return
    for (const property of decoded.propertySignatures) {
      const sent = encoded.propertySignatures.find((other) => other.name === property.name)?.type ?? property.type
      const key = `${prefix}${prefix === "" ? "" : "."}${String(property.name)}`
      const description = property.type.context?.annotations?.["description"]
      const before = found.get(key)
      const expected = describeExpected(sent)
      found.set(key, {
        key,
        expected: before === undefined || before.expected === expected ? expected : `${before.expected} or ${expected}`,
        required: !SchemaAST.isOptional(sent),
        description: typeof description === "string" ? description : "",
        table:
          keysOf(sent).length > 0 ||
          (SchemaAST.isArrays(sent) && sent.rest.some((element) => keysOf(element).length > 0))
      })
      walk(property.type, sent, key)
    }
  }
  walk(ast, SchemaAST.toEncoded(ast), "")
  return [...found.values()]
}
