/**
 * Two files that a pod of the seed keeps beside its socket, for reading those of its pods and being read by its tools.
 *
 * Our own `status.json` says more (`StatusFile` in `../runtime/RuntimeDir.ts`): pid and socket besides, a null segment
 * until there is one, and the states that the seed does not know. Ours is what we write; this is what the seed writes.
 */
import * as Schema from "effect/Schema"
import { ScopeRule } from "./ScopeRule.ts"
import { SeedStatus } from "./Status.ts"

/** `segment_id` is the one of the start, and goes stale when the pod moves on to another. */
export const SeedStatusFile = Schema.Struct({
  pod_name: Schema.String,
  segment_id: Schema.String,
  state: SeedStatus
})
export type SeedStatusFile = typeof SeedStatusFile.Type

/** A child and what it was lent; also an element of `spawned_children` in the pod's metadata. */
export const SpawnedPod = Schema.Struct({
  pod_name: Schema.String,
  socket_path: Schema.String,
  scope_delegated: Schema.Array(ScopeRule),
  /** The parent's socket. */
  callback_address: Schema.String
})
export type SpawnedPod = typeof SpawnedPod.Type

/** `spawned_pods.json`: the children of now. A mirror; what a restart reads is the metadata. */
export const SpawnedPodsFile = Schema.Array(SpawnedPod)
export type SpawnedPodsFile = typeof SpawnedPodsFile.Type
