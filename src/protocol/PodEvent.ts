/** What a child pod reports to its parent, and the one line of text that stands for it in the model's context. */
import * as Schema from "effect/Schema"
import { ScopeRule } from "./ScopeRule.ts"

export const PodEvent = Schema.Union([
  Schema.Struct({ kind: Schema.tag("turn_ended"), pod_name: Schema.String }),
  Schema.Struct({ kind: Schema.tag("errored"), pod_name: Schema.String, message: Schema.String }),
  Schema.Struct({ kind: Schema.tag("shut_down"), pod_name: Schema.String }),
  Schema.Struct({
    kind: Schema.tag("scope_sub_delegated"),
    parent_pod: Schema.String,
    sub_pod: Schema.String,
    sub_socket: Schema.String,
    scope: Schema.Array(ScopeRule)
  })
]).annotate({
  expected: 'an object with "kind": "turn_ended", "errored", "shut_down" or "scope_sub_delegated"'
})
export type PodEvent = typeof PodEvent.Type

export const describe = (event: PodEvent): string => {
  switch (event.kind) {
    case "turn_ended":
      return `pod \`${event.pod_name}\` finished a turn`
    case "errored":
      return `pod \`${event.pod_name}\` errored: ${event.message}`
    case "shut_down":
      return `pod \`${event.pod_name}\` shut down`
    case "scope_sub_delegated":
      return `pod \`${event.parent_pod}\` sub-delegated scope to \`${event.sub_pod}\``
  }
}
