/**
 * `effect-pod prune --older-than TIME`: removes pods that were not used for so long.
 *
 * Live pods are left alone, broken ones too: they may be worth mending. Sessions that no pod names are told, and removed
 * only with `--orphans`. One pod that cannot be removed hides no other.
 */
import { dirname } from "node:path"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LeaseLocks from "../../layers/runtime/LeaseLocks.ts"
import { sessionLock } from "../../layers/runtime/LeasePaths.ts"
import * as Ids from "../runtime/Ids.ts"
import { type CliError, ExitCode, failed, usage } from "./CliError.ts"
import { planText } from "./Delete.ts"
import { storageError } from "./Failures.ts"
import { hold } from "./Holding.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import { reportOf } from "./PodReport.ts"
import * as Removal from "./Removal.ts"
import { bytesText, oneLine, plural } from "./Text.ts"
import * as Values from "./Values.ts"

interface Skipped {
  readonly name: string
  readonly reason: "live" | "broken" | "used" | "failed"
  readonly message: string
}

interface Report {
  readonly dry_run: boolean
  readonly removed: ReadonlyArray<Removal.RemovalPlan>
  readonly skipped: ReadonlyArray<Skipped>
  /** Segments of sessions that no pod names, and that are old enough. */
  readonly orphans: { readonly removed: boolean; readonly segments: ReadonlyArray<Removal.SegmentPlan> }
  readonly bytes: number
}

const lastUse = Effect.fnUntraced(function* (machine: Machine.Machine, stored: Removal.Stored, name: string) {
  const pod = stored.pods.find((candidate) => candidate.name === name)
  const sessionId = pod === undefined || "error" in pod ? undefined : pod.metadata.active?.session_id
  const times = stored.segments.flatMap((segment) => (segment.sessionId === sessionId ? [segment.modified] : []))
  return Math.max(yield* Removal.modifiedAt(Removal.metadataPath(machine, name)), ...times)
})

/** Undefined if it was used after all, before it was held. */
const removeOne = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string,
  before: number,
  dry: boolean
): Effect.fn.Return<Removal.RemovalPlan | undefined, CliError> {
  const removing = Effect.gen(function* () {
    // Each anew: what was removed before may have been what kept a segment.
    const first = yield* Removal.plan(machine, yield* Removal.look(machine), name)
    if (dry) return first
    yield* hold(machine, name, first.session_id ?? (yield* Ids.uuid))
    const stored = yield* Removal.look(machine)
    if ((yield* lastUse(machine, stored, name)) >= before) return undefined
    const plan = yield* Removal.plan(machine, stored, name)
    yield* Effect.uninterruptible(Removal.carryOut(machine, plan))
    return plan
  })
  return yield* Effect.scoped(removing)
})

/** A session that somebody holds is being made: its pod gets its name at the end. */
const unheld = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  segments: ReadonlyArray<Removal.SegmentPlan>
): Effect.fn.Return<ReadonlyArray<Removal.SegmentPlan>, CliError> {
  const locks = segments.map(({ sessionId }) => sessionLock(machine.directories.data, sessionId))
  const held = yield* Effect.mapError(LeaseLocks.make("flock").held(locks), ({ message }) => failed(message))
  return segments.filter((_, index) => held[index] !== true)
})

/** Of sessions in which nothing is younger. A fork that is being made has old segments, in a directory that is new. */
const unused = Effect.fnUntraced(function* (
  segments: ReadonlyArray<Removal.SegmentPlan>,
  before: number
): Effect.fn.Return<ReadonlyArray<Removal.SegmentPlan>> {
  const young = new Set<string>()
  for (const { modified, path, sessionId } of segments) {
    if (modified >= before || (yield* Removal.modifiedAt(dirname(path))) >= before) young.add(sessionId)
  }
  return segments.filter(({ sessionId }) => !young.has(sessionId))
})

const prune = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  before: number,
  options: { readonly dry: boolean; readonly orphans: boolean }
): Effect.fn.Return<Report, CliError> {
  const stored = yield* Removal.look(machine)
  const owners = yield* machine.owners(stored.pods.map(({ name }) => name))
  const removed: Array<Removal.RemovalPlan> = []
  const skipped: Array<Skipped> = []
  for (const [index, pod] of stored.pods.entries()) {
    const { name } = pod
    const owner = owners[index]
    if ("error" in pod) {
      skipped.push({ name, reason: "broken", message: pod.error.message })
    } else if (owner !== undefined) {
      skipped.push({ name, reason: "live", message: `process ${owner.pid} owns it` })
    } else if ((yield* lastUse(machine, stored, name)) < before) {
      const report = (yield* reportOf(machine, name))?.report
      if (report?.state === "broken") {
        skipped.push({ name, reason: "broken", message: report.error ?? "its log cannot be read" })
        continue
      }
      yield* Effect.match(removeOne(machine, name, before, options.dry), {
        onSuccess: (plan) =>
          plan === undefined
            ? skipped.push({ name, reason: "used", message: "it was used meanwhile" })
            : removed.push(plan),
        onFailure: ({ exitCode, message }) =>
          skipped.push({ name, reason: exitCode === ExitCode.held ? "live" : "failed", message })
      })
    }
  }
  const segments = yield* unheld(machine, yield* unused(Removal.orphans(stored), before))
  if (options.orphans && !options.dry) {
    for (const segment of segments) yield* Effect.mapError(machine.sessions.remove(segment), storageError)
  }
  const all = [...removed, ...(options.orphans ? segments : [])]
  return {
    dry_run: options.dry,
    removed,
    skipped,
    orphans: { removed: options.orphans && !options.dry, segments },
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0)
  }
})

/** As `--json` tells of it. */
const told = (report: Report) => ({
  ...report,
  removed: report.removed.map(Removal.toldPlan),
  orphans: { ...report.orphans, segments: report.orphans.segments.map(Removal.toldSegment) }
})

const text = ({ bytes, dry_run, orphans, removed, skipped }: Report, withOrphans: boolean): string => {
  const done = !dry_run
  const paths = orphans.segments.map(({ path }) => `  ${path}\n`).join("")
  const count = `${plural(orphans.segments.length, "segment")} that no pod names`
  const gone = withOrphans ? `${done ? "removed" : "would remove"} ${count}:\n${paths}` : ""
  const left = withOrphans ? "" : `${count}, left alone (--orphans removes them):\n${paths}`
  return [
    ...removed.map((plan) => planText(plan, done)),
    ...skipped.map(({ message, name, reason }) => `skipped ${name}: ${reason}: ${oneLine(message, 300)}\n`),
    orphans.segments.length === 0 ? "" : gone + left,
    `${done ? "removed" : "would remove"} ${plural(removed.length, "pod")}, ${bytesText(bytes)}\n`
  ].join("")
}

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, terminal }) {
    const age = yield* Values.age(flags, "older-than")
    if (age === undefined) return yield* usage("prune needs --older-than TIME", "for example --older-than 30d")
    const machine = yield* Machine.make(env)
    const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(age)
    const options = { dry: flags["dry-run"] === true, orphans: flags["orphans"] === true }
    const report = yield* prune(machine, before, options)
    yield* terminal.out(flags["json"] === true ? `${JSON.stringify(told(report))}\n` : text(report, options.orphans))
    return report.skipped.some(({ reason }) => reason === "failed") ? ExitCode.failed : ExitCode.ok
  })
}
