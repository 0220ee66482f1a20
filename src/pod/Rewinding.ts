/**
 * Taking the session back: which places there are, going to one of them, and coming back.
 *
 * Nothing is lost by it. What a rewind hides stays in the file, and the last rewind can be undone as long as nothing
 * was said since.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Method } from "../protocol/Method.ts"
import type { Emission } from "../session/Announce.ts"
import type { Rewind, Undo } from "../session/Change.ts"
import type { Journal } from "../session/Journal.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Answering } from "./Answering.ts"
import type { Ledger } from "./Ledger.ts"
import type { MethodMail } from "./Mail.ts"

export interface Rewinding {
  readonly list: (mail: MethodMail) => Effect.Effect<void>
  /** True if the log was taken back; otherwise it was refused. */
  readonly rewind: (mail: MethodMail, params: RewindParams) => Effect.Effect<boolean>
  readonly undo: (mail: MethodMail) => Effect.Effect<boolean>
}

type RewindParams = Extract<Method, { readonly method: "rewind_to" }>["params"]

export const make = (journal: Journal, ledger: Ledger, answering: Answering): Rewinding => {
  const { answer, refuseStorage } = answering
  const refuse = (...args: Parameters<Answering["refuse"]>) => Effect.as(answering.refuse(...args), false)
  const head = () => journal.source().view.total

  /** What is owed moves the head: it is written before anything is decided. */
  const settled = (mail: MethodMail, then: Effect.Effect<boolean>): Effect.Effect<boolean> =>
    Effect.matchEffect(ledger.settle, {
      onFailure: (error) => Effect.as(refuseStorage(mail)(error), false),
      onSuccess: () => then
    })

  const list: Rewinding["list"] = Effect.fnUntraced(function* (mail) {
    // What the store does not take yet is no reason not to show what there is.
    yield* Effect.ignore(ledger.settle)
    const targets = { head_entries: head(), targets: journal.points.list(head()) }
    // A connection of the seed protocol gets it as an event, and so does everybody else.
    yield* mail.reply === undefined
      ? journal.emit({ event: "rewind_targets", data: targets })
      : answer(mail, { ok: true, result: JSON.parse(JSON.stringify(targets)) })
  })

  const rewind: Rewinding["rewind"] = (mail, params) => settled(mail, rewindNow(mail, params))

  const undo: Rewinding["undo"] = (mail) => settled(mail, undoNow(mail))

  const rewindNow = Effect.fnUntraced(function* (mail: MethodMail, { expected_head_entries, target }: RewindParams) {
    const isKnown = journal.files().some(({ ref }) => ref.segmentId === target.segment_id)
    const point = journal.points.find(target.segment_id, target.user_input_entry_index)
    if (!isKnown) {
      return yield* refuse(mail, "not_found", `segment ${target.segment_id} is not a part of this session`, again)
    }
    if (head() !== expected_head_entries) {
      return yield* refuse(
        mail,
        "conflict",
        `the session head changed: it has ${head()} entries, expected ${expected_head_entries}`,
        again
      )
    }
    if (point === undefined) {
      return yield* refuse(
        mail,
        "not_found",
        `entry ${target.user_input_entry_index} of segment ${target.segment_id} is no input of a user in this log`,
        again
      )
    }
    if (point.insideRun) {
      return yield* refuse(
        mail,
        "invalid_request",
        "that input was sent into a turn that was going on",
        "choose the input that began the turn"
      )
    }
    const summary = journal.summaryOf(point)
    const change = Effect.map(journal.inputAt(point), (input): Rewind => ({ _tag: "Rewind", point, input, summary }))
    return yield* apply(mail, change, (accepted_seq, synced) => ({ ...summary, accepted_seq, synced }))
  })

  const undoNow = Effect.fnUntraced(function* (mail: MethodMail) {
    if (journal.state.rewound === undefined) {
      return yield* refuse(
        mail,
        "conflict",
        "there is no rewind to undo: none was made, or something was said since",
        "list_rewind_targets shows where the session can be taken back to"
      )
    }
    return yield* apply(mail, Effect.succeed<Undo>({ _tag: "Undo" }), (accepted_seq, synced) => ({
      entries: head(),
      accepted_seq,
      synced
    }))
  })

  /** `result` is asked when the change is in effect. */
  const apply = (
    mail: MethodMail,
    change: Effect.Effect<Rewind | Undo, StorageError>,
    result: (acceptedSeq: number, synced: boolean) => Schema.JsonObject
  ): Effect.Effect<boolean> =>
    change.pipe(
      Effect.flatMap((wanted) =>
        journal.change(wanted, [idle], {
          onPublish: ({ seqs, synced }) => mail.reply?.({ ok: true, result: result(seqs[0] ?? 0, synced) })
        })
      ),
      Effect.matchEffect({
        onFailure: (error) => Effect.as(refuseStorage(mail)(error), false),
        onSuccess: () => Effect.succeed(true)
      })
    )

  return { list, rewind, undo }
}

const again = "list_rewind_targets shows the places that there are now"

/** The pod is idle before and after; clients wait for this word. */
const idle: Emission = { emit: { event: "status", data: { status: "idle" } } }
