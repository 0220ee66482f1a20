/** What a pod tells about the pods that it can see. */
import * as Schema from "effect/Schema"
import { Count, omittable } from "./Fields.ts"
import { SeedStatus } from "./Status.ts"

const detail = {
  pod_name: Schema.String,
  visibility: Schema.Literals(["self_pod", "spawned_child"]),
  active: omittable(
    Schema.Struct({
      session_id: Schema.String,
      segment_id: omittable(Schema.String)
    })
  ),
  live: Schema.Struct({
    socket_path: Schema.String,
    reachable: Schema.Boolean,
    status: omittable(SeedStatus),
    error: omittable(Schema.String)
  }),
  restore: Schema.Struct({
    possible: Schema.Boolean,
    restore_name: omittable(Schema.String),
    reason: omittable(Schema.String)
  }),
  spawned_children: Schema.Struct({ count: Count, reachable: Count, unreachable: Count })
}

export const PodInspection = Schema.Struct(detail)
export type PodInspection = typeof PodInspection.Type

export const VisiblePod = Schema.Struct({
  ...detail,
  state: Schema.Literals(["readable", "missing", "corrupt"]),
  error: omittable(Schema.String)
})
export type VisiblePod = typeof VisiblePod.Type

export const AttachResult = Schema.Union([
  Schema.Struct({
    action: Schema.tag("attached"),
    pod_name: Schema.String,
    socket_path: Schema.String,
    status: omittable(SeedStatus)
  }),
  Schema.Struct({ action: Schema.tag("restored"), pod_name: Schema.String, socket_path: Schema.String })
])
export type AttachResult = typeof AttachResult.Type
