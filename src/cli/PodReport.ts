/**
 * What is known about a pod of this machine, as `list`, `status` and others show it.
 *
 * `live`: a process holds its lease. `restorable`: it has a log that can be read to its end. `stopped`: it is known by
 * name and has no log yet. `broken`: what is there cannot be read. Looking changes nothing on disk.
 */
import { stat } from "node:fs/promises"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunUsage } from "../protocol/LogEntry.ts"
import { countTasks, type TaskCounts } from "../protocol/Task.ts"
import type { LeaseOwner } from "../runtime/Lease.ts"
import type { ActiveSegment, PodMetadata } from "../session/PodStore.ts"
import { sessionUsage } from "../session/Spent.ts"
import type { StorageError } from "../session/StorageError.ts"
import * as Client from "./Client.ts"
import type { CliError } from "./CliError.ts"
import { openLog } from "./DiskLog.ts"
import type { Machine } from "./Machine.ts"

export interface PodReport {
  readonly name: string
  readonly state: "live" | "stopped" | "restorable" | "broken"
  readonly status?: string
  readonly session_id?: string
  readonly segment_id?: string
  readonly entries?: number
  readonly pid?: number
  readonly socket?: string
  readonly cwd?: string
  /** ISO 8601. */
  readonly updated_at?: string
  readonly error?: string
}

/** What a live pod says about itself. */
export interface LiveDetail {
  readonly snapshot: Client.Snapshot
  readonly welcome: Client.Welcome
}

export interface Reported {
  readonly report: PodReport
  readonly live?: LiveDetail
  /** What its session has used, and the tasks that it has, where that can be read. */
  readonly usage?: RunUsage
  readonly tasks?: TaskCounts
}

/** For one pod to answer. Pods are asked at the same time. */
const patience: Duration.Input = "2 seconds"

/** Undefined if nothing of that name exists. */
export const reportOf = Effect.fn("PodReport.reportOf")(function* (
  machine: Machine,
  name: string
): Effect.fn.Return<Reported | undefined, CliError> {
  const metadata = yield* Effect.result(machine.pods.get(name))
  const owner = yield* machine.owner(name)
  if (metadata._tag === "Success" && Option.isNone(metadata.success) && owner === undefined) return undefined
  return yield* describe(
    machine,
    name,
    metadata._tag === "Success" ? { metadata: Option.getOrUndefined(metadata.success) } : { error: metadata.failure },
    owner
  )
})

/** Every pod, by name. A broken one does not hide the others. */
export const reportAll = Effect.fn("PodReport.reportAll")(function* (machine: Machine) {
  const stored = yield* machine.storedPods
  const names = Array.from(new Set([...stored.map(({ name }) => name), ...(yield* machine.runtimeNames)])).toSorted()
  const owners = yield* machine.owners(names)
  const reports = yield* Effect.forEach(
    names,
    Effect.fnUntraced(function* (name, index) {
      const owner = owners[index]
      const known = stored.find((pod) => pod.name === name)
      // A runtime directory that nobody owns and no metadata speaks of is what a crash left behind.
      if (known === undefined && owner === undefined) return undefined
      return yield* describe(machine, name, known ?? {}, owner)
    }),
    { concurrency: 8 }
  )
  return reports.filter((report) => report !== undefined)
})

interface Stored {
  readonly metadata?: PodMetadata | undefined
  readonly error?: StorageError
}

const describe = Effect.fnUntraced(function* (
  machine: Machine,
  name: string,
  stored: Stored,
  owner: LeaseOwner | undefined
): Effect.fn.Return<Reported> {
  const active = stored.metadata?.active
  const known = {
    name,
    ...(active === undefined ? {} : { session_id: active.session_id }),
    ...(active?.segment_id === undefined ? {} : { segment_id: active.segment_id }),
    ...(stored.metadata?.cwd === undefined ? {} : { cwd: stored.metadata.cwd })
  }
  if (owner !== undefined) return yield* describeLive(machine, known, owner, active)
  if (stored.error !== undefined) {
    return broken(known, stored.error.message)
  }
  if (active?.segment_id === undefined) return { report: { ...known, state: "stopped" } }
  const segment = { sessionId: active.session_id, segmentId: active.segment_id }
  return yield* Effect.scoped(
    Effect.flatMap(openLog(machine, segment), ({ path, state, total }) =>
      Effect.map(
        modifiedAt(path),
        (updated): Reported => ({
          report: { ...known, state: "restorable", entries: total, ...updated },
          usage: sessionUsage(state),
          tasks: countTasks(state.tasks.list)
        })
      )
    )
  ).pipe(
    Effect.catch((error) => Effect.succeed(broken(known, error.message))),
    // What trips the program over one pod must not hide the others.
    Effect.catchDefect((defect) => Effect.succeed(broken(known, `it cannot be read: ${String(defect)}`)))
  )
})

const broken = (known: Pick<PodReport, "name">, error: string): Reported => ({
  report: { ...known, state: "broken", error }
})

const describeLive = Effect.fnUntraced(function* (
  machine: Machine,
  known: Pick<PodReport, "name" | "session_id" | "segment_id" | "cwd">,
  owner: LeaseOwner,
  active: ActiveSegment | undefined
): Effect.fn.Return<Reported> {
  const socket = owner.socket ?? machine.socketPath(known.name)
  const report = { ...known, state: "live" as const, pid: owner.pid, socket }
  const answer = yield* Effect.result(
    Effect.scoped(Client.connect(socket, { tail: 0, timeout: patience, lines: false }))
  )
  if (answer._tag === "Failure") {
    const error = owner.stopped
      ? `process ${owner.pid} is stopped (SIGSTOP): it holds the pod and answers nothing`
      : answer.failure.message
    return { report: { ...report, error } }
  }
  const { snapshot, welcome } = answer.success
  const updated =
    active?.segment_id === undefined ? {} : yield* modifiedAt(machine.segmentPath(active.session_id, active.segment_id))
  return {
    report: {
      ...report,
      status: snapshot.status,
      cwd: snapshot.greeting.cwd,
      ...(snapshot.total === undefined ? {} : { entries: snapshot.total }),
      ...updated
    },
    live: { snapshot, welcome },
    ...(snapshot.usage === undefined ? {} : { usage: snapshot.usage }),
    ...(snapshot.tasks === undefined ? {} : { tasks: snapshot.tasks })
  }
})

const modifiedAt = (path: string): Effect.Effect<{ readonly updated_at?: string }> =>
  Effect.match(
    Effect.tryPromise(() => stat(path)),
    {
      onFailure: () => ({}),
      onSuccess: ({ mtimeMs }) =>
        Option.match(DateTime.make(Math.floor(mtimeMs)), {
          onNone: () => ({}),
          onSome: (time) => ({ updated_at: DateTime.formatIso(time) })
        })
    }
  )
