/** What arrives in a pod's mailbox: methods from outside, and the ends of legs from inside. */
import type * as Exit from "effect/Exit"
import type { LegEnd } from "../agent/Leg.ts"
import type { RunFailure } from "../agent/RunFailure.ts"
import type { Method } from "../protocol/Method.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { Reply } from "./PodHandle.ts"
import type { Keyed } from "./Receipts.ts"

export interface MethodMail {
  readonly _tag: "Method"
  readonly method: Method
  readonly reply: Reply | undefined
  /** Set for a method with an idempotence key. */
  readonly keyed: Keyed | undefined
  /** Who sends it, in words, where that is known. */
  readonly from: string | undefined
}

export interface LegEnded {
  readonly _tag: "LegEnded"
  readonly exit: Exit.Exit<LegEnd, RunFailure>
}

export type Mail = MethodMail | LegEnded
export type PodMailbox = Mailbox<MethodMail, LegEnded>

export const isMethod = (mail: Mail): mail is MethodMail => mail._tag === "Method"
