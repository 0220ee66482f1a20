/**
 * The methods that a connection answers itself, whatever the pod is doing: completions, reading the log, who is
 * connected. One after the other, in the order in which they came; the lines behind them do not wait for them.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Answer, PodHandle } from "../pod/PodHandle.ts"
import type { ListCompletions, Method } from "../protocol/Method.ts"
import { encodeLine } from "../protocol/Wire.ts"
import type { Pieces } from "../session/Pieces.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Connections } from "./Connections.ts"
import type { Outbox } from "./Outbox.ts"
import { spliced } from "./Splice.ts"

export const localMethods = ["list_completions", "read_entries", "attach_status"] as const
export type LocalMethod = Extract<Method, { readonly method: (typeof localMethods)[number] }>

export interface Answers {
  /** Never waits: the outbox bounds how many lines can be unanswered. */
  readonly add: (method: LocalMethod) => void
}

export interface AnswersOptions {
  readonly handle: PodHandle
  readonly outbox: Outbox
  readonly connections: Connections
  readonly maxUnanswered: number
}

/** The line that answers the method with this id. */
export const reply = (id: string, answer: Answer): string =>
  encodeLine({ event: "reply", data: { reply_to: id, ...answer } })

/** A line that cannot be obeyed is refused to its sender, by its id if it has one. */
export const refusal = (message: string, id: string | undefined): string =>
  id === undefined
    ? encodeLine({ event: "error", data: { code: "invalid_request", message, phase: "accept" } })
    : reply(id, { ok: false, error: { code: "invalid_request", message } })

const unread = (id: string, { hint, message }: StorageError): string =>
  reply(id, { ok: false, error: { code: "storage_error", message, ...(hint === undefined ? {} : { hint }) } })

type ReadEntries = Extract<Method, { readonly method: "read_entries" }>

export const make = Effect.fnUntraced(function* (
  options: AnswersOptions
): Effect.fn.Return<Answers, never, Scope.Scope> {
  const { connections, handle, outbox } = options
  const waiting = yield* Queue.bounded<LocalMethod>(options.maxUnanswered)

  const complete = ({ id, params }: ListCompletions) =>
    Effect.map(handle.completions(params.kind, params.prefix), (entries) => {
      const data = { kind: params.kind, entries: entries.map(({ is_dir, value }) => ({ value, is_dir })) }
      return id === undefined ? encodeLine({ event: "completions", data }) : reply(id, { ok: true, result: data })
    })

  /** Refused if nothing can be read; what breaks later breaks the line. */
  const readEntries = (id: string, { from, limit }: ReadEntries["params"]) =>
    Effect.map(Effect.scoped(handle.attach), ({ entries, total }) => {
      const told = encodeLine({ reply_to: id, ok: true }).slice(1, -2)
      const head = `{"event":"reply","data":{${told},"result":{"from":${from},"entries":[`
      let begun = false
      return spliced(head, entries(from, from + limit), `],"total":${total}}`, {}, {}).pipe(
        Stream.map((piece) => {
          begun = true
          return piece
        }),
        Stream.catchTag("StorageError", (error) => (begun ? Stream.fail(error) : Stream.succeed(unread(id, error))))
      )
    })

  const attachStatus = (id: string) =>
    Effect.map(Effect.all([handle.inboxSize, handle.waitingOn]), ([inbox, waitingOn]) => {
      const list = connections.list().map(({ client, protocol, queued }) => ({ client, protocol, queued }))
      const waiting_on = waitingOn === null ? null : { ...waitingOn }
      return reply(id, { ok: true, result: { connections: list, inbox, waiting_on } })
    })

  const answer = (method: LocalMethod): Effect.Effect<string | Pieces> => {
    if (method.method === "list_completions") return complete(method)
    const { id } = method
    if (id === undefined) {
      return Effect.succeed(
        refusal(`invalid method: ${method.method} needs an "id": what it asks for is sent as a reply`, undefined)
      )
    }
    return method.method === "read_entries" ? readEntries(id, method.params) : attachStatus(id)
  }

  yield* Queue.take(waiting).pipe(
    Effect.flatMap(answer),
    Effect.map((line) => (typeof line === "string" ? outbox.answer(line) : outbox.lateAnswer(line))),
    Effect.forever,
    Effect.forkScoped
  )
  return { add: (method) => Queue.offerUnsafe(waiting, method) }
})
