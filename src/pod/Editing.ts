/**
 * The methods that read or change the session and start no leg: the inbox, rewinds, forks, approvals.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import type { Method, MethodName } from "../protocol/Method.ts"
import { inboxItem } from "../session/Announce.ts"
import type { Journal } from "../session/Journal.ts"
import { type Answering, hasStopped } from "./Answering.ts"
import type { Approving } from "./Approving.ts"
import type { Fork } from "./Forking.ts"
import type { Ledger } from "./Ledger.ts"
import type { MethodMail } from "./Mail.ts"
import { removeFromInbox } from "./Opening.ts"
import * as Rewinding from "./Rewinding.ts"

export interface EditingOptions {
  readonly journal: Journal
  readonly ledger: Ledger
  readonly answering: Answering
  readonly fork: Fork
  readonly approve: Approving["approve"]
  /** Held while a leg takes what waits. */
  readonly inboxLock: Semaphore.Semaphore
  /** Owns the forks that are being made. */
  readonly scope: Scope.Scope
}

type Params<Name extends MethodName> = Extract<Method, { readonly method: Name; readonly params: unknown }>["params"]

export const make = ({ answering, approve, fork, inboxLock, journal, ledger, scope }: EditingOptions) => {
  const { answer, refuse, refuseStorage } = answering
  const { list, rewind, undo } = Rewinding.make(journal, ledger, answering)

  const read = (mail: MethodMail): Effect.Effect<void> => {
    const { method } = mail.method
    if (method === "list_rewind_targets") return list(mail)
    if (method === "list_inbox" && mail.reply !== undefined) {
      return answer(mail, { ok: true, result: { items: Array.from(journal.state.inbox.values(), inboxItem) } })
    }
    return refuse(mail, "invalid_request", `${method} is answered to its sender alone and needs an id`)
  }

  /** Not while a leg takes what waits: an item is either removed or given to the model, never both. */
  const removeItem = (mail: MethodMail, { item_id }: Params<"remove_inbox">): Effect.Effect<void> =>
    inboxLock.withPermit(
      Effect.suspend(() => {
        if (!journal.state.inbox.has(item_id)) {
          return refuse(mail, "not_found", `there is no item ${item_id} in the inbox`, "list_inbox shows what waits")
        }
        const onPublish = () => mail.reply?.({ ok: true, result: { item_id } })
        return Effect.matchEffect(ledger.commit([removeFromInbox(item_id)], { onPublish }), {
          onFailure: refuseStorage(mail),
          onSuccess: () => Effect.void
        })
      })
    )

  /** In a fiber of its own: neither the pod nor whoever asks next waits for files. */
  const forkPod = (mail: MethodMail, params: Params<"fork">): Effect.Effect<void> =>
    fork(params).pipe(
      Effect.matchEffect({
        onFailure: (error) =>
          error._tag === "PodRefused"
            ? refuse(mail, error.code, error.message, error.hint)
            : refuseStorage(mail)(error),
        onSuccess: (forked) => answer(mail, { ok: true, result: { ...forked } })
      }),
      Effect.onInterrupt(() => answer(mail, hasStopped)),
      Effect.forkIn(scope, { startImmediately: true, uninterruptible: true }),
      Effect.asVoid
    )

  /** True if the log was taken back, or brought back. */
  const carryOut = (mail: MethodMail): Effect.Effect<boolean> => {
    const { method } = mail
    switch (method.method) {
      case "rewind_to":
        return rewind(mail, method.params)
      case "undo_rewind":
        return undo(mail)
      case "fork":
        return Effect.as(forkPod(mail, method.params), false)
      case "approve":
        return Effect.as(approve(answering, mail, method.params), false)
      case "remove_inbox":
        return Effect.as(removeItem(mail, method.params), false)
      default:
        return Effect.as(read(mail), false)
    }
  }

  return { carryOut }
}
