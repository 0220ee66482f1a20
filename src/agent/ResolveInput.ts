/** Puts what an input points at into the conversation, right behind it. */
import * as Effect from "effect/Effect"
import type { Segment } from "../protocol/Segment.ts"
import type { Step } from "../session/Journal.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"
import { ofStorage } from "./RunFailure.ts"

/** Files and folders that the input points at become system items behind it; what cannot be had is an alert. */
export const resolveReferences = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  segments: ReadonlyArray<Segment>
) {
  const { alerts, items } = yield* services.resolve(segments)
  const steps: Array<Step> = alerts.map((emit) => ({ emit }))
  for (const item of items) {
    steps.push({ kind: "system_item", item, run_id: progress.runId, leg: progress.leg })
  }
  if (steps.length > 0) yield* Effect.mapError(services.journal.commit(steps, false), ofStorage)
})
