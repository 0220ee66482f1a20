/**
 * What an input points at, as this version can follow it: files and folders in the pod's scope.
 *
 * A reference that cannot be followed is an alert; the words of the input stay as they are.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Resolve } from "../agent/References.ts"
import type { Completion } from "../protocol/Event.ts"
import type { Segment } from "../protocol/Segment.ts"
import type { CompletionKind } from "../protocol/Status.ts"
import type { SystemItem } from "../protocol/SystemItem.ts"
import * as FileView from "../scope/FileView.ts"
import { ScopedFs } from "../scope/ScopedFs.ts"
import type { Alert } from "../session/Live.ts"

/** `maxBytes` is what one attachment may add to the conversation. */
export const make =
  (fs: ScopedFs["Service"], maxBytes: number): Resolve =>
  (segments) =>
    Effect.gen(function* () {
      const items: Array<SystemItem> = []
      const alerts: Array<Alert> = []
      for (const segment of segments) {
        const problem = yield* one(fs, maxBytes, segment, items)
        if (problem !== undefined) alerts.push(yield* alert(problem))
      }
      return { items, alerts }
    })

const one = (
  fs: ScopedFs["Service"],
  maxBytes: number,
  segment: Segment,
  items: Array<SystemItem>
): Effect.Effect<string | undefined> => {
  switch (segment.kind) {
    case "text":
    case "paste":
      return Effect.undefined
    case "file_ref":
      return FileView.attachment(segment.path, maxBytes).pipe(
        Effect.provideService(ScopedFs, fs),
        Effect.match({
          onSuccess: (body) => {
            items.push({ kind: "file_attachment", path: segment.path, body })
            return undefined
          },
          onFailure: (error) => `file ref @${segment.path} was not attached: ${error.message}`
        })
      )
    case "knowledge_ref":
      return Effect.succeed(`knowledge ref #${segment.slug} was not attached: this pod has no memory`)
    case "workflow_invoke":
      return Effect.succeed(`workflow /${segment.slug} was not started: this pod has no workflows`)
    case "unknown":
      return Effect.succeed("an input segment of an unknown kind was left out; a newer pod may know it")
  }
}

const alert = (message: string): Effect.Effect<Alert> =>
  Effect.map(Clock.currentTimeMillis, (timestamp_ms) => ({
    event: "alert",
    data: { level: "warn", source: "pod", message, timestamp_ms }
  }))

/** Slugs of knowledge and workflows come with those features; without them there are none. */
export const completions =
  (fs: ScopedFs["Service"]) =>
  (kind: CompletionKind, prefix: string): Effect.Effect<ReadonlyArray<Completion>> =>
    kind === "file" ? Effect.provideService(FileView.completions(prefix), ScopedFs, fs) : Effect.succeed([])
