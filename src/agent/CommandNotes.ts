/**
 * Tells the model of commands in the background that have ended since it heard of them.
 *
 * What it has heard follows from the journal, and what has become of a command from the process: of one that the process
 * does not know, the pod that started it has ended. A note is committed with the names of those that it tells of, so
 * that each is told once, over every restart; a rewind that takes the note away lets it be told again.
 */
import * as Effect from "effect/Effect"
import { commandsEnded } from "../knowledge/Wrappers.ts"
import { endingText } from "../tools/Ending.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"
import { ofStorage } from "./RunFailure.ts"

/** Commands that one note names; of more it says how many. */
const maxNamed = 16

/** Part of the conversation from then on. It starts no turn: it waits for the next one. */
export const tell = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress, turn: number) {
  const { commandState, journal } = services
  const ended = journal.state.commands.flatMap(({ id, title }) => {
    const state = commandState(id)
    return state === "running" ? [] : [{ id, title, ending: state === "gone" ? undefined : endingText(state) }]
  })
  if (ended.length === 0) return
  const message = commandsEnded(ended.slice(0, maxNamed), Math.max(0, ended.length - maxNamed))
  const item = { kind: "notification", message, body: services.notificationBody(message) } as const
  const { leg, runId } = progress
  const commands = ended.map(({ id }) => id)
  const note = { kind: "system_item", item, commands, run_id: runId, leg, turn } as const
  yield* Effect.mapError(journal.commit([note], false), ofStorage)
})
