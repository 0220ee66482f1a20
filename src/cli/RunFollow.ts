/** Watching one run from its acceptance to its end, over gaps and over runs that come before it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { LogEntry } from "../protocol/LogEntry.ts"
import type { RunResult } from "../protocol/Status.ts"
import type { Client, PodLine, Snapshot } from "./Client.ts"
import { type CliError, type ExitCode, failed } from "./CliError.ts"
import { exitCodeOf } from "./RunEndText.ts"

export interface Watched {
  readonly runId: string
  /** Set while the input waits in the inbox. */
  readonly itemId: string | undefined
}

export interface Watcher {
  /** The run has left the queue. */
  readonly onStart: () => void
  /** Every event of the run, and no other, in order. */
  readonly onEvent: (line: PodLine) => Effect.Effect<void>
  /** What is true now, after events were lost. */
  readonly onSnapshot: (snapshot: Snapshot) => Effect.Effect<void>
  /** Events were lost, because what we wrote was not read fast enough. */
  readonly onGap: Effect.Effect<void>
}

const decodeEntry = Schema.decodeUnknownOption(LogEntry)

/** How the run ended according to the log, if it has ended. */
const resultIn = (snapshot: Snapshot, runId: string): RunResult | undefined => {
  for (const json of snapshot.entries.toReversed()) {
    const entry = Option.getOrUndefined(decodeEntry(json))
    if (entry?.kind !== "run_completed" && entry?.kind !== "run_errored") continue
    if (entry.run_id === runId) return entry.outcome?.result ?? (entry.kind === "run_errored" ? "failed" : "finished")
  }
  return undefined
}

const broadcast = (json: Schema.Json): boolean => typeof json === "object" && json !== null && "seq" in json

/** The run that an event says it belongs to; most say nothing. */
const runOf = (event: PodLine["event"]): string | undefined =>
  event?.event === "user_message" || event?.event === "run_start" ? event.data.run_id : undefined

/** After these ends the queue does not flow on by itself. */
const holds: ReadonlySet<string> = new Set(["failed", "cancelled", "rolled_back", "interrupted", "abandoned"])

/** Returns the exit code of the run's result. */
export const follow = Effect.fn("RunFollow.follow")(function* (
  client: Client,
  watched: Watched,
  watcher: Watcher
): Effect.fn.Return<ExitCode, CliError> {
  let started = watched.itemId === undefined
  const start = () => {
    started = true
    watcher.onStart()
  }
  while (true) {
    const line = yield* Effect.mapError(Queue.take(client.lines), (error) =>
      failed(
        Cause.isDone(error) ? "the pod went away before the run had ended" : error.message,
        "effect-pod log shows what was kept; what was accepted is not lost"
      )
    )
    const { event } = line
    if (event?.event === "lagged") yield* watcher.onGap
    if (event?.event === "snapshot") {
      const result = resultIn(event.data, watched.runId)
      if (result !== undefined) return exitCodeOf({ result })
      if (!started && event.data.in_flight?.run_id === watched.runId) start()
      if (started) yield* watcher.onSnapshot(event.data)
    }
    if (!broadcast(line.json)) continue
    if (!started && event?.event === "run_end" && holds.has(event.data.result)) {
      return yield* failed(
        `the run ahead ended as ${event.data.result}, so yours stays in the queue and waits for a person`,
        "effect-pod send NAME resume lets the queue go on; so does the next run"
      )
    }
    if (!started && runOf(event) === watched.runId) start()
    if (!started) continue
    yield* watcher.onEvent(line)
    if (event?.event === "run_end" && event.data.run_id === watched.runId) return exitCodeOf(event.data)
  }
})
