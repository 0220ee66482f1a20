/**
 * What a client can ask of a pod: the seed's methods and the native ones, as `{"method", "id"?, "params"?}`.
 *
 * Rules of the seed's decoder that we keep: unknown keys are ignored; `params` of a method without parameters is absent
 * or null, anything else there is an error; missing `params` of any other method is an error.
 * Where the native protocol lets every parameter be left out, `params` may be absent, null or an object.
 */
import * as Schema from "effect/Schema"
import { ApprovalDecision } from "./Approval.ts"
import { Count, omittable } from "./Fields.ts"
import { PodEvent } from "./PodEvent.ts"
import { RewindTargetId } from "./Rewind.ts"
import { Segment } from "./Segment.ts"
import { CompletionKind } from "./Status.ts"

export const RequestId = Schema.String.check(
  Schema.isBetweenCodePoints(1, 128, { expected: "a string of 1 to 128 characters" })
)
const Key = Schema.String.check(Schema.isBetweenCodePoints(1, 256, { expected: "a string of 1 to 256 characters" }))

const id = omittable(RequestId)

const method = <Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Schema.Struct({ method: Schema.tag(name), id, params: Schema.Struct(fields) })

/** A method without parameters. */
const bare = <Name extends string>(name: Name) =>
  Schema.Struct({
    method: Schema.tag(name),
    id,
    params: Schema.optionalKey(Schema.Null.annotate({ message: "Expected no params (left out, or null)" }))
  })

/** A method whose every parameter may be left out. */
const open = <Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Schema.Struct({ method: Schema.tag(name), id, params: omittable(Schema.Struct(fields)) })

export const Delivery = Schema.Literals(["reject", "queue", "steer"])
export type Delivery = typeof Delivery.Type

export const Hello = method("hello", {
  protocol: Schema.Int,
  client: omittable(Schema.String),
  resume_from: omittable(Schema.Struct({ epoch: Schema.String, seq: Count })),
  entries: omittable(Schema.Struct({ tail: Count })),
  /** False: nobody is there to answer an approval, so no call waits because of this connection. Default true. */
  approvals: omittable(Schema.Boolean)
})
export type Hello = typeof Hello.Type

export const Run = method("run", {
  input: Schema.Array(Segment),
  delivery: omittable(Delivery),
  key: omittable(Key)
})
export type Run = typeof Run.Type

export const Notify = method("notify", {
  message: Schema.String,
  key: omittable(Key),
  wake: omittable(Schema.Boolean)
})
export type Notify = typeof Notify.Type

export const PodEventMethod = Schema.Struct({
  method: Schema.tag("pod_event"),
  id,
  params: PodEvent
})

export const ListCompletions = method("list_completions", { kind: CompletionKind, prefix: Schema.String })
export type ListCompletions = typeof ListCompletions.Type

export const Method = Schema.Union([
  Hello,
  Run,
  Notify,
  PodEventMethod,
  bare("resume"),
  open("cancel", { run_id: omittable(Schema.String) }),
  open("pause", { run_id: omittable(Schema.String) }),
  bare("compact"),
  bare("list_rewind_targets"),
  method("rewind_to", { target: RewindTargetId, expected_head_entries: Count }),
  bare("shutdown"),
  ListCompletions,
  bare("list_visible_pods"),
  method("inspect_pod", { name: Schema.String }),
  method("attach_or_restore_pod", { name: Schema.String }),
  bare("list_inbox"),
  method("remove_inbox", { item_id: Schema.String }),
  method("approve", {
    approval_id: Schema.String,
    decision: ApprovalDecision,
    reason: omittable(Schema.String)
  }),
  method("fork", { at: omittable(RewindTargetId), pod_name: Schema.String }),
  bare("undo_rewind"),
  method("read_entries", { from: Count, limit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })) }),
  bare("attach_status")
])
export type Method = typeof Method.Type
export type MethodName = Method["method"]

export const methodNames = Method.members.map((member) => member.fields.method.ast.literal) as ReadonlyArray<MethodName>
