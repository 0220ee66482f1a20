/**
 * The fiber that owns a pod: it takes mails in order, asks the table what to do, and carries it out.
 *
 * It waits for nothing but the journal. Legs run in fibers of their own and mail their end back; "a run ended",
 * "the inbox is empty" and "the pod is idle" are therefore decided in one place and in one step.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Leg from "../agent/Leg.ts"
import type { LegProgress, LegServices, StopReason } from "../agent/LegContext.ts"
import { noUsage, type Outcome } from "../protocol/LogEntry.ts"
import type { InboxRecord } from "../protocol/PodRecord.ts"
import type { Segment } from "../protocol/Segment.ts"
import { isSessionLimit } from "../protocol/Spending.ts"
import type { PodStatus, RunKind } from "../protocol/Status.ts"
import * as Ids from "../runtime/Ids.ts"
import type { Rollback } from "../session/Change.ts"
import * as Checkpoint from "../session/Checkpoint.ts"
import * as Fold from "../session/Fold.ts"
import type { Committed, Journal, Step } from "../session/Journal.ts"
import type { StorageError } from "../session/StorageError.ts"
import * as Answering from "./Answering.ts"
import { decide, type Decision, type Phase, validate } from "./Decide.ts"
import { owing } from "./Owing.ts"
import { closeLeg, isDefect, leavesNothing, outcomeOf } from "./Ending.ts"
import * as Editing from "./Editing.ts"
import type { Approving } from "./Approving.ts"
import type { Fork } from "./Forking.ts"
import * as InboxItems from "./InboxItems.ts"
import * as Ledger from "./Ledger.ts"
import { isMethod, type LegEnded, type MethodMail, type PodMailbox } from "./Mail.ts"
import { addToInbox, mayGoOn, type NewRun, openLeg, openRun, queued, receiptStep, selfStarted } from "./Opening.ts"
import { Receipts } from "./Receipts.ts"

interface Current {
  readonly progress: LegProgress
  readonly kind: RunKind
  /** Where the run's first line stands and what was true before it; a resumed leg cannot be undone. */
  readonly undo: Pick<Rollback, "segmentId" | "from" | "checkpoint"> | undefined
  readonly fiber: Fiber.Fiber<void>
}

export interface ControllerOptions {
  readonly journal: Journal
  readonly mailbox: PodMailbox
  readonly services: LegServices
  readonly fork: Fork
  readonly approve: Approving["approve"]
  /** A run that a crash has cut is taken up by the start itself. */
  readonly resumesCut: boolean
  readonly writeStatus: (status: PodStatus) => Effect.Effect<void>
  /** Owns the legs. */
  readonly scope: Scope.Scope
}

/** Items that may wait in the inbox. */
const inboxBound = 4_096

export const make = Effect.fn("Controller.make")(function* (options: ControllerOptions) {
  const { journal, mailbox, services } = options
  const { state } = journal
  const stopped = yield* Deferred.make<void>()
  const receipts = new Receipts(state.receipts, journal.syncs)
  const ledger = Ledger.make(journal)
  const { commit, settle } = ledger
  const answering = Answering.make(journal)
  const { answer, refuse, refuseStorage } = answering
  let current: Current | undefined
  let stopping = false
  let isEnded = false
  let held = state.held && Fold.flows(state.inbox)

  const phase = (): Phase => (current !== undefined ? "running" : state.run?.state === "paused" ? "paused" : "idle")

  const launch = Effect.fnUntraced(function* (
    progress: LegProgress,
    kind: RunKind,
    input: Leg.LegInput,
    undo: Current["undo"]
  ) {
    yield* options.writeStatus("running")
    // Uninterruptible around the work, so that its end is mailed whatever races its start.
    const fiber = yield* Effect.interruptible(Leg.run(services, progress, input)).pipe(
      Effect.withSpan("run", { attributes: { run_id: progress.runId, leg: progress.leg, kind } }),
      Effect.annotateLogs({ run_id: progress.runId, leg: progress.leg }),
      Effect.exit,
      Effect.flatMap((exit) => mailbox.post({ _tag: "LegEnded", exit })),
      Effect.forkIn(options.scope, { uninterruptible: true })
    )
    current = { progress, kind, undo, fiber }
  })

  const startRun = Effect.fnUntraced(function* (run: NewRun, onAccepted: (committed: Committed, at: number) => void) {
    yield* settle
    const checkpoint = Checkpoint.checkpoint(state)
    const steps = openRun(state, run)
    const at = steps.findIndex((step) => "kind" in step && step.kind === "user_input")
    const committed = yield* commit(steps, { onPublish: (result) => onAccepted(result, at) })
    const undo =
      run.segments === undefined ? undefined : { segmentId: journal.segmentId(), from: committed.line, checkpoint }
    const progress: LegProgress = {
      runId: run.runId,
      leg: 1,
      active: false,
      usage: noUsage,
      stop: undefined,
      taken: []
    }
    yield* launch(progress, run.kind, { segments: run.segments ?? [], resumed: false }, undo)
  })

  const start = Effect.fnUntraced(function* (mail: MethodMail, segments: ReadonlyArray<Segment>) {
    const runId = yield* Ids.uuid
    const receipt = receipts.make(mail.keyed, { run_id: runId })
    yield* startRun(
      {
        runId,
        kind: "run",
        segments,
        key: mail.keyed?.key,
        receipt,
        from: undefined,
        supersedes: state.run?.state === "paused" ? state.run.runId : undefined
      },
      ({ seqs, synced }, at) => {
        held = false
        const result = { run_id: runId, accepted_seq: seqs[at] ?? 0, synced }
        receipts.remember(receipt, result)
        mail.reply?.({ ok: true, result })
      }
    ).pipe(Effect.catch(refuseStorage(mail)))
  })

  const keep = Effect.fnUntraced(function* (mail: MethodMail, decision: Extract<Decision, { readonly _tag: "Keep" }>) {
    if (state.inbox.size >= inboxBound) {
      return yield* refuse(
        mail,
        "overloaded",
        `the inbox is full (${inboxBound} items)`,
        "wait until the pod has taken some"
      )
    }
    const item = yield* InboxItems.make(mail.method, decision.mode, state.run?.runId)
    const receipt = receipts.make(mail.keyed, {
      item_id: item.item_id,
      ...(item.run_id === undefined ? {} : { run_id: item.run_id })
    })
    const steps = [addToInbox(item), ...(receipt === undefined ? [] : [receiptStep(receipt)])]
    const accepted = commit(steps, {
      onPublish: ({ seqs, synced }) => {
        const result = {
          item_id: item.item_id,
          ...(item.run_id === undefined ? {} : { run_id: item.run_id }),
          accepted_seq: seqs[0] ?? 0,
          synced
        }
        held = held && Fold.flows(state.inbox, item.item_id)
        receipts.remember(receipt, result)
        mail.reply?.({ ok: true, result })
      }
    })
    const ok = yield* isDone(accepted, refuseStorage(mail))
    if (ok && decision.wake) yield* startTurn(item)
    else yield* showHeld
  })

  /** A turn that nobody asked for: what waits in the inbox is what it is about. */
  const startTurn = (item: InboxRecord, asked?: MethodMail): Effect.Effect<void> =>
    Effect.flatMap(Ids.uuid, (runId) => begin(selfStarted(runId, item, asked !== undefined), asked))

  /** `asked` is the method that let it flow, and is answered with the run. */
  const begin = (run: NewRun, asked?: MethodMail): Effect.Effect<void> =>
    startRun(run, () => asked?.reply?.({ ok: true, result: { run_id: run.runId, leg: 1 } })).pipe(
      Effect.catch(holdBack(asked))
    )

  /** The store does not take the start of what would flow by itself: it waits for a person, like after a failure. */
  const holdBack =
    (asked: MethodMail | undefined) =>
    (error: StorageError): Effect.Effect<void> =>
      Effect.suspend(() => {
        held = true
        return Effect.logError("cannot start what is queued", { error: error.message }).pipe(
          Effect.andThen(asked === undefined ? Effect.void : refuseStorage(asked)(error)),
          Effect.andThen(showHeld)
        )
      })

  /** What happens next when nothing runs: the head of the queue, a turn of its own, or nothing. */
  const flow = (asked?: MethodMail): Effect.Effect<void> =>
    Effect.suspend(() => {
      const next = phase() !== "idle" || stopping || held ? undefined : InboxItems.next(state.inbox.values())
      if (next !== undefined) return next.kind === "run" ? begin(queued(next), asked) : startTurn(next, asked)
      return Effect.andThen(asked === undefined ? Effect.void : answer(asked, { ok: true, result: {} }), showHeld)
    })

  const showHeld = Effect.suspend(() => {
    if (current !== undefined) return Effect.void
    held = held && Fold.flows(state.inbox)
    if (held && journal.live.waitingOn?.kind === "inbox_held") return Effect.void
    return Effect.map(Clock.currentTimeMillis, (now) =>
      journal.setWaitingOn(held ? { kind: "inbox_held", since_ms: now } : null)
    )
  })

  /** `attempt` counts the legs that starts of the pod began by themselves; `mail` is who asked, if somebody did. */
  const nextLeg = Effect.fnUntraced(function* (mail: MethodMail | undefined, attempt?: number) {
    const run = state.run
    if (run === undefined) {
      return mail === undefined ? undefined : yield* refuse(mail, "not_paused", "the pod is not paused")
    }
    const leg = run.leg + 1
    const accepted = Effect.andThen(
      settle,
      commit(openLeg(run.runId, leg, attempt), {
        onPublish: () => {
          held = held && mail === undefined
          mail?.reply?.({ ok: true, result: { run_id: run.runId, leg } })
        }
      })
    )
    const ok = yield* isDone(accepted, (error) =>
      mail === undefined
        ? Effect.logError("cannot go on with the run that was cut", { error: error.message })
        : refuseStorage(mail)(error)
    )
    if (!ok) return
    const progress: LegProgress = { runId: run.runId, leg, active: true, usage: noUsage, stop: undefined, taken: [] }
    yield* launch(progress, "resume", { segments: [], resumed: true }, undefined)
  })

  const resumeCut = Effect.suspend(() => {
    const { run } = state
    return options.resumesCut && mayGoOn(run) ? nextLeg(undefined, run.attempts + 1) : Effect.void
  })

  const interrupt = (reason: StopReason): Effect.Effect<void> =>
    Effect.sync(() => {
      if (current === undefined) return
      // A cancel or a shutdown is final, a pause is not: the stronger wish wins.
      const { fiber, progress } = current
      if (progress.stop === undefined || progress.stop === "pause") progress.stop = reason
      fiber.interruptUnsafe()
    })

  const abandon = Effect.fnUntraced(function* (mail: MethodMail) {
    const run = state.run
    if (run === undefined) return yield* refuse(mail, "not_running", "the pod is not running")
    held = state.inbox.size > 0
    const steps: ReadonlyArray<Step> = [
      ...closeLeg(state, run.runId, run.leg, { result: "abandoned", usage: noUsage }),
      { emit: { event: "status", data: { status: "idle" } } }
    ]
    yield* commit(steps, { onPublish: () => mail.reply?.({ ok: true, result: { run_id: run.runId } }) }).pipe(
      Effect.andThen(options.writeStatus("idle")),
      Effect.andThen(showHeld),
      Effect.catch(refuseStorage(mail))
    )
  })

  const stop = Effect.fnUntraced(function* (mail: MethodMail) {
    mail.reply?.({ ok: true, result: {} })
    if (stopping) return
    stopping = true
    if (current === undefined) return
    yield* journal.emit({ event: "status", data: { status: "stopping" } })
    yield* interrupt("shutdown")
  })

  const editing = Editing.make({ ...options, ledger, answering, inboxLock: services.inboxLock })

  const edit = (mail: MethodMail): Effect.Effect<void> =>
    Effect.flatMap(editing.carryOut(mail), (isRewound) => {
      // What a rewind hides may have been the end of a run that held the inbox; what comes back may be one.
      if (isRewound) held = state.held
      return showHeld
    })

  const carryOut = (mail: MethodMail, decision: Decision): Effect.Effect<void> => {
    switch (decision._tag) {
      case "Start":
        return start(mail, mail.method.method === "run" ? mail.method.params.input : [])
      case "Keep":
        return keep(mail, decision)
      case "NextLeg":
        return nextLeg(mail)
      case "Release":
        held = false
        return flow(mail)
      case "Interrupt": {
        const runId = current?.progress.runId ?? ""
        return Effect.andThen(interrupt(decision.reason), answer(mail, { ok: true, result: { run_id: runId } }))
      }
      case "Abandon":
        return abandon(mail)
      case "Stop":
        return stop(mail)
      case "Answer":
      case "Edit":
        return edit(mail)
      case "Nothing":
        return answer(mail, { ok: true, result: { run_id: state.run?.runId ?? "" } })
      case "Refuse":
        return refuse(mail, decision.code, decision.message, decision.hint)
      // Nothing compacts in this version, so nothing waits for its end.
      case "Later":
      case "AbortCompaction":
      case "Direct":
        return refuse(mail, "invalid_request", `${mail.method.method} is not for the pod's mailbox`)
    }
  }

  const onMethod = Effect.fnUntraced(function* (mail: MethodMail) {
    if (stopping && mail.method.method !== "shutdown") {
      return yield* refuse(mail, "not_running", "the pod is stopping")
    }
    const known = receipts.find(mail.keyed)
    if (known !== undefined) return yield* answer(mail, known)
    const decision = validate(mail.method) ?? decide({ phase: phase(), runId: state.run?.runId, held }, mail.method)
    yield* Effect.logDebug("method", { method: mail.method.method, phase: phase(), decision: decision._tag })
    yield* carryOut(mail, decision)
  })

  const onLegEnded = Effect.fnUntraced(function* ({ exit }: LegEnded) {
    const leg = current
    if (leg === undefined) return
    const { progress, undo } = leg
    // A result that was on its way when the leg was interrupted is written before the leg is closed.
    yield* Effect.ignore(journal.commit([], false))
    const outcome = outcomeOf(exit, progress.stop, progress.usage)
    if (outcome.error?.code === "internal" && isDefect(exit)) yield* Effect.logError("a turn broke", exit.cause)
    const undone = undo !== undefined && !progress.active && leavesNothing(exit, outcome)
    const status: PodStatus = outcome.result === "paused" && !undone ? "paused" : "idle"
    const after: Step = { emit: { event: "status", data: { status } } }
    const closing = (as: Outcome) => closeLeg(state, progress.runId, progress.leg, as)
    const written = undone
      ? journal.rollback(
          {
            _tag: "Rollback",
            ...undo,
            runId: progress.runId,
            leg: progress.leg,
            outcome: { ...outcome, result: "rolled_back" },
            otherwise: [...closing({ ...outcome, result: "cancelled" }), after]
          },
          [...progress.taken.toReversed().map((item) => addToInbox(item, true)), after]
        )
      : commit([...closing(outcome), after])
    current = undefined
    const result = undone ? "rolled_back" : outcome.result
    if (!Fold.flowsOn(result) || isSessionLimit(outcome.limit)) held = true
    yield* Effect.matchEffect(written, {
      onFailure: (error: StorageError) => ownUp(leg, error),
      onSuccess: () => options.writeStatus(status)
    })
    yield* flow()
  })

  const ownUp = ({ progress }: Current, error: StorageError): Effect.Effect<void> => {
    held = true
    return Effect.andThen(owing(journal, ledger, progress, error), options.writeStatus("idle"))
  }

  const finish = Effect.gen(function* () {
    isEnded = true
    yield* journal.emit({ event: "shutdown" })
    yield* Effect.ignore(journal.commit([], false))
    yield* Deferred.succeed(stopped, undefined)
    const left = yield* mailbox.drain
    yield* Effect.forEach(left.filter(isMethod), (mail) => Effect.sync(() => mail.reply?.(Answering.hasStopped)), {
      discard: true
    })
  })

  const loop = Effect.gen(function* () {
    yield* resumeCut
    yield* flow()
    while (!stopping || current !== undefined) {
      const mail = yield* mailbox.take
      yield* isMethod(mail) ? answering.guarded(mail, onMethod(mail)) : onLegEnded(mail)
    }
    yield* finish
  })

  // Said before anybody can ask, also while the loop has not begun.
  yield* showHeld
  return { loop, stopped: Deferred.await(stopped), isStopped: () => isEnded }
})

const isDone = <A>(
  effect: Effect.Effect<A, StorageError>,
  onFailure: (error: StorageError) => Effect.Effect<void>
): Effect.Effect<boolean> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => Effect.as(onFailure(error), false),
    onSuccess: () => Effect.succeed(true)
  })
