/**
 * The log of a pod, wherever it is to be had: a live pod is asked for its entries; the log of one that does not run, or
 * does not answer, is read from disk. Nothing is changed by it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Client from "./Client.ts"
import { type CliError, failed } from "./CliError.ts"
import { openLog } from "./DiskLog.ts"
import { storageError } from "./Failures.ts"
import * as Machine from "./Machine.ts"

/** The texts of the entries from ≤ i < to, in pieces. They end early where the log does. */
export type Entries<E> = (from: number, to: number) => Stream.Stream<ReadonlyArray<string>, E>

export interface LogSource<E = CliError> {
  /** Entries in the log, when it was opened. */
  readonly total: number
  readonly cwd: string | undefined
  readonly entries: Entries<E>
}

/** `Unreachable`: the pod has gone while it was read, or does not answer any more. */
export interface LiveSource extends LogSource<CliError | Client.Unreachable> {
  readonly client: Client.Client
}

/** Entries of one request. */
const page = 500

/** Undefined if the pod is not live, or does not answer. `lines`: what the pod says by itself is kept for a reader. */
export const fromPod = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string,
  lines: boolean
): Effect.fn.Return<LiveSource | undefined, CliError, Scope.Scope> {
  const owner = yield* machine.owner(name)
  if (owner === undefined) return undefined
  const connected = yield* Effect.option(
    Client.connect(owner.socket ?? machine.socketPath(name), { tail: 0, timeout: "2 seconds", lines })
  )
  if (Option.isNone(connected)) return undefined
  const client = connected.value
  return {
    client,
    total: client.snapshot.total ?? 0,
    cwd: client.snapshot.greeting.cwd,
    entries: (from, to) => pages(client, from, to)
  }
})

const pages = (client: Client.Client, from: number, to: number) => {
  type Page = readonly [ReadonlyArray<ReadonlyArray<string>>, Option.Option<number>]
  return Stream.paginate(
    from,
    Effect.fnUntraced(function* (at: number): Effect.fn.Return<Page, CliError | Client.Unreachable> {
      if (at >= to) return [[], Option.none()]
      const reply = yield* client
        .request("read_entries", { from: at, limit: Math.min(page, to - at) })
        .pipe(Effect.catchTag("Refused", (error) => failed(error.message, error.hint)))
      const found = (reply as { readonly entries: ReadonlyArray<Schema.Json> }).entries
      const next = at + found.length
      return [[found.map((entry) => JSON.stringify(entry))], found.length === 0 ? Option.none() : Option.some(next)]
    })
  )
}

export const fromDisk = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string
): Effect.fn.Return<LogSource, CliError, Scope.Scope> {
  const metadata = Option.getOrUndefined(yield* Effect.mapError(machine.pods.get(name), storageError))
  if (metadata === undefined) return yield* Machine.unknownPod(machine, name)
  const { active } = metadata
  if (active?.segment_id === undefined) return { total: 0, entries: () => Stream.empty, cwd: metadata.cwd }
  const log = yield* Effect.mapError(
    openLog(machine, { sessionId: active.session_id, segmentId: active.segment_id }),
    storageError
  )
  return {
    total: log.total,
    entries: (from, to) => log.entries(from, Math.min(to, log.total)).pipe(Stream.mapError(storageError)),
    cwd: metadata.cwd
  }
})

export const unanswered = (error: Client.Unreachable): CliError => failed(error.message)

/** For a reader that takes what there is: a pod that goes away in the middle leaves it without the rest. */
const settled = (live: LiveSource): LogSource => ({
  ...live,
  entries: (from, to) =>
    live.entries(from, to).pipe(Stream.catchTag("Unreachable", (error) => Stream.fail(unanswered(error))))
})

/** From the pod if it answers, else from disk. */
export const open = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string
): Effect.fn.Return<LogSource, CliError, Scope.Scope> {
  const live = yield* fromPod(machine, name, false)
  return live === undefined ? yield* fromDisk(machine, name) : settled(live)
})
