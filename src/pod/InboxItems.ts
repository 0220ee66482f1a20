/** Items of the inbox: how a method becomes one, and which comes next. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InboxMode } from "../protocol/Inbox.ts"
import type { Method } from "../protocol/Method.ts"
import { describe } from "../protocol/PodEvent.ts"
import type { InboxRecord } from "../protocol/PodRecord.ts"
import { preview } from "../protocol/Segment.ts"
import * as Ids from "../runtime/Ids.ts"

/** `currentRun` is the run that a steering input joins. */
export const make = Effect.fnUntraced(function* (
  method: Method,
  mode: InboxMode,
  currentRun: string | undefined
): Effect.fn.Return<InboxRecord> {
  const item_id = yield* Ids.uuid
  const ts = yield* Clock.currentTimeMillis
  const base = { item_id, mode, ts }
  switch (method.method) {
    case "run": {
      const run_id = mode === "steer" && currentRun !== undefined ? currentRun : yield* Ids.uuid
      const { input, key } = method.params
      const line = preview(input)
      return { ...base, kind: "run", run_id, preview: line, segments: input, ...(key === undefined ? {} : { key }) }
    }
    case "pod_event":
      return { ...base, kind: "pod_event", preview: describe(method.params), event: method.params }
    default: {
      const message = method.method === "notify" ? method.params.message : ""
      const key = method.method === "notify" ? method.params.key : undefined
      const line = preview([{ kind: "text", content: message }])
      return { ...base, kind: "notify", preview: line, message, ...(key === undefined ? {} : { key }) }
    }
  }
})

/**
 * What starts when nothing runs: an input that wanted to steer a run which ended first, then whatever has waited
 * longest. A quiet item starts nothing.
 */
export const next = (items: Iterable<InboxRecord>): InboxRecord | undefined => {
  let first: InboxRecord | undefined
  for (const item of items) {
    if (item.mode === "steer") return item
    if (first === undefined && item.mode !== "quiet") first = item
  }
  return first
}
