/**
 * The pods' directories for things that do not outlive them: socket, status, pid, spilled tool output.
 *
 * Nothing in them is trusted by a program of ours: liveness is the lease, state is asked over the socket.
 * The order of a start is: `socketPath`, then the lease, which is told the path, then `open`, which clears away what a
 * dead owner left. The order of a stop is the reverse, as the Scope gives it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** `status.json`, replaced atomically on every change of status. */
export const StatusFile = Schema.Struct({
  pod_name: Schema.String,
  segment_id: Schema.NullOr(Schema.String),
  state: Schema.String,
  pid: Schema.Int,
  socket: Schema.NullOr(Schema.String)
})
export type StatusFile = typeof StatusFile.Type

export class RuntimeDirError extends Schema.TaggedError<RuntimeDirError>()("RuntimeDirError", {
  path: Schema.String,
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String)
}) {}

/** One pod's directory, while the pod lives. */
export interface PodDir {
  /** Absolute, mode 0700. */
  readonly path: string
  /** Where the socket belongs, or null if this pod has none (embedded, tests). May lie outside `path` when that is too long. */
  readonly socketPath: string | null
  /** Absolute; where tools spill long output. Readable for the pod's tools. */
  readonly outputDir: string
  /** A hint for people: a caller that must not wait for the disk forks it. The last call wins. */
  readonly writeStatus: (status: {
    readonly segmentId: string | null
    readonly state: string
  }) => Effect.Effect<void, RuntimeDirError>
}

export class RuntimeDir extends Context.Service<
  RuntimeDir,
  {
    /** Where the pod's socket belongs, or null if pods have none here. Touches nothing. */
    readonly socketPath: (podName: string) => Effect.Effect<string | null, RuntimeDirError>
    /** Only for the holder of the pod's lease. The directory is removed when the Scope closes, if it is still this one. */
    readonly open: (podName: string) => Effect.Effect<PodDir, RuntimeDirError, Scope.Scope>
  }
>()("effect-pod/runtime/RuntimeDir") {}
