/**
 * A running pod, as seen by whoever talks to it: a connection, a larger program, a test.
 *
 * `submit` is the one way in: it puts a method into the pod's mailbox. The named operations are the same thing with
 * typed answers.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Approval, ApprovalAnswer, ApprovalDecision } from "../protocol/Approval.ts"
import type { Completion, Envelope, ReplyError } from "../protocol/Event.ts"
import type { Greeting } from "../protocol/Greeting.ts"
import type { InboxItem, WaitingOn } from "../protocol/Inbox.ts"
import type { Delivery, Method } from "../protocol/Method.ts"
import type { RewindSummary, RewindTarget, RewindTargetId } from "../protocol/Rewind.ts"
import type { Segment } from "../protocol/Segment.ts"
import { ErrorCode, type CompletionKind, type PodStatus } from "../protocol/Status.ts"
import type { Task } from "../protocol/Task.ts"
import type { Attachment } from "../session/Attachment.ts"
import type { StorageError } from "../session/StorageError.ts"

/** The pod said no. `code` is what goes over the wire. */
export class PodRefused extends Schema.TaggedError<PodRefused>()("PodRefused", {
  code: ErrorCode,
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String)
}) {}

export type Answer =
  | { readonly ok: true; readonly result: Schema.JsonObject }
  | { readonly ok: false; readonly error: ReplyError }

/**
 * Called exactly once, synchronously, and before the event that records what was accepted is published.
 * It must not block and must not throw.
 */
export type Reply = (answer: Answer) => void

export interface RunAccepted {
  readonly run_id: string
  readonly accepted_seq: number
  readonly synced: boolean
  /** Set when the input waits in the inbox. */
  readonly item_id?: string
}

export interface RewindTargets {
  readonly head_entries: number
  readonly targets: ReadonlyArray<RewindTarget>
}

export interface Forked {
  readonly pod_name: string
  readonly session_id: string
  readonly segment_id: string
}

export type RunEnd = Extract<Envelope, { readonly event: "run_end" }>["data"]

export interface PodHandle {
  readonly name: string
  readonly greeting: Greeting
  readonly sessionId: string
  readonly segmentId: Effect.Effect<string | null>
  readonly status: Effect.Effect<PodStatus>
  readonly waitingOn: Effect.Effect<WaitingOn | null>
  /** Items that wait in the inbox. */
  readonly inboxSize: Effect.Effect<number>
  /** What the agent has noted down to do, in the order of the ids; done and deleted ones too. */
  readonly tasks: Effect.Effect<ReadonlyArray<Task>>
  /**
   * Puts a method into the mailbox. With `reply`, exactly one answer goes there and no error is broadcast; a full
   * mailbox is answered `overloaded`. Without, errors are broadcast, and a full mailbox makes the caller wait.
   * After the pod has stopped, a reply says so and everything else is dropped. `from` is who sends it, in words.
   */
  readonly submit: (method: Method, reply?: Reply, from?: string) => Effect.Effect<void>
  /** Snapshot and events, exactly joined. The subscription ends with the Scope. */
  readonly attach: Effect.Effect<Attachment, never, Scope.Scope>
  /** Entries of the log as JSON texts, without attaching. */
  readonly readEntries: (
    from: number,
    limit: number
  ) => Effect.Effect<{ readonly entries: ReadonlyArray<string>; readonly total: number }, StorageError>
  readonly completions: (kind: CompletionKind, prefix: string) => Effect.Effect<ReadonlyArray<Completion>>
  /** Resolves when the pod has stopped and its last event is out. */
  readonly stopped: Effect.Effect<void>

  /** Starts a run (or queues or steers it, by `delivery`) and answers as soon as the input is durable. */
  readonly run: (
    input: string | ReadonlyArray<Segment>,
    options?: { readonly delivery?: Delivery; readonly key?: string }
  ) => Effect.Effect<RunAccepted, PodRefused>
  /** Runs and waits for the end of the leg, whichever it is. Interrupting the wait cancels the run. */
  readonly runToEnd: (
    input: string | ReadonlyArray<Segment>,
    options?: { readonly key?: string }
  ) => Effect.Effect<RunEnd, PodRefused>
  readonly notify: (
    message: string,
    options?: { readonly key?: string; readonly wake?: boolean }
  ) => Effect.Effect<{ readonly item_id: string; readonly accepted_seq: number }, PodRefused>
  readonly pause: Effect.Effect<void, PodRefused>
  readonly resume: Effect.Effect<{ readonly run_id: string; readonly leg: number }, PodRefused>
  readonly cancel: Effect.Effect<void, PodRefused>
  readonly inbox: Effect.Effect<ReadonlyArray<InboxItem>>
  /** Takes an item out of the inbox; `not_found` if it is not there (any more). */
  readonly removeInbox: (itemId: string) => Effect.Effect<void, PodRefused>
  /** Where the session can be taken back to, newest first; refused while a turn goes on. */
  readonly rewindTargets: Effect.Effect<RewindTargets, PodRefused>
  /**
   * Takes the session back to before that input. `conflict` if the log is not `expectedHeadEntries` long any more.
   * Nothing is lost: `undoRewind` brings it back as long as nothing was said since.
   */
  readonly rewindTo: (target: RewindTargetId, expectedHeadEntries: number) => Effect.Effect<RewindSummary, PodRefused>
  /** Returns the number of entries in the log then. */
  readonly undoRewind: Effect.Effect<{ readonly entries: number }, PodRefused>
  /** Makes a pod of that name with the same past, up to here or to before that input. It is not started. */
  readonly fork: (podName: string, at?: RewindTargetId) => Effect.Effect<Forked, PodRefused>
  /** Calls that wait for somebody's word. */
  readonly approvals: Effect.Effect<ReadonlyArray<Approval>>
  /** Somebody who can answer is there until the Scope closes. Without anybody, such a call is denied at once. */
  readonly attendApprovals: Effect.Effect<void, never, Scope.Scope>
  /** `conflict` if it was answered before, `not_found` if there is no such approval. `by` is journalled. */
  readonly approve: (
    approvalId: string,
    decision: ApprovalDecision,
    options?: { readonly by?: string; readonly reason?: string }
  ) => Effect.Effect<ApprovalAnswer, PodRefused>
  /** Stops the pod: a current run is cancelled. Returns when it has stopped. */
  readonly shutdown: Effect.Effect<void>
  /**
   * Events from now on. Ends when the pod stops; fails with `overloaded` if this subscriber falls behind. A
   * `rewind_applied` holds no entries here: `readEntries` has them.
   */
  readonly events: Stream.Stream<Envelope, PodRefused>
}
