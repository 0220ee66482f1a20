/**
 * Following a log: what is printed is exactly the log, an entry at a time, as it is committed.
 *
 * Each read begins with the entry that was printed last. When that is another one by now, a run was rolled back or the
 * log was rewound: what no longer counts is told, and reading goes on from where the two agree.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Unreachable } from "./Client.ts"
import type { CliError } from "./CliError.ts"
import * as LogSource from "./LogSource.ts"
import { plural } from "./Text.ts"

export interface Printer {
  readonly print: (texts: ReadonlyArray<string>) => Effect.Effect<void>
  readonly note: (text: string) => Effect.Effect<void>
  /** Nobody reads any more. */
  readonly closed: () => boolean
}

type Entries<E> = LogSource.Entries<E>

/** Entries looked at in one step backwards, where the log has changed below us. */
const stepBack = 200

/** Prints what is there from `from` on and was not printed, each time it is run. */
export type Follower = <E>(entries: Entries<E>) => Effect.Effect<void, E>

export const make = (from: number, printer: Printer): Follower => {
  /** A hash of each printed entry, so that a change below can be found. */
  let printed: Array<number> = []

  /** Forgets what was printed and is no part of the log any more. */
  const agree = Effect.fnUntraced(function* <E>(entries: Entries<E>) {
    const before = printed.length
    for (let step = 1; printed.length > 0; step = stepBack) {
      const start = Math.max(0, printed.length - step)
      const now: Array<number> = []
      yield* Stream.runForEach(entries(from + start, from + printed.length), (texts) =>
        Effect.sync(() => now.push(...texts.map(hashOf)))
      )
      const changed = now.findIndex((hash, i) => hash !== printed[start + i])
      const common = changed < 0 ? now.length : changed
      printed = printed.slice(0, start + common)
      if (common > 0) break
    }
    const gone = before - printed.length
    if (gone === 0) return
    yield* printer.note(`${plural(gone, "entry", "entries")} above no longer ${gone === 1 ? "counts" : "count"}`)
  })

  return Effect.fnUntraced(function* <E>(entries: Entries<E>) {
    yield* agree(entries)
    yield* entries(from + printed.length, Number.MAX_SAFE_INTEGER).pipe(
      Stream.takeWhile(() => !printer.closed()),
      Stream.runForEach((texts) => {
        for (const text of texts) printed.push(hashOf(text))
        return printer.print(texts)
      })
    )
  })
}

/** Returns when the connection has ended, at whatever moment that is: what was not printed by then is on disk. */
export const follow = (
  source: LogSource.LiveSource,
  follower: Follower,
  printer: Printer
): Effect.Effect<void, CliError> =>
  Effect.catchTag(reading(source, follower, printer), "Unreachable", (error) =>
    error.reason === "NoAnswer" ? Effect.fail(LogSource.unanswered(error)) : Effect.void
  )

const reading = Effect.fn("LogFollow.follow")(function* (
  { client, entries }: LogSource.LiveSource,
  follower: Follower,
  printer: Printer
): Effect.fn.Return<void, CliError | Unreachable> {
  yield* follower(entries)
  while (!printer.closed()) {
    const first = yield* Effect.result(Queue.take(client.lines))
    if (first._tag === "Failure") return
    // What has come in the meantime is in the next read as well.
    const rest = yield* Effect.orElseSucceed(Queue.clear(client.lines), () => [])
    const news = [first.success, ...rest].some(
      ({ event, json }) => event?.event === "snapshot" || (json as { readonly durable?: boolean }).durable === true
    )
    if (news) yield* follower(entries)
  }
})

/** FNV-1a. Of what the text says: a pod sends an entry as JSON of its own, the file has it as it was written. */
const hashOf = (entry: string): number => {
  const text = JSON.stringify(JSON.parse(entry))
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
