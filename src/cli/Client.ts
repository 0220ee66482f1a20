/**
 * A native connection of a command to a running pod: requests with their replies, and the lines that come by
 * themselves.
 *
 * One fiber reads. Replies go to whoever asked; everything else goes into a bounded queue, so that a consumer that is
 * slow holds the pod's sender back and is told by the pod what it missed.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as SocketClient from "../../layers/runtime/SocketClient.ts"
import { DirectEvent, Event, ReplyError } from "../protocol/Event.ts"
import type { MethodName } from "../protocol/Method.ts"

/** The pod said no. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { ...ReplyError.fields }) {}

/** The pod cannot be spoken to, or not any more. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  reason: Schema.Literals(["NotRunning", "Denied", "NoAnswer", "Closed", "Garbled", "Io"]),
  message: Schema.String
}) {}

/** As on the wire, but with entries as they come: one that this version does not know must not hide the others. */
const SnapshotLine = Schema.Struct({
  event: Schema.tag("snapshot"),
  data: Schema.Struct({ ...DirectEvent.members[2].fields.data.fields, entries: Schema.Array(Schema.Json) })
})

export type PodEvent = Exclude<Event, { readonly event: "snapshot" }> | typeof SnapshotLine.Type

/** A line from the pod: as it came, and what it says if this version knows it. */
export interface PodLine {
  readonly json: Schema.Json
  readonly event: PodEvent | undefined
}

export type Welcome = Extract<DirectEvent, { readonly event: "welcome" }>["data"]
export type Snapshot = (typeof SnapshotLine.Type)["data"]

export interface Client {
  readonly welcome: Welcome
  readonly snapshot: Snapshot
  /** Sends one method and waits for its reply. */
  readonly request: (
    method: MethodName,
    params?: Schema.Json,
    timeout?: Duration.Input
  ) => Effect.Effect<Schema.JsonObject, Refused | Unreachable>
  /** The lines after the first snapshot, in order; ends when the pod closes the connection. */
  readonly lines: Queue.Dequeue<PodLine, Unreachable | Cause.Done>
}

export interface Options {
  /** Entries of the log in the snapshot. */
  readonly tail: number
  /** For the connection and for the pod's first answer. */
  readonly timeout: Duration.Input
  /** False if nobody takes `lines`: they are dropped. */
  readonly lines: boolean
  /** Somebody is there who can answer approvals. Default false: no call waits because of us. */
  readonly answers?: boolean
}

const protocol = 2
const queueBound = 1024

const decodeEvent = Schema.decodeUnknownOption(Event)
const decodeSnapshot = Schema.decodeUnknownOption(SnapshotLine)

const lineOf = (json: Schema.Json): PodLine => ({
  json,
  event: isSnapshot(json)
    ? Option.getOrUndefined(decodeSnapshot(json))
    : // Snapshots are decoded above.
      (Option.getOrUndefined(decodeEvent(json)) as PodEvent | undefined)
})

export const connect = Effect.fn("Client.connect")(function* (
  path: string,
  options: Options
): Effect.fn.Return<Client, Unreachable, Scope.Scope> {
  const socket = yield* Effect.mapError(SocketClient.connect(path, { timeout: options.timeout }), unreachable)
  const next = Effect.mapError(socket.next, (error) => (Cause.isDone(error) ? error : unreachable(error)))
  yield* Effect.mapError(
    socket.send({
      method: "hello",
      id: "hello",
      params: {
        protocol,
        client: "effect-pod",
        entries: { tail: options.tail },
        ...(options.answers === true ? {} : { approvals: false })
      }
    }),
    unreachable
  )
  const { snapshot, welcome } = yield* handshake(next).pipe(
    Effect.timeoutOrElse({
      duration: options.timeout,
      orElse: () => Effect.fail(noAnswer(path, options.timeout))
    })
  )
  const lines = yield* Queue.bounded<PodLine, Unreachable | Cause.Done>(queueBound)
  const waiting = new Map<string, Deferred.Deferred<Schema.JsonObject, Refused | Unreachable>>()
  let ended: Unreachable | undefined
  let count = 0

  const settle = (line: PodLine): Effect.Effect<unknown> => {
    if (line.event?.event !== "reply") return options.lines ? Queue.offer(lines, line) : Effect.void
    const { data } = line.event
    const asked = waiting.get(data.reply_to)
    if (asked === undefined) return Effect.void
    // The pod answers with an object; its schema says JSON for the sake of what may come.
    return Deferred.done(
      asked,
      data.ok ? Exit.succeed(data.result as Schema.JsonObject) : Exit.fail(new Refused(data.error))
    )
  }

  const reader = next.pipe(
    Effect.flatMap((json) => settle(lineOf(json))),
    Effect.forever,
    Effect.catch((error) =>
      Effect.suspend(() => {
        ended = Cause.isDone(error)
          ? new Unreachable({ reason: "Closed", message: "the pod closed the connection" })
          : error
        for (const asked of waiting.values()) Deferred.doneUnsafe(asked, Exit.fail(ended))
        return Cause.isDone(error) ? Queue.end(lines) : Queue.fail(lines, error)
      })
    )
  )
  yield* Effect.forkScoped(reader)

  const request: Client["request"] = Effect.fnUntraced(function* (method, params, timeout = "30 seconds") {
    if (ended !== undefined) return yield* ended
    count += 1
    const id = `r${count}`
    const asked = yield* Deferred.make<Schema.JsonObject, Refused | Unreachable>()
    waiting.set(id, asked)
    return yield* Effect.mapError(
      socket.send({ method, id, ...(params === undefined ? {} : { params }) }),
      unreachable
    ).pipe(
      Effect.andThen(Deferred.await(asked)),
      Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(noAnswer(path, timeout)) }),
      Effect.ensuring(Effect.sync(() => waiting.delete(id)))
    )
  })

  return { welcome, snapshot, request, lines }
})

/** Reads up to the snapshot that follows `welcome`. What comes before belongs to the seed protocol. */
const handshake = Effect.fnUntraced(function* (next: Effect.Effect<Schema.Json, Unreachable | Cause.Done>) {
  let welcome: Welcome | undefined
  while (true) {
    const json = yield* Effect.mapError(next, (error) =>
      Cause.isDone(error)
        ? new Unreachable({ reason: "Closed", message: "the pod closed the connection before it answered" })
        : error
    )
    // The first line may be a seed snapshot of any length, which nobody needs: only what follows is decoded.
    if (welcome === undefined && isSnapshot(json)) continue
    const { event } = lineOf(json)
    if (event?.event === "reply" && !event.data.ok && event.data.reply_to === "hello") {
      return yield* new Unreachable({
        reason: "Garbled",
        message: `the pod does not speak protocol ${protocol}: ${event.data.error.message}`
      })
    }
    if (event?.event === "welcome") welcome = event.data
    if (event?.event === "snapshot" && welcome !== undefined) return { welcome, snapshot: event.data }
    if (event === undefined && isSnapshot(json)) {
      return yield* new Unreachable({
        reason: "Garbled",
        message: "the pod's snapshot is not of a shape that this version knows"
      })
    }
  }
})

const isSnapshot = (json: Schema.Json): boolean =>
  typeof json === "object" && json !== null && "event" in json && json["event"] === "snapshot"

const reasons = {
  NotFound: "NotRunning",
  Refused: "NotRunning",
  Denied: "Denied",
  Timeout: "NoAnswer",
  TooLong: "Io",
  Closed: "Closed",
  Garbled: "Garbled",
  Io: "Io"
} as const satisfies Record<SocketClient.ConnectError["reason"], Unreachable["reason"]>

const unreachable = (error: SocketClient.ConnectError): Unreachable =>
  new Unreachable({ reason: reasons[error.reason], message: error.message })

const noAnswer = (path: string, timeout: Duration.Input): Unreachable =>
  new Unreachable({
    reason: "NoAnswer",
    message: `${path}: no answer within ${Duration.format(Duration.fromInputUnsafe(timeout))}`
  })
