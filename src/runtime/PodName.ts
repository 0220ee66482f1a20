/**
 * The check that every pod name passes before a file is touched: it becomes a directory and part of a socket path.
 *
 * The rule itself belongs to the manifest; here it becomes an error that a person can act on.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isPodName, podNameRule } from "../protocol/PodName.ts"

export class InvalidPodName extends Schema.TaggedError<InvalidPodName>()("InvalidPodName", {
  name: Schema.String,
  message: Schema.String
}) {}

/** Files that the program keeps beside the pods' directories. */
const reserved = new Set(["scopes.json", "pods.json"])

/** What is wrong with the name, as a sentence; undefined if nothing is. */
export const podNameProblem = (name: string): string | undefined => {
  if (!isPodName(name)) return `${JSON.stringify(shorten(name))} is not a pod name: expected ${podNameRule}`
  if (reserved.has(name)) return `"${name}" cannot be a pod name: the runtime directory has a file of that name`
  return undefined
}

export const checkPodName = (name: string): Effect.Effect<string, InvalidPodName> => {
  const message = podNameProblem(name)
  return message === undefined ? Effect.succeed(name) : Effect.fail(new InvalidPodName({ name, message }))
}

const shorten = (text: string): string => (text.length <= 80 ? text : `${text.slice(0, 80)}…`)
