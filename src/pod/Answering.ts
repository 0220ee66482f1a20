/**
 * How a method is answered: to its sender and nobody else, or, if the sender did not ask for an answer, errors to
 * everybody as the seed protocol has it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ErrorCode } from "../protocol/Status.ts"
import type { Journal } from "../session/Journal.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { MethodMail } from "./Mail.ts"
import type { Answer } from "./PodHandle.ts"

export interface Answering {
  readonly answer: (mail: MethodMail, result: Answer) => Effect.Effect<void>
  readonly refuse: (mail: MethodMail, code: ErrorCode, message: string, hint?: string) => Effect.Effect<void>
  /** A method that breaks must not take the pod with it: its sender is told, and the pod takes the next one. */
  readonly guarded: (mail: MethodMail, work: Effect.Effect<void>) => Effect.Effect<void>
  readonly refuseStorage: (mail: MethodMail) => (error: StorageError) => Effect.Effect<void>
}

export const hasStopped: Answer = { ok: false, error: { code: "not_running", message: "the pod has stopped" } }

export const make = (journal: Journal): Answering => {
  const answer: Answering["answer"] = (mail, result) => {
    if (mail.reply !== undefined) return Effect.sync(() => mail.reply?.(result))
    return result.ok ? Effect.void : journal.emit({ event: "error", data: { ...result.error, phase: "accept" } })
  }
  const refuse: Answering["refuse"] = (mail, code, message, hint) =>
    answer(mail, { ok: false, error: { code, message, ...(hint === undefined ? {} : { hint }) } })
  return {
    answer,
    refuse,
    guarded: (mail, work) =>
      Effect.catchDefect(work, (defect) =>
        Effect.andThen(
          Effect.logError("a method broke", { method: mail.method.method }, Cause.die(defect)),
          refuse(mail, "internal", `${mail.method.method} broke; this is a defect of effect-pod`)
        )
      ),
    refuseStorage: (mail) => (error) => refuse(mail, "storage_error", error.message, error.hint)
  }
}
