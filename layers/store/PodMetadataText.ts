/**
 * The text of `metadata.json`: read strictly, updated field by field.
 *
 * An update works on the JSON object itself, not on the decoded form, so that what this build does not know stays.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { podNameProblem } from "../../src/runtime/PodName.ts"
import { PodMetadata } from "../../src/session/PodStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"

const decode = Schema.decodeUnknownResult(PodMetadata)

export type MetadataFields = Partial<Omit<PodMetadata, "pod_name">>

/** Before the name becomes a part of any path. */
export const checkName = (operation: string, name: string): Effect.Effect<void, StorageError> => {
  const message = podNameProblem(name)
  return message === undefined
    ? Effect.void
    : Effect.fail(new StorageError({ reason: "Io", operation, path: name, code: "EINVAL", message }))
}

export const decodeMetadata = (path: string, name: string, text: string): Effect.Effect<PodMetadata, StorageError> =>
  Effect.flatMap(parse(path, name, text), (object) => {
    const result = decode(object)
    if (Result.isSuccess(result)) return Effect.succeed(result.success)
    return corrupt(path, result.failure.message.replaceAll(/\s+/g, " "))
  })

/** The new text. `text` is what is there now, or undefined if nothing is. */
export const mergeMetadata = (
  path: string,
  name: string,
  text: string | undefined,
  fields: MetadataFields
): Effect.Effect<string, StorageError> =>
  Effect.map(text === undefined ? Effect.succeed({}) : parse(path, name, text), (object) => {
    const { pod_name: _, spawned_children: children, ...rest } = { ...object, ...fields } as Record<string, unknown>
    const some = Array.isArray(children) && children.length === 0 ? undefined : children
    return `${JSON.stringify({ pod_name: name, ...rest, spawned_children: some }, null, 2)}\n`
  })

const parse = (
  path: string,
  name: string,
  text: string
): Effect.Effect<Readonly<Record<string, unknown>>, StorageError> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return corrupt(path, text.trim() === "" ? "the file is empty" : `not JSON: ${(error as SyntaxError).message}`)
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return corrupt(path, "expected a JSON object")
  const found = (value as { readonly pod_name?: unknown }).pod_name
  if (found === name) return Effect.succeed(value as Readonly<Record<string, unknown>>)
  return corrupt(path, `expected "pod_name": "${name}", the name of its directory; got ${JSON.stringify(found)}`)
}

export const corrupt = (path: string, what: string): Effect.Effect<never, StorageError> =>
  Effect.fail(
    new StorageError({
      reason: "Corrupt",
      operation: "read",
      path,
      message: `${path} cannot be read: ${what}`,
      hint: "mend the file, or move it away and start the pod from its session; the session's log is not affected"
    })
  )
