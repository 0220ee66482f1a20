/**
 * What is remembered about a pod under its name: which session and segment it is in, and its children.
 *
 * Replaced atomically. An update changes the fields it names and keeps every other one, also those that this build
 * does not know.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StorageError } from "./StorageError.ts"

/** `segment_id` is missing until the first input has created the log. */
export const ActiveSegment = Schema.Struct({
  session_id: Schema.String,
  segment_id: Schema.optionalKey(Schema.String)
})
export type ActiveSegment = typeof ActiveSegment.Type

/** `metadata.json`, as far as this build knows it; unknown fields are kept on update. */
export const PodMetadata = Schema.Struct({
  pod_name: Schema.String,
  active: Schema.optionalKey(ActiveSegment),
  cwd: Schema.optionalKey(Schema.String),
  spawned_children: Schema.optionalKey(Schema.Array(Schema.Json)),
  resolved_manifest_snapshot: Schema.optionalKey(Schema.Json)
})
export type PodMetadata = typeof PodMetadata.Type

export class PodStore extends Context.Service<
  PodStore,
  {
    readonly get: (name: string) => Effect.Effect<Option.Option<PodMetadata>, StorageError>
    /** A new pod; `Exists` if there is one of that name, also a broken one, and also if another process makes it now. */
    readonly create: (name: string, fields: Partial<Omit<PodMetadata, "pod_name">>) => Effect.Effect<void, StorageError>
    readonly update: (name: string, fields: Partial<Omit<PodMetadata, "pod_name">>) => Effect.Effect<void, StorageError>
    /** The name is free again; not there: nothing to do. Sessions are not touched. */
    readonly remove: (name: string) => Effect.Effect<void, StorageError>
    /** A broken one does not hide the others: it is listed with its error. */
    readonly list: Effect.Effect<
      ReadonlyArray<
        | { readonly name: string; readonly metadata: PodMetadata }
        | { readonly name: string; readonly error: StorageError }
      >,
      StorageError
    >
  }
>()("effect-pod/session/PodStore") {}
