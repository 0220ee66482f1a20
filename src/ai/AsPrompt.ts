/**
 * A request as a prompt of Effect's ai modules.
 *
 * Pure, so that the same history gives the same bytes. Neighbours of the user's side become one message: some providers
 * want the roles to alternate. What the pod itself says is a system message where the model takes one in the middle of
 * a conversation, and the user's text where it does not.
 */
import * as Prompt from "effect/ai/Prompt"
import type { AssistantBlock, LlmRequest } from "../llm/LlmRequest.ts"
import { parseArguments } from "../llm/Response.ts"
import * as Proof from "./Proof.ts"

export const asPrompt = (request: LlmRequest, takesSystemMessages: boolean): Prompt.Prompt => {
  const messages: Array<Prompt.Message> = []
  const say = (text: string) => {
    if (isBlank(text)) return
    const part = Prompt.textPart({ text: text.toWellFormed() })
    const last = messages.at(-1)
    if (last?.role !== "user") messages.push(Prompt.userMessage({ content: [part] }))
    else messages[messages.length - 1] = Prompt.userMessage({ content: [...last.content, part] })
  }
  if (request.system !== undefined && !isBlank(request.system)) {
    messages.push(Prompt.systemMessage({ content: request.system.toWellFormed() }))
  }
  for (const message of request.messages) {
    switch (message.role) {
      case "user":
        say(message.text)
        break
      case "system":
        if (takesSystemMessages && !isBlank(message.text)) {
          messages.push(Prompt.systemMessage({ content: message.text.toWellFormed() }))
        } else say(message.text)
        break
      case "assistant": {
        const content = assistantParts(message.blocks)
        if (content.length > 0) messages.push(Prompt.assistantMessage({ content }))
        break
      }
      case "tool":
        messages.push(
          Prompt.toolMessage({
            content: message.results.map(({ id, isError, name, text }) =>
              Prompt.toolResultPart({
                id,
                name,
                isFailure: isError,
                result: text.toWellFormed(),
                providerExecuted: false
              })
            )
          })
        )
    }
  }
  return Prompt.fromMessages(messages)
}

const isBlank = (text: string): boolean => text.trim() === ""

const assistantParts = (blocks: ReadonlyArray<AssistantBlock>): ReadonlyArray<Prompt.AssistantMessagePart> => {
  const parts: Array<Prompt.AssistantMessagePart> = []
  /** Belong to the part that comes next. */
  let options: Proof.Metadata = {}
  const push = (part: Prompt.AssistantMessagePart) => {
    parts.push(part)
    options = {}
  }
  for (const block of blocks) {
    switch (block.kind) {
      case "text":
      case "refusal":
        if (!isBlank(block.text)) push(Prompt.textPart({ text: block.text.toWellFormed(), options }))
        options = {}
        break
      case "thinking":
        if (block.encrypted !== undefined) options = Proof.fromText(block.encrypted)
        else {
          const own = block.signature === undefined ? {} : Proof.fromText(block.signature)
          if (block.text !== "" || block.signature !== undefined) {
            push(Prompt.reasoningPart({ text: block.text, options: own }))
          }
        }
        break
      case "tool_call":
        push(
          Prompt.toolCallPart({
            id: block.id,
            name: block.name,
            params: JSON.parse(parseArguments(block.arguments.toWellFormed()).text) as unknown,
            providerExecuted: false,
            options
          })
        )
    }
  }
  return parts
}
