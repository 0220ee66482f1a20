/** Builds the `PodHandle` of a running pod: the named operations on top of `submit`, and the event stream. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as Digest from "effect/crypto/Digest"
import type { ApprovalAnswer } from "../protocol/Approval.ts"
import type { Envelope } from "../protocol/Event.ts"
import type { Greeting } from "../protocol/Greeting.ts"
import { noUsage } from "../protocol/LogEntry.ts"
import type { Method } from "../protocol/Method.ts"
import type { RewindSummary } from "../protocol/Rewind.ts"
import { type Segment, text } from "../protocol/Segment.ts"
import { inboxItem } from "../session/Announce.ts"
import { decodeEntry } from "../session/DecodeEntry.ts"
import type { Journal } from "../session/Journal.ts"
import { readLog } from "../session/LogReader.ts"
import { hasStopped } from "./Answering.ts"
import type { PodMailbox } from "./Mail.ts"
import {
  type Answer,
  type Forked,
  type PodHandle,
  PodRefused,
  type Reply,
  type RewindTargets,
  type RunAccepted,
  type RunEnd
} from "./PodHandle.ts"
import { canonicalJson, type Keyed } from "./Receipts.ts"

export interface HandleOptions {
  readonly name: string
  readonly greeting: Greeting
  readonly sessionId: string
  readonly journal: Journal
  readonly mailbox: PodMailbox
  readonly stopped: Effect.Effect<void>
  readonly isStopped: () => boolean
  readonly completions: PodHandle["completions"]
  readonly attend: PodHandle["attendApprovals"]
}

export const make = Effect.fnUntraced(function* (options: HandleOptions) {
  const { journal, mailbox } = options
  const digest = yield* Digest.Digest

  const keyed = Effect.fnUntraced(function* (method: Method) {
    if (method.method !== "run" && method.method !== "notify") return undefined
    const { key, ...payload } = method.params
    if (key === undefined) return undefined
    const bytes = new TextEncoder().encode(canonicalJson(payload))
    return { key, method: method.method, digest: yield* digest.digestHex(Digest.sha256, bytes) } satisfies Keyed
  })

  const submit = Effect.fn("Pod.submit")(function* (method: Method, given?: Reply, from?: string) {
    const reply = given === undefined ? undefined : guarded(given)
    if (options.isStopped()) return reply?.(hasStopped)
    const mail = { _tag: "Method" as const, method, reply, keyed: yield* keyed(method), from }
    if (reply === undefined) return yield* mailbox.send(mail)
    if (!(yield* mailbox.trySend(mail))) reply(overloaded)
    // A pod that stopped in this very moment empties its mailbox once; what came too late is answered here.
    else if (options.isStopped()) yield* answerLate(mailbox)
  })

  /** Submits and waits for the answer. */
  const ask = Effect.fnUntraced(function* (method: Method, from?: string) {
    const done = yield* Deferred.make<Answer>()
    yield* submit(method, (answer) => Deferred.doneUnsafe(done, Exit.succeed(answer)), from)
    const answer = yield* Deferred.await(done)
    if (!answer.ok) return yield* new PodRefused(answer.error)
    return answer.result
  })

  const run: PodHandle["run"] = (input, extra) =>
    Effect.map(ask({ method: "run", params: { input: segments(input), ...extra } }), as<RunAccepted>)

  const runToEnd: PodHandle["runToEnd"] = Effect.fn("Pod.runToEnd")(function* (input, extra) {
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const attachment = yield* journal.attach
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            // Whoever stops waiting in this moment must not leave a run behind that nobody knows of.
            const { accepted_seq, run_id } = yield* run(input, extra)
            // A key that was used before may name a run that is over: its end will not come again.
            if (accepted_seq <= attachment.seq && !isAhead(journal, run_id))
              return yield* restore(pastEnd(journal, run_id))
            return yield* restore(awaitEnd(attachment.take, run_id)).pipe(
              Effect.onInterrupt(() => submit({ method: "cancel", params: { run_id } }, () => {}))
            )
          })
        )
      })
    )
  })

  const handle: PodHandle = {
    name: options.name,
    greeting: options.greeting,
    sessionId: options.sessionId,
    segmentId: Effect.sync(() => journal.segmentId()),
    status: Effect.sync(() => journal.live.status),
    waitingOn: Effect.sync(() => journal.live.waitingOn),
    inboxSize: Effect.sync(() => journal.state.inbox.size),
    tasks: Effect.sync(() => journal.state.tasks.list),
    submit,
    attach: journal.attach,
    readEntries: Effect.fnUntraced(function* (from, limit) {
      const log = journal.source()
      const pieces = yield* Stream.runCollect(readLog(log, from, from + limit))
      return { entries: pieces.flat(), total: log.view.total }
    }),
    completions: options.completions,
    stopped: options.stopped,
    run,
    runToEnd,
    notify: (message, extra) =>
      Effect.map(
        ask({ method: "notify", params: { message, ...extra } }),
        as<{ readonly item_id: string; readonly accepted_seq: number }>
      ),
    pause: Effect.asVoid(ask({ method: "pause" })),
    resume: Effect.map(ask({ method: "resume" }), as<{ readonly run_id: string; readonly leg: number }>),
    cancel: Effect.asVoid(ask({ method: "cancel" })),
    inbox: Effect.sync(() => Array.from(journal.state.inbox.values(), inboxItem)),
    removeInbox: (itemId) => Effect.asVoid(ask({ method: "remove_inbox", params: { item_id: itemId } })),
    rewindTargets: Effect.map(ask({ method: "list_rewind_targets" }), as<RewindTargets>),
    rewindTo: (target, expected) =>
      Effect.map(ask({ method: "rewind_to", params: { target, expected_head_entries: expected } }), as<RewindSummary>),
    undoRewind: Effect.map(ask({ method: "undo_rewind" }), as<{ readonly entries: number }>),
    fork: (podName, at) =>
      Effect.map(
        ask({ method: "fork", params: { pod_name: podName, ...(at === undefined ? {} : { at }) } }),
        as<Forked>
      ),
    approvals: Effect.sync(() => Array.from(journal.live.approvals.values())),
    attendApprovals: options.attend,
    approve: (approvalId, decision, { by = "program", reason } = {}) =>
      Effect.map(
        ask(
          {
            method: "approve",
            params: { approval_id: approvalId, decision, ...(reason === undefined ? {} : { reason }) }
          },
          by
        ),
        as<ApprovalAnswer>
      ),
    shutdown: Effect.andThen(
      submit({ method: "shutdown" }, () => {}),
      options.stopped
    ),
    events: Stream.suspend(() => (options.isStopped() ? Stream.empty : events(journal)))
  }
  return handle
})

/** The shape of an answer is the controller's own. */
const as = <A>(result: unknown): A => result as A

/** A reply runs in the pod's own fibers: what breaks in it is its owner's affair. */
const guarded =
  (reply: Reply): Reply =>
  (answer) => {
    try {
      reply(answer)
    } catch {
      return
    }
  }

const segments = (input: string | ReadonlyArray<Segment>): ReadonlyArray<Segment> =>
  typeof input === "string" ? [text(input)] : input

const overloaded: Answer = {
  ok: false,
  error: { code: "overloaded", message: "the pod's mailbox is full", hint: "send it again a little later" }
}

const answerLate = (mailbox: PodMailbox): Effect.Effect<void> =>
  Effect.map(mailbox.drain, (mails) => {
    for (const mail of mails) if (mail._tag === "Method") mail.reply?.(hasStopped)
  })

const awaitEnd = Effect.fnUntraced(function* (take: Effect.Effect<ReadonlyArray<Envelope>>, runId: string) {
  for (;;) {
    for (const event of yield* take) {
      if (event.event === "run_end" && event.data.run_id === runId) return event.data
      if (event.event === "shutdown")
        return yield* new PodRefused({ code: "not_running", message: "the pod has stopped" })
    }
  }
})

/** The run goes on, or waits in the inbox. */
const isAhead = ({ live, state }: Journal, runId: string): boolean =>
  live.run?.runId === runId || Array.from(state.inbox.values()).some((item) => item.run_id === runId)

/** How a run ended that the log still knows; what the log does not know any more was undone. */
const pastEnd = Effect.fnUntraced(function* (journal: Journal, runId: string): Effect.fn.Return<RunEnd, PodRefused> {
  const log = journal.source()
  let end: RunEnd = { run_id: runId, leg: 1, result: "rolled_back", usage: noUsage }
  // The past that the first entry stands for has no ends of runs.
  yield* readLog({ ...log, inherited: undefined }, 0, log.view.total).pipe(
    Stream.runForEach((lines) =>
      Effect.sync(() => {
        for (const line of lines) {
          if (!line.includes(runId) || !line.includes('"outcome"')) continue
          const entry = decodeEntry(jsonOf(line))
          if (entry === undefined) continue
          const isEnd = entry.kind === "run_completed" || entry.kind === "run_errored"
          if (isEnd && entry.run_id === runId && entry.outcome !== undefined) {
            end = { run_id: runId, leg: entry.leg ?? 1, ...entry.outcome }
          }
        }
      })
    ),
    Effect.mapError((error) => new PodRefused({ code: "storage_error", message: error.message }))
  )
  return end
})

const jsonOf = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const events = (journal: Journal): Stream.Stream<Envelope, PodRefused> =>
  Stream.unwrap(
    Effect.map(journal.attach, (attachment) => {
      let last = attachment.seq
      return Stream.fromEffectRepeat(attachment.take).pipe(
        Stream.mapEffect((batch) => {
          const gap = batch.some((event) => event.seq !== ++last)
          return gap
            ? Effect.fail(
                new PodRefused({
                  code: "overloaded",
                  message: "this subscriber fell behind and lost events; subscribe again"
                })
              )
            : Effect.succeed(batch)
        }),
        Stream.flattenIterable,
        Stream.takeUntil((event) => event.event === "shutdown")
      )
    })
  )
