/**
 * Reminds the model of tasks that it seems to have forgotten. When, follows from the journal alone: a restart or a rewind
 * brings a reminder neither sooner nor later.
 */
import * as Effect from "effect/Effect"
import { taskReminder } from "../knowledge/Wrappers.ts"
import { isActive } from "../protocol/Task.ts"
import type { Tasks } from "../session/Tasks.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"
import { ofStorage } from "./RunFailure.ts"

/** Generations without a change of the tasks, and generations between two reminders. */
const patience = 24

/** Tasks are active, and for long enough neither were they touched nor was the model reminded. */
export const isDue = ({ list, remindedTurn, touchedTurn }: Tasks, turnCount: number): boolean =>
  turnCount - Math.max(touchedTurn, remindedTurn ?? 0) >= patience && list.some(isActive)

/** The last thing before a request, and part of the conversation from then on. */
export const remind = Effect.fnUntraced(function* ({ journal }: LegServices, progress: LegProgress, turn: number) {
  const { tasks, turnCount } = journal.state
  if (!isDue(tasks, turnCount)) return
  const body = taskReminder(tasks.list.filter(isActive))
  const { leg, runId } = progress
  const item = { kind: "task_reminder", source: "task_inactivity", body } as const
  yield* Effect.mapError(journal.commit([{ kind: "system_item", item, run_id: runId, leg, turn }], false), ofStorage)
})
