/** What the input points at (`@file`, `#slug`, `/slug`), resolved into system items in the order in which it is given. */
import type * as Effect from "effect/Effect"
import type { Alert } from "../session/Live.ts"
import type { Segment } from "../protocol/Segment.ts"
import type { SystemItem } from "../protocol/SystemItem.ts"

export interface Resolved {
  readonly items: ReadonlyArray<SystemItem>
  /** One for each reference that could not be resolved; the text of the input stays as it is. */
  readonly alerts: ReadonlyArray<Alert>
}

export type Resolve = (segments: ReadonlyArray<Segment>) => Effect.Effect<Resolved>
