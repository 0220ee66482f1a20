/**
 * Things the pod itself adds to the conversation. `body` is exactly the text that the model saw:
 * replay uses it verbatim and never renders it again.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PodEvent } from "./PodEvent.ts"

export const SystemItem = Schema.Union([
  Schema.Struct({ kind: Schema.tag("notification"), message: Schema.String, body: Schema.String }),
  Schema.Struct({ kind: Schema.tag("pod_event"), event: PodEvent, body: Schema.String }),
  Schema.Struct({ kind: Schema.tag("file_attachment"), path: Schema.String, body: Schema.String }),
  Schema.Struct({ kind: Schema.tag("knowledge"), slug: Schema.String, body: Schema.String }),
  Schema.Struct({ kind: Schema.tag("workflow"), slug: Schema.String, body: Schema.String }),
  Schema.Struct({
    kind: Schema.tag("task_reminder"),
    source: Schema.Literal("task_inactivity").pipe(
      Schema.withDecodingDefaultKey(Effect.succeed("task_inactivity" as const))
    ),
    body: Schema.String
  }),
  Schema.Struct({ kind: Schema.tag("interrupt"), body: Schema.String })
]).annotate({ identifier: "SystemItem" })
export type SystemItem = typeof SystemItem.Type
