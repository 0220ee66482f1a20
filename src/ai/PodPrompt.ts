/**
 * What of a prompt is said to a pod.
 *
 * A pod remembers by itself. So of a prompt that carries a whole conversation only what the user says behind the last
 * answer is sent, and that answer must be this pod's: answers carry the name of their session for that. A prompt that
 * holds what the pod cannot be told is refused, because an answer that leaves it out would look like one that does not.
 */
import * as Effect from "effect/Effect"
import type * as AiError from "effect/ai/AiError"
import type * as Prompt from "effect/ai/Prompt"
import { unsupported } from "./AsAiError.ts"

/** The key of what a pod puts beside its answers. */
export const metadataKey = "effect-pod"

export interface Origin {
  readonly pod: string
  readonly sessionId: string
}

export const inputOf = (
  method: string,
  { pod, sessionId }: Origin,
  prompt: Prompt.Prompt
): Effect.Effect<string, AiError.AiError> => {
  const refuse = (description: string) => Effect.fail(unsupported(method, description))
  const { content } = prompt
  if (content.some(({ role }) => role === "system")) {
    return refuse(`pod ${pod} has a system prompt of its own: set it in the manifest ([worker] instruction)`)
  }
  const last = content.findLastIndex(({ role }) => role === "assistant")
  const answer = content[last]
  if (answer?.role === "assistant" && !isFrom(sessionId, answer)) {
    return refuse(`the prompt has an answer that is not of pod ${pod}: a pod remembers its own past and takes no other`)
  }
  const texts: Array<string> = []
  for (const message of content.slice(last + 1)) {
    if (message.role !== "user") return refuse(`pod ${pod} runs its own tools and takes no results`)
    for (const part of message.content) {
      if (part.type !== "text") return refuse(`pod ${pod} takes text: put the file where it can read it, and name it`)
      texts.push(part.text)
    }
  }
  const input = texts.join("\n\n")
  return input.trim() === "" ? refuse(`the prompt says nothing new to pod ${pod}`) : Effect.succeed(input)
}

const isFrom = (sessionId: string, message: Prompt.AssistantMessage): boolean =>
  message.content.some(({ options }) => {
    const mark = options[metadataKey]
    return typeof mark === "object" && mark !== null && !Array.isArray(mark) && "session_id" in mark
      ? mark["session_id"] === sessionId
      : false
  })
