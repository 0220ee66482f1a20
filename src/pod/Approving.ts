/**
 * Asking people: a call waits for the first answer, whoever gives it, and for no longer than it says.
 *
 * One answer is journalled for each approval: who begins to write one, an answerer or the end of the time, has decided,
 * and whoever comes second is told so. The journal says what is open; what is only here is who waits for it.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Asked, Settled } from "../agent/Permission.ts"
import { ofStorage, type RunFailure } from "../agent/RunFailure.ts"
import { approvalDenied, nobodyToAsk } from "../knowledge/Wrappers.ts"
import {
  type ApprovalAnswer,
  type ApprovalRecord,
  beginning,
  maxName,
  maxReason,
  maxShown,
  type PodAnswer,
  podAnswers,
  shortened
} from "../protocol/Approval.ts"
import type { Method } from "../protocol/Method.ts"
import * as Ids from "../runtime/Ids.ts"
import type { Journal, Step } from "../session/Journal.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Answering } from "./Answering.ts"
import { answered } from "./Ending.ts"
import type { MethodMail } from "./Mail.ts"

export interface Question {
  readonly callId: string
  readonly tool: string
  /** The text of a JSON object. */
  readonly arguments: string
  readonly target: string
  /** What an answer for the session is remembered for; undefined: for nothing. */
  readonly subject: string | undefined
  readonly timeout: Duration.Duration
}

type ApproveParams = Extract<Method, { readonly method: "approve" }>["params"]

export interface Approving {
  /** Fails only if the store does not take the question. */
  readonly ask: (question: Question) => Effect.Effect<Settled | Asked, RunFailure>
  /** Answers the mail in every case. */
  readonly approve: (answering: Answering, mail: MethodMail, params: ApproveParams) => Effect.Effect<void>
  /** Somebody who can answer is there until the Scope closes. */
  readonly attend: Effect.Effect<void, never, Scope.Scope>
}

interface Deciding {
  readonly answer: ApprovalAnswer
  /** Undefined: the store did not take it. */
  readonly settled: Deferred.Deferred<ApprovalAnswer | undefined>
}

export const make = (journal: Journal): Approving => {
  const { approvals } = journal.state
  const waiting = new Map<string, Deferred.Deferred<ApprovalAnswer>>()
  /** Answers that are on their way to the journal. Of an asker that is interrupted meanwhile, one stays here: it is in. */
  const deciding = new Map<string, Deciding>()
  let attending = 0

  const showWaiting = (now: number): void => {
    const open = Array.from(approvals.open.values(), ({ expires_at }) => expires_at)
    journal.setWaitingOn(
      open.length === 0
        ? { kind: "tool", since_ms: now }
        : { kind: "approval", since_ms: now, until_ms: Math.min(...open) }
    )
  }

  /** Undefined if it was decided before, or somebody is about to. */
  const decide = Effect.fnUntraced(function* (
    answer: ApprovalAnswer,
    onPublish?: () => void
  ): Effect.fn.Return<ApprovalAnswer | undefined, StorageError> {
    const id = answer.approval_id
    const now = yield* Clock.currentTimeMillis
    if (!approvals.open.has(id) || deciding.has(id)) return undefined
    const settled = Deferred.makeUnsafe<ApprovalAnswer | undefined>()
    deciding.set(id, { answer, settled })
    const settle = (result: ApprovalAnswer | undefined) => {
      deciding.delete(id)
      Deferred.doneUnsafe(settled, Effect.succeed(result))
    }
    const publish = () => {
      onPublish?.()
      settle(answer)
      const asker = waiting.get(id)
      if (asker === undefined) return
      waiting.delete(id)
      showWaiting(now)
      Deferred.doneUnsafe(asker, Effect.succeed(answer))
    }
    yield* Effect.tapError(journal.commit([answered(answer)], true, { onPublish: publish }), () =>
      Effect.sync(() => settle(undefined))
    )
    return answer
  })

  /** Nobody has answered in time, unless somebody does in this very moment. */
  const expire = (approvalId: string): Effect.Effect<ApprovalAnswer, RunFailure> =>
    Effect.gen(function* () {
      const expiry: ApprovalAnswer = { approval_id: approvalId, decision: "deny", by: byExpiry }
      const decided = (yield* Effect.mapError(decide(expiry), ofStorage)) ?? approvals.answer(approvalId)
      if (decided !== undefined) return decided
      const other = deciding.get(approvalId)
      if (other === undefined) return expiry
      return (yield* Deferred.await(other.settled)) ?? (yield* expire(approvalId))
    })

  const wait = Effect.fnUntraced(function* (
    { approval_id, expires_at, tool }: ApprovalRecord,
    asker: Deferred.Deferred<ApprovalAnswer>
  ): Effect.fn.Return<Settled, RunFailure> {
    const left = expires_at - (yield* Clock.currentTimeMillis)
    const answer = yield* Effect.timeoutOrElse(Deferred.await(asker), {
      duration: Math.max(0, left),
      orElse: () => expire(approval_id)
    })
    return answer.decision === "deny" ? { _tag: "Deny", message: approvalDenied(tool, answer) } : { _tag: "Allow" }
  })

  const ask: Approving["ask"] = Effect.fn("Approving.ask")(function* (question) {
    const { callId, subject, target, tool } = question
    if (subject !== undefined && approvals.allows({ tool, subject })) return { _tag: "Allow" }
    // A run that goes on after a crash asks again for what it had asked for, also before anybody is back.
    const before = Array.from(approvals.open.values()).find(
      (record) => record.call_id === callId && !waiting.has(record.approval_id)
    )
    if (before === undefined && attending === 0) return { _tag: "Deny", message: nobodyToAsk(tool) }
    const now = yield* Clock.currentTimeMillis
    const record: ApprovalRecord = {
      approval_id: before?.approval_id ?? (yield* Ids.uuid),
      call_id: callId,
      tool,
      ...shown(question.arguments, target),
      ...(subject === undefined ? {} : { subject }),
      expires_at: now + Duration.toMillis(question.timeout)
    }
    // Of a leg that was interrupted, nobody waits any more.
    for (const id of waiting.keys()) if (!approvals.open.has(id)) waiting.delete(id)
    const asker = yield* Deferred.make<ApprovalAnswer>()
    // Before it is told: an answer may be there before this fiber goes on.
    waiting.set(record.approval_id, asker)
    const onPublish = () => showWaiting(now)
    yield* Effect.mapError(journal.commit([requested(record)], true, { onPublish }), ofStorage)
    return { _tag: "Asked", answer: wait(record, asker) }
  })

  const approve: Approving["approve"] = (answering, mail, { approval_id, decision, reason }) => {
    const by = answerer(mail.from)
    const answer: ApprovalAnswer = {
      approval_id,
      decision,
      by,
      ...(reason === undefined ? {} : { reason: shortened(reason, maxReason) })
    }
    const accept = () => mail.reply?.({ ok: true, result: { approval_id, decision, by } })
    return Effect.matchEffect(decide(answer, accept), {
      onFailure: answering.refuseStorage(mail),
      onSuccess: (decided) => (decided === undefined ? refuse(answering, mail, approval_id) : allowAlike(decided))
    })
  }

  /** What an answer for the session allows is not asked for any more, also where it was asked for before. */
  const allowAlike = ({ by, decision }: ApprovalAnswer): Effect.Effect<void> => {
    if (decision !== "allow_session") return Effect.void
    const alike = Array.from(approvals.open.values()).filter(
      ({ subject, tool }) => subject !== undefined && approvals.allows({ tool, subject })
    )
    return Effect.forEach(alike, ({ approval_id }) => Effect.ignore(decide({ approval_id, decision: "allow", by })), {
      discard: true
    })
  }

  const refuse = (answering: Answering, mail: MethodMail, approvalId: string): Effect.Effect<void> => {
    const known = approvals.answer(approvalId) ?? deciding.get(approvalId)?.answer
    return known === undefined
      ? answering.refuse(
          mail,
          "not_found",
          `there is no approval ${approvalId}`,
          "a snapshot shows those that are open"
        )
      : answering.refuse(
          mail,
          "conflict",
          `approval ${approvalId} was decided before: ${known.decision} by ${known.by}`,
          "the first answer holds"
        )
  }

  const attend: Approving["attend"] = Effect.acquireRelease(
    Effect.sync(() => {
      attending += 1
    }),
    () =>
      Effect.sync(() => {
        attending -= 1
      })
  )

  return { ask, approve, attend }
}

const byExpiry: PodAnswer = "expiry"
const reserved: ReadonlySet<string> = new Set(podAnswers)

/** Clients name themselves. What the pod says of itself must not be taken for one of them, nor one of them for it. */
const answerer = (name = "a client"): string => {
  const short = shortened(name, maxName)
  return reserved.has(short.trim().toLowerCase()) ? `a client called ${short}` : short
}

const shown = (args: string, target: string) => ({
  arguments: beginning(args, maxShown),
  ...(args.length > maxShown ? { arguments_length: args.length } : {}),
  target: beginning(target, maxShown),
  ...(target.length > maxShown ? { target_length: target.length } : {})
})

const requested = (record: ApprovalRecord): Step => ({
  kind: "extension",
  domain: "pod.approval",
  payload: { op: "requested", ...record }
})
