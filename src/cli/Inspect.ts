/** `effect-pod inspect NAME`: everything that is known about one pod, live, stopped or broken. Changes nothing. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import type { Allowance, Approval } from "../protocol/Approval.ts"
import type { InboxItem } from "../protocol/Inbox.ts"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import { inboxItem } from "../session/Announce.ts"
import type { SegmentRef } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"
import { ExitCode } from "./CliError.ts"
import { openLog } from "./DiskLog.ts"
import type { Command } from "./Invocation.ts"
import { table } from "./List.ts"
import * as Machine from "./Machine.ts"
import { reportOf } from "./PodReport.ts"
import {
  factsOf,
  type Lineage,
  lineageOf,
  type RunFact,
  type SegmentFacts,
  type SideFile,
  sideFilesOf
} from "./SegmentFacts.ts"
import { ofSession, rows as statusRows } from "./Status.ts"
import { oneLine, plural, visibleLine } from "./Text.ts"
import { usageText } from "./RunEndText.ts"
import * as Values from "./Values.ts"

interface SegmentOfSession extends Lineage {
  readonly segment_id: string
  readonly path: string
  readonly bytes: number
  readonly active: boolean
  readonly error?: string
}

interface Details {
  /** Of the active segment's file. */
  readonly file?: SegmentFacts | { readonly error: string }
  /** All of the session, newest first. */
  readonly segments: ReadonlyArray<SegmentOfSession>
  readonly side_files: ReadonlyArray<SideFile>
  /** These only where the log can be read to its end. */
  readonly scope?: ScopeRules
  readonly inbox_items?: ReadonlyArray<InboxItem>
  readonly held?: boolean
  readonly receipts?: number
  readonly open_approvals?: ReadonlyArray<Approval>
  /** What an answer allows until the session ends. */
  readonly allowed?: ReadonlyArray<Allowance>
}

const session = Effect.fnUntraced(function* (machine: Machine.Machine, ref: SegmentRef) {
  const file = yield* Effect.match(factsOf(machine, ref), {
    onSuccess: (facts): Details["file"] => facts,
    onFailure: ({ message }) => ({ error: message })
  })
  // What the session is, as the next start would find it.
  const state = yield* Effect.option(Effect.scoped(Effect.map(openLog(machine, ref), (log) => log.state)))
  return {
    ...(file === undefined ? {} : { file }),
    side_files: yield* sideFilesOf(machine, ref),
    ...Option.match(state, {
      onNone: () => ({}),
      onSome: ({ approvals, held, inbox, receipts, scope }) => ({
        ...(scope === undefined ? {} : { scope }),
        inbox_items: Array.from(inbox.values(), inboxItem),
        held,
        receipts: receipts.size,
        open_approvals: Array.from(approvals.open.values()),
        allowed: approvals.allowed
      })
    })
  }
})

const segmentsOf = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  sessionId: string,
  activeId: string | undefined
): Effect.fn.Return<ReadonlyArray<SegmentOfSession>, StorageError> {
  const all = (yield* machine.sessions.list).filter((segment) => segment.sessionId === sessionId)
  return yield* Effect.forEach(all, (segment) =>
    Effect.map(
      Effect.match(lineageOf(machine, segment), {
        onSuccess: (lineage): Lineage & { readonly error?: string } => lineage,
        onFailure: ({ message }) => ({ error: message })
      }),
      (lineage) => ({
        segment_id: segment.segmentId,
        path: machine.segmentPath(sessionId, segment.segmentId),
        bytes: segment.bytes,
        active: segment.segmentId === activeId,
        ...lineage
      })
    )
  )
})

const details = Effect.fnUntraced(function* (
  machine: Machine.Machine,
  sessionId: string | undefined,
  segmentId: string | undefined
): Effect.fn.Return<Details> {
  if (sessionId === undefined) return { segments: [], side_files: [] }
  const segments = yield* Effect.orElseSucceed(segmentsOf(machine, sessionId, segmentId), () => [])
  if (segmentId === undefined) return { segments, side_files: [] }
  return { segments, ...(yield* session(machine, { sessionId, segmentId })) }
})

const timeOf = (ts: number): string =>
  Option.match(DateTime.make(ts), { onNone: () => String(ts), onSome: (time) => DateTime.formatIso(time).slice(0, 19) })

const runRow = ({ ended, error, kind, leg, result, run_id, started, usage }: RunFact): ReadonlyArray<string> => [
  `  ${timeOf(started)}`,
  ended === undefined ? "" : `${((ended - started) / 1000).toFixed(1)} s`,
  `${kind}${leg > 1 ? ` (leg ${leg})` : ""}`,
  result ?? "open",
  usage === undefined ? "" : usageText(usage),
  error === undefined ? run_id : `${run_id}  ${oneLine(error, 120)}`
]

const lineageText = ({ base, compacted_from, error, forked_from }: SegmentOfSession): string =>
  [
    base === undefined ? "" : `goes on from ${base.segment} after ${plural(base.entries, "entry", "entries")}`,
    forked_from === undefined ? "" : `forked from ${JSON.stringify(forked_from)}`,
    compacted_from === undefined ? "" : `compacted from ${JSON.stringify(compacted_from)}`,
    error ?? ""
  ]
    .filter((text) => text !== "")
    .join("; ")

const text = ({
  allowed,
  file,
  held,
  inbox_items,
  open_approvals,
  receipts,
  scope,
  segments,
  side_files
}: Details): string => {
  const rows: Array<ReadonlyArray<string>> = []
  const lists: Array<string> = []
  const list = (title: string, items: ReadonlyArray<ReadonlyArray<string>>) => {
    if (items.length > 0) lists.push(`\n${title}:\n${table(items)}`)
  }
  if (file !== undefined && "error" in file) rows.push(["file", oneLine(file.error, 400)])
  if (file !== undefined && !("error" in file)) {
    const torn = file.torn_bytes === 0 ? "" : `, ${plural(file.torn_bytes, "byte")} of a cut write`
    rows.push(["file", `${plural(file.lines, "line")}, ${plural(file.bytes, "byte")}${torn}`])
    rows.push(["format", file.format === undefined ? "the seed's" : String(file.format)])
  }
  if (receipts !== undefined) rows.push(["receipts", String(receipts)])
  if (held === true) rows.push(["queue", "held until the next run or resume"])
  if (file !== undefined && !("error" in file)) {
    list(
      "bad lines",
      file.bad_lines.map(({ byte, bytes, line, problem, seems }) => [
        `  line ${line + 1}`,
        `byte ${byte}`,
        plural(bytes, "byte"),
        `${problem}${seems === undefined ? "" : `; seems to be ${seems}`}`
      ])
    )
    list(
      "hidden lines",
      file.hidden.map(({ from, mark, op, to }) => [`  ${from + 1} to ${to}`, op, `mark on line ${mark + 1}`])
    )
    list("last runs", file.runs.map(runRow))
  }
  list(
    "inbox",
    (inbox_items ?? []).map(({ item_id, kind, mode, preview }) => [`  ${item_id}`, kind, mode, oneLine(preview, 80)])
  )
  list(
    "asked for",
    (open_approvals ?? []).map(({ approval_id, target, tool }) => [`  ${approval_id}`, tool, visibleLine(target, 120)])
  )
  list(
    "allowed until the session ends",
    (allowed ?? []).map(({ subject, tool }) => [`  ${tool}`, visibleLine(subject, 120)])
  )
  list("scope", [
    ...(scope?.allow ?? []).map((rule) => [`  ${rule.permission}`, rule.target, rule.recursive ? "" : "not below it"]),
    ...(scope?.deny ?? []).map((rule) => [
      `  deny ${rule.permission}`,
      rule.target,
      rule.recursive ? "" : "not below it"
    ])
  ])
  list(
    "segments of the session",
    segments.map((segment) => [
      `  ${segment.segment_id}`,
      plural(segment.bytes, "byte"),
      segment.active ? "active" : "",
      lineageText(segment)
    ])
  )
  list(
    "put aside",
    side_files.map(({ bytes, path }) => [`  ${path}`, plural(bytes, "byte")])
  )
  return table(rows) + lists.join("")
}

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const name = yield* Values.podName(positionals[0] ?? "")
    const machine = yield* Machine.make(env)
    const reported = yield* reportOf(machine, name)
    if (reported === undefined) return yield* Machine.unknownPod(machine, name)
    const { report } = reported
    const { segment_id, session_id } = report
    const known = {
      ...report,
      metadata: join(machine.directories.pods, name, "metadata.json"),
      ...(session_id === undefined || segment_id === undefined
        ? {}
        : { journal: machine.segmentPath(session_id, segment_id) })
    }
    const found = yield* details(machine, session_id, segment_id)
    yield* terminal.out(
      flags["json"] === true
        ? `${JSON.stringify({ ...known, ...ofSession(reported), ...found })}\n`
        : table(statusRows(known, reported)) + text(found)
    )
    return ExitCode.ok
  })
}
