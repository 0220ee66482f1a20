/**
 * Before each model request: what waits in the inbox for this run becomes part of the conversation.
 *
 * Taking an item and committing what it says is one batch, so that a crash leaves it either waiting or delivered.
 */
import * as Effect from "effect/Effect"
import type { InboxRecord } from "../protocol/PodRecord.ts"
import { describe } from "../protocol/PodEvent.ts"
import type { Step } from "../session/Journal.ts"
import type { LegProgress, LegServices } from "./LegContext.ts"
import { resolveReferences } from "./ResolveInput.ts"
import { ofStorage } from "./RunFailure.ts"

/** True if something waited. */
export const drain = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress, turn: number) {
  // What has begun is finished under the lock: an interrupt does not call a commit back.
  const items = yield* services.inboxLock.withPermit(Effect.uninterruptible(takeItems(services, progress, turn)))
  if (items.length === 0) return false
  yield* resolveReferences(
    services,
    progress,
    items.flatMap((item) => item.segments ?? [])
  )
  return true
})

const takeItems = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress, turn: number) {
  const items = Array.from(services.journal.state.inbox.values()).filter((item) => joinsRun(item, progress.runId))
  if (items.length === 0) return items
  const steps = items.flatMap((item) => deliver(services, progress, turn, item))
  const onPublish = () => {
    progress.taken.push(...items)
  }
  yield* Effect.mapError(services.journal.commit(steps, true, { onPublish }), ofStorage)
  return items
})

/** A queued run waits for a run of its own, a steering input for the run that it was sent into. */
const joinsRun = (item: InboxRecord, runId: string): boolean =>
  item.mode === "steer" ? item.run_id === runId : item.mode !== "queue"

const deliver = (
  services: LegServices,
  { leg, runId }: LegProgress,
  turn: number,
  item: InboxRecord
): ReadonlyArray<Step> => {
  const ours = { run_id: runId, leg, turn }
  const take: Step = {
    kind: "extension",
    domain: "pod.inbox",
    payload: { op: "take", item_id: item.item_id, run_id: runId }
  }
  if (item.segments !== undefined) return [take, { kind: "user_input", segments: item.segments, ...ours }]
  if (item.event !== undefined) {
    const body = services.notificationBody(describe(item.event))
    return [take, { kind: "system_item", item: { kind: "pod_event", event: item.event, body }, ...ours }]
  }
  const message = item.message ?? ""
  const body = services.notificationBody(message)
  return [take, { kind: "system_item", item: { kind: "notification", message, body }, ...ours }]
}
