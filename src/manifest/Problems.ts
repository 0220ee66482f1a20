/** From what the decoder found to what a person is told: which key, what was expected there, what it may have meant. */
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import { nearest } from "../protocol/Nearest.ts"
import { formatKeyPath, type KeyPath, valueAt } from "./KeyPath.ts"
import type { ManifestProblem } from "./ManifestError.ts"
import { isTable } from "./Paths.ts"
import { describeExpected, keysOf, listKeys, literalsOf, requiredKeysOf, schemasAt } from "./SchemaKeys.ts"

interface Leaf {
  readonly path: KeyPath
  readonly kind: "unknown" | "missing" | "wrong"
}

/** `ast` is the encoded side of the schema, `input` what was decoded with it, `document` a word for what it is. */
export const problemsOf = (
  issue: SchemaIssue.Issue,
  ast: SchemaAST.AST,
  input: unknown,
  document = "manifest"
): ReadonlyArray<ManifestProblem> => {
  const found = new Map<string, ManifestProblem>()
  for (const leaf of leaves(issue, [])) {
    const problem = toProblem(leaf, ast, input, document)
    if (!found.has(problem.key)) found.set(problem.key, problem)
  }
  return [...found.values()]
}

const leaves = (issue: SchemaIssue.Issue, path: KeyPath): ReadonlyArray<Leaf> => {
  switch (issue._tag) {
    case "Pointer":
      return leaves(issue.issue, [
        ...path,
        ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))
      ])
    case "Encoding":
      return leaves(issue.issue, path)
    case "Composite":
    case "AnyOf":
      return issue.issues.length === 0
        ? [{ path, kind: "wrong" }]
        : issue.issues.flatMap((inner) => leaves(inner, path))
    case "MissingKey":
      return [{ path, kind: "missing" }]
    case "UnexpectedKey":
      return [{ path, kind: "unknown" }]
    default:
      return [{ path, kind: "wrong" }]
  }
}

const toProblem = (leaf: Leaf, ast: SchemaAST.AST, input: unknown, document: string): ManifestProblem => {
  const key = formatKeyPath(leaf.path)
  const schemas = schemasAt(ast, leaf.path)
  if (leaf.kind === "unknown") return unknownKey(leaf.path, ast, input, document)
  if (leaf.kind === "missing") {
    const needed = schemas.flatMap(requiredKeysOf)
    return needed.length === 0
      ? { key, message: `\`${key}\` is required: ${expectedAt(schemas)}` }
      : { key, message: `the table [${key}] is required, with ${needed.map((name) => `\`${name}\``).join(", ")}` }
  }
  const actual = valueAt(input, leaf.path)
  if (key === "") return { key, message: `expected a table, got ${typeName(actual)}` }
  // A table that fits no member of a union fails as a whole; what is wrong is the key that tells the members apart.
  const kinds = schemas.flatMap((schema) => schemasAt(schema, ["kind"])).flatMap(literalsOf)
  if (kinds.length > 0 && isTable(actual)) {
    const inner = `${key}.kind`
    return {
      key: inner,
      message: `\`${inner}\`: expected one of ${kinds.map((kind) => JSON.stringify(kind)).join(", ")}, got ${typeName(actual["kind"])}`,
      ...suggestion(actual["kind"], kinds)
    }
  }
  return {
    key,
    message: `\`${key}\`: expected ${expectedAt(schemas)}, got ${typeName(actual)}`,
    ...suggestion(actual, schemas.flatMap(literalsOf))
  }
}

const expectedAt = (schemas: ReadonlyArray<SchemaAST.AST>): string =>
  [...new Set(schemas.map(describeExpected))].join(" or ")

const suggestion = (value: unknown, words: ReadonlyArray<string>): { readonly hint?: string } => {
  const word = typeof value === "string" ? nearest(value, words) : undefined
  return word === undefined ? {} : { hint: `did you mean ${JSON.stringify(word)}?` }
}

/** Keys under which people try to write a credential down. */
const credential = /^(api_?key|key|token|secret|password|credentials?)$/i

const unknownKey = (path: KeyPath, ast: SchemaAST.AST, input: unknown, document: string): ManifestProblem => {
  const key = formatKeyPath(path)
  const name = String(path.at(-1))
  const table = path.slice(0, -1)
  const known = schemasAt(ast, table).flatMap(keysOf)
  if (known.includes(name)) {
    // A key of another member of the union: the kind has been decoded, so it is one of our own words.
    return { key, message: `\`${key}\` does not go with kind = ${JSON.stringify(valueAt(input, [...table, "kind"]))}` }
  }
  const where = table.length === 0 ? `a table of the ${document}` : `a key of [${formatKeyPath(table)}]`
  const message = `\`${key}\` is not ${where}`
  if (credential.test(name) && nearest(name, known) === undefined) {
    return {
      key,
      message,
      hint: `a key is never written into a ${document}: set a variable and name it with \`auth = { kind = "api_key", env = "…" }\`, or use \`file\``
    }
  }
  const near = nearest(name, known)
  if (near !== undefined) return { key, message, hint: `did you mean \`${near}\`?` }
  // The outermost key of that name: `worker.reasoning` before `model.capability.reasoning`.
  const [elsewhere] = listKeys(ast)
    .filter((other) => other.key.endsWith(`.${name}`))
    .toSorted((a, b) => a.key.split(".").length - b.key.split(".").length)
  if (elsewhere !== undefined) return { key, message, hint: `did you mean \`${elsewhere.key}\`?` }
  return { key, message, hint: `known: ${known.join(", ")}` }
}

/** What kind of value it is. Strings are never shown; numbers and truth values are not secrets. */
const typeName = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (value instanceof Date) return "a date"
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array"
  switch (typeof value) {
    case "string":
      return value === "" ? "an empty string" : "a string"
    case "number":
    case "boolean":
      return String(value)
    case "object":
      return "a table"
    default:
      return `a ${typeof value}`
  }
}
