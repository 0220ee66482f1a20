/**
 * The approvals that a terminal client knows to be open, oldest first, and answering them by a key.
 *
 * Whoever answers first decides, here or elsewhere. An answer is always for the one that was shown last.
 */
import * as Effect from "effect/Effect"
import type { Approval, ApprovalDecision } from "../protocol/Approval.ts"
import { answerKeys, questionText } from "./ApprovalText.ts"
import type { Client, PodEvent } from "./Client.ts"
import { plain } from "./Text.ts"

export class Approvals {
  private readonly open = new Map<string, Approval>()
  private readonly show: (text: string) => Effect.Effect<void>
  private shown: string | undefined
  /** Of the one that is shown: the pod has it, and tells everybody in a moment. */
  private answered: string | undefined

  /** `show` writes lines for the person who answers. */
  constructor(show: (text: string) => Effect.Effect<void>) {
    this.show = show
  }

  /** A snapshot says what is open; what was there before is not any more. */
  replace(approvals: ReadonlyArray<Approval>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.open.clear()
      this.shown = undefined
      for (const approval of approvals) this.open.set(approval.approval_id, approval)
      return this.next
    })
  }

  /** After the event itself was shown. */
  seen(event: PodEvent): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (event.event === "approval_requested") this.open.set(event.data.approval_id, event.data)
      else if (event.event === "approval_resolved") this.open.delete(event.data.approval_id)
      else return Effect.void
      if (this.shown !== undefined && !this.open.has(this.shown)) this.shown = undefined
      return this.next
    })
  }

  get isAsking(): boolean {
    return this.shown !== undefined && this.shown !== this.answered
  }

  /** What the pod says of it comes as an event, to everybody. */
  answer(client: Client, decision: ApprovalDecision, reason?: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { shown } = this
      if (shown === undefined) return this.show("nothing waits for an answer")
      const params = { approval_id: shown, decision, ...(reason === undefined ? {} : { reason }) }
      return Effect.matchEffect(client.request("approve", params), {
        onFailure: (error) => this.show(`approve: ${plain(error.message)}`),
        onSuccess: () =>
          Effect.sync(() => {
            this.answered = shown
          })
      })
    })
  }

  /** The question that is answered next, if it was not shown yet. */
  private get next(): Effect.Effect<void> {
    if (this.shown !== undefined) return Effect.void
    const [first] = this.open.values()
    if (first === undefined) return Effect.void
    this.shown = first.approval_id
    const more = this.open.size > 1 ? ` (${this.open.size - 1} more after this)` : ""
    return this.show(`${questionText(first)}\n  ${answerKeys}${more}`)
  }
}
