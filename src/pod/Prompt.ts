/** The system prompt of a new session: what is needed is read at start, rendered with the first input, then frozen. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { loadInstruction, type PromptDirectories } from "../knowledge/Instruction.ts"
import { renderSystemPrompt, type SystemPromptInput } from "../knowledge/SystemPrompt.ts"
import type { Step } from "../session/Journal.ts"

export interface Prompt {
  readonly text: string
  /** Told together with the first line of the session. */
  readonly alerts: ReadonlyArray<Step>
}

/** Loads and checks the instruction now; the effect that comes back renders the prompt when it is needed. */
export const prepare = Effect.fnUntraced(function* (
  reference: string,
  directories: PromptDirectories,
  input: Omit<SystemPromptInput, "instruction">
) {
  const instruction = yield* loadInstruction(reference, directories)
  const context = yield* Effect.context<FileSystem.FileSystem>()
  const render: Effect.Effect<Prompt, never, FileSystem.FileSystem> = Effect.gen(function* () {
    const { alerts, text } = yield* renderSystemPrompt({ ...input, instruction })
    const timestamp_ms = yield* Clock.currentTimeMillis
    return {
      text,
      alerts: alerts.map(
        ({ message }): Step => ({
          emit: { event: "alert", data: { level: "warn", source: "agents_md", message, timestamp_ms } }
        })
      )
    }
  })
  // @effect-diagnostics-next-line returnEffectInGen:off -- made now, run with the first input
  return Effect.provideContext(render, context)
})
