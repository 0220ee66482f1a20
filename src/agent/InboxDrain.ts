/**
 * Before each model request: what waits in the inbox for this run becomes part of the conversation.
 *
 * Taking an item and committing what it says is one batch, so that a crash leaves it either waiting or delivered.
 */
import * as Effect from "effect/Effect"
import type { InboxRecord } from "../protocol/PodRecord.ts"
import { describe } from "../protocol/PodEvent.ts"
import { flatten } from "../protocol/Segment.ts"
import type { Step } from "../session/Journal.ts"
import * as HookPoints from "./HookPoints.ts"
import { type LegProgress, type LegServices, warn } from "./LegContext.ts"
import { resolveReferences } from "./ResolveInput.ts"
import { ofStorage } from "./RunFailure.ts"

/** True if something waited. */
export const drain = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress, turn: number) {
  const passed = yield* askHooks(services, progress)
  // What has begun is finished under the lock: an interrupt does not call a commit back.
  const taking = Effect.uninterruptible(takeItems(services, progress, turn, passed))
  const items = yield* services.inboxLock.withPermit(taking)
  if (items.length === 0) return false
  yield* resolveReferences(
    services,
    progress,
    items.flatMap((item) => item.segments ?? [])
  )
  return true
})

/** What hooks have decided about inputs that steer this run, by item. */
type Passed = ReadonlyMap<string, ReadonlyArray<Step>>

/**
 * Hooks are asked while the input still waits: one that is refused never becomes part of the conversation. What a crash
 * cuts in the middle is asked again. Undefined: there is nobody to ask.
 */
const askHooks = Effect.fnUntraced(function* (services: LegServices, progress: LegProgress) {
  if (!services.hooks.has("on_prompt_submit")) return undefined
  const { inbox } = services.journal.state
  const passed = new Map<string, ReadonlyArray<Step>>()
  for (;;) {
    const item = Array.from(inbox.values()).find(
      ({ item_id, mode, run_id }) => mode === "steer" && run_id === progress.runId && !passed.has(item_id)
    )
    if (item === undefined) return passed
    const { refused, steps } = yield* HookPoints.askPrompt(services, progress, flatten(item.segments ?? []))
    if (refused === undefined) passed.set(item.item_id, steps)
    else yield* services.inboxLock.withPermit(Effect.uninterruptible(drop(services, item, steps)))
    if (refused !== undefined) yield* warn(services, `hook "${refused.hook}" refused an input: ${refused.reason}`)
  }
})

const drop = ({ journal }: LegServices, { item_id }: InboxRecord, steps: ReadonlyArray<Step>) =>
  Effect.suspend(() => {
    const remove: Step = { kind: "extension", domain: "pod.inbox", payload: { op: "remove", item_id } }
    return journal.state.inbox.has(item_id)
      ? Effect.mapError(journal.commit([...steps, remove], true), ofStorage)
      : Effect.void
  })

const takeItems = Effect.fnUntraced(function* (
  services: LegServices,
  progress: LegProgress,
  turn: number,
  passed: Passed | undefined
) {
  const items = Array.from(services.journal.state.inbox.values()).filter(
    // One that came since the hooks were asked waits for the next request.
    (item) =>
      joinsRun(item, progress.runId) && (item.mode !== "steer" || passed === undefined || passed.has(item.item_id))
  )
  if (items.length === 0) return items
  const steps = items.flatMap((item) => [
    ...deliver(services, progress, turn, item),
    ...(passed?.get(item.item_id) ?? [])
  ])
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
