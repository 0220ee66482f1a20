/**
 * `effect-pod repair NAME`: verifies the log of a pod that does not run, and mends it.
 *
 * Nothing is lost and nothing is silent: a bad line goes to a file of its own, the old file stays under another name,
 * and in the place of each bad line stands one that says so. Line numbers stay, because marks count them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SegmentMending from "../../layers/store/SegmentMending.ts"
import { outcomeUnknown } from "../knowledge/Wrappers.ts"
import type { LogEntry } from "../protocol/LogEntry.ts"
import { record } from "../protocol/PodRecord.ts"
import type { SegmentRef } from "../session/SessionStore.ts"
import { StorageError } from "../session/StorageError.ts"
import { type CliError, ExitCode, failed } from "./CliError.ts"
import { refuseLive } from "./Delete.ts"
import { openLog } from "./DiskLog.ts"
import { storageError } from "./Failures.ts"
import { hold } from "./Holding.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import { type Part, partsOf, replacementOf, verify, type Verified } from "./RepairPlan.ts"
import { writtenIn } from "./SegmentFacts.ts"
import { plural } from "./Text.ts"
import * as Values from "./Values.ts"

interface Done {
  /** Where each bad line is kept, in their order. */
  readonly saved_to: ReadonlyArray<string>
  /** The file as it was; undefined if no line of it was bad. */
  readonly original: string | undefined
  readonly torn_saved_to: string | undefined
  /** Calls that were answered "outcome unknown", because the record of their start may be what was lost. */
  readonly closed_calls: ReadonlyArray<string>
}

interface Repaired extends Verified {
  readonly done: Done | undefined
}

/** What `--session` names, or what the pod's metadata do; undefined for a pod without a log. */
const target = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  name: string,
  segmentId: string | undefined
): Effect.fn.Return<SegmentRef | undefined, CliError> {
  if (segmentId !== undefined) {
    const all = yield* Effect.mapError(machine.sessions.list, storageError)
    const named = all.filter((segment) => segment.segmentId === segmentId)
    // Of those that share it, the one whose pod may be writing to it: that one's lease is held then.
    for (const segment of named) {
      const origin = yield* Effect.orElseSucceed(writtenIn(machine, segment), () => undefined)
      if (origin === segment.sessionId) return { sessionId: segment.sessionId, segmentId }
    }
    const found = named.at(-1)
    if (found !== undefined) return { sessionId: found.sessionId, segmentId }
    return yield* failed(`--session ${segmentId}: there is no such segment`, `effect-pod inspect ${name} shows those`)
  }
  const metadata = yield* Effect.mapError(machine.pods.get(name), storageError)
  if (Option.isNone(metadata)) return yield* Machine.unknownPod(machine, name)
  const { active } = metadata.value
  return active?.segment_id === undefined ? undefined : { sessionId: active.session_id, segmentId: active.segment_id }
})

const mendLines = Effect.fnUntraced(function* (
  verified: Verified
): Effect.fn.Return<SegmentMending.Mended | undefined, StorageError> {
  const { bad, path } = verified
  if (bad.length === 0) return undefined
  const now = yield* Clock.currentTimeMillis
  const replacements = bad.flatMap((line) => replacementOf(line, verified, now) ?? [])
  if (replacements.length === bad.length) return yield* SegmentMending.mend(path, replacements)
  const short = bad.find((line) => replacementOf(line, verified, now) === undefined)
  return yield* new StorageError({
    reason: "Corrupt",
    operation: "repair",
    path,
    message:
      `${path}, line ${(short?.line ?? 0) + 1}, byte ${short?.byte}: too short to be replaced; ` +
      "another segment goes on behind it and counts its bytes",
    hint: "nothing was changed in it; effect-pod export NAME, if that still works, or a copy of an older day"
  })
})

/** As a start does it, which could not come so far. */
const cutTail = (machine: Machine.Machine, part: Part) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { ref } = part
      const { committed, lines, torn } = yield* verify(machine, part)
      if (torn === 0) return undefined
      const file = yield* machine.sessions.open(ref)
      const { savedTo } = yield* file.cutTail(committed)
      const repair = record(yield* Clock.currentTimeMillis, {
        domain: "pod.repair",
        payload: {
          op: "cut_tail",
          segment_id: ref.segmentId,
          line: lines,
          byte: committed,
          bytes_dropped: torn,
          saved_to: savedTo
        }
      })
      yield* file.append(lineOf(repair), { at: committed, sync: true })
      return savedTo
    })
  )

/**
 * A call without a record of its start is told to the model as "not run", and a resumed run would run it. After a line
 * was lost nobody knows.
 */
const closeCalls = (machine: Machine.Machine, ref: SegmentRef) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { state } = yield* openLog(machine, ref)
      const ts = yield* Clock.currentTimeMillis
      const unsure = Array.from(state.openCalls.values()).filter(({ started }) => !started)
      const file = yield* machine.sessions.open(ref)
      for (const { call, turn } of unsure) {
        const entry: LogEntry = {
          kind: "tool_result",
          item: { kind: "tool_result", call_id: call.call_id, summary: outcomeUnknown, is_error: true },
          ...(state.run === undefined || state.run.runId === "" ? {} : { run_id: state.run.runId, leg: state.run.leg }),
          ...(turn === undefined ? {} : { turn }),
          ts
        }
        yield* file.append(lineOf(entry), { at: yield* file.size, sync: true })
      }
      return unsure.map(({ call }) => call.call_id)
    })
  )

const lineOf = (entry: LogEntry): Uint8Array => new TextEncoder().encode(`${JSON.stringify(entry)}\n`)

const mend = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  verified: Verified
): Effect.fn.Return<Repaired, StorageError> {
  const isActive = verified.upTo === undefined
  if (isClean(verified)) return { ...verified, done: undefined }
  const mended = yield* mendLines(verified)
  // The end of a segment that another one goes on from is nobody's.
  const torn = isActive ? yield* cutTail(machine, verified) : undefined
  const closed = isActive && mended !== undefined ? yield* closeCalls(machine, verified.ref) : []
  return {
    ...verified,
    done: { saved_to: mended?.savedTo ?? [], original: mended?.original, torn_saved_to: torn, closed_calls: closed }
  }
})

const isClean = ({ bad, torn }: Verified): boolean => bad.length === 0 && torn === 0

const text = ({ bad, committed, done, lines, path, torn }: Repaired): string => {
  const found = bad.map(
    ({ byte, bytes, line, problem, seems }, at) =>
      `${path}, line ${line + 1}, byte ${byte}: ${problem} (${plural(bytes, "byte")}` +
      `${seems === undefined ? "" : `, seems to be ${seems}`})\n` +
      (done === undefined ? "" : `  kept in ${done.saved_to[at]}\n`)
  )
  if (torn > 0) {
    found.push(
      `${path}, line ${lines + 1}, byte ${committed}: ${plural(torn, "byte")} of a write that was cut\n` +
        (done === undefined ? "" : `  kept in ${done.torn_saved_to}\n`)
    )
  }
  if (found.length === 0) return `${path}: ${plural(lines, "line")}, all of them good\n`
  const scope = bad.some(({ seems }) => seems === "pod.scope")
    ? "  what the pod may touch may be another now: look at effect-pod inspect before you start it\n"
    : ""
  const base = bad.some(({ seems }) => seems === "pod.base")
    ? "  what was said before is in another segment of the session, and this one does not name it any more\n"
    : ""
  const mark = bad.some(({ seems }) => seems === "pod.mark")
    ? "  what a rewind or a cancelled run has hidden may stand in the log again\n"
    : ""
  const notes = scope + base + mark
  if (done === undefined) return found.join("") + notes
  const calls = done.closed_calls.map((id) => `  the call ${id} was answered "outcome unknown"\n`)
  const original = done.original === undefined ? "" : `  the file as it was is ${done.original}\n`
  return found.join("") + notes + calls.join("") + original
}

const json = ({ bad, committed, done, lines, path, ref, torn }: Repaired) => ({
  session_id: ref.sessionId,
  segment_id: ref.segmentId,
  path,
  lines,
  bad_lines: bad.map(({ byte, bytes, line, problem, seems }) => ({ line, byte, bytes, problem, seems })),
  torn_bytes: torn,
  committed_bytes: committed,
  ...(done === undefined ? {} : { repaired: done })
})

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const name = yield* Values.podName(positionals[0] ?? "")
    const segmentId = yield* Values.segmentId(flags)
    const dry = flags["dry-run"] === true
    const machine = yield* Machine.make(env)
    yield* refuseLive(machine, name, "repaired")
    const ref = yield* target(machine, name, segmentId)
    if (ref === undefined) {
      yield* terminal.err(`${name} has no log yet: there is nothing to repair\n`)
      return ExitCode.ok
    }
    const work = Effect.gen(function* () {
      if (!dry) yield* hold(machine, name, ref.sessionId)
      const repair = Effect.gen(function* () {
        const found = yield* Effect.forEach(yield* partsOf(machine, ref), (part) => verify(machine, part))
        if (dry) return found.map((verified): Repaired => ({ ...verified, done: undefined }))
        // What the others go on from first.
        const mended = yield* Effect.forEach(found.toReversed(), (verified) =>
          Effect.uninterruptible(mend(machine, verified))
        )
        yield* Effect.scoped(openLog(machine, ref))
        return mended.toReversed()
      })
      return yield* Effect.mapError(repair, storageError)
    })
    const segments = yield* Effect.scoped(work)
    yield* terminal.out(
      flags["json"] === true
        ? `${JSON.stringify({ name, dry_run: dry, segments: segments.map(json) })}\n`
        : segments.map(text).join("")
    )
    return dry && !segments.every(isClean) ? ExitCode.corrupt : ExitCode.ok
  })
}
