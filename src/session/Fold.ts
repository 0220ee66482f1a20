/**
 * What a session *is*, computed from its entries one after the other. Restore and the live pod use the same `apply`,
 * so what a restart finds is what the pod had.
 *
 * The state is one mutable value with one owner, the journal; everybody else reads it. Control records (`pod.*`) are
 * always applied; entries that a mark hides are never given to `apply`.
 */
import type { LoggedItem, ToolCallItem } from "../protocol/Item.ts"
import { defaultConfig, type LogEntry, type Outcome, type RequestConfig, type RunUsage } from "../protocol/LogEntry.ts"
import { type InboxRecord, isControl, type MarkRecord, type Receipt } from "../protocol/PodRecord.ts"
import { isSessionLimit, noSpending, type Spending } from "../protocol/Spending.ts"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import type { Segment } from "../protocol/Segment.ts"
import type { RunKind, RunResult } from "../protocol/Status.ts"
import { Approvals } from "./Approvals.ts"
import * as Commands from "./Commands.ts"
import { decodeRecord } from "./DecodeEntry.ts"
import { itemsOf } from "./EntryItems.ts"
import { apartFromText, History, type LinePlace } from "./History.ts"
import { carried, newRun } from "./LiveRuns.ts"
import * as SeenFiles from "./SeenFiles.ts"
import * as Spent from "./Spent.ts"
import * as Tasks from "./Tasks.ts"

/** A tool call that has no result yet. */
export interface OpenCall {
  readonly call: ToolCallItem
  readonly turn: number | undefined
  /** It was journalled as started: it may have had an effect. */
  started: boolean
}

/** A run that has not ended for good: its current leg is open, or it is paused between two legs. */
export interface LiveRun {
  readonly runId: string
  readonly leg: number
  readonly kind: RunKind
  readonly state: "open" | "paused"
  /** Generations of this run so far, over all its legs. */
  readonly turns: number
  /** Times that hooks have sent the model back to work, over all legs. */
  readonly continued: number
  /** Legs that a start of the pod began by itself, since a person last had a say in this run. */
  readonly attempts: number
  /** It is paused because a crash cut it, not because somebody asked for it. */
  readonly cut: boolean
  /** What the current leg has used so far, as far as it is recorded. */
  readonly usage: RunUsage
  /** What its legs before that have spent. */
  readonly spent: Spending
  /** When the current leg began, and when it last did something that is recorded. Unix milliseconds. */
  readonly startedMs: number
  readonly seenMs: number
}

/**
 * What the last rewind hid, as long as nothing was said since: lines behind a mark, or the end of another segment of
 * which this one has taken the place.
 */
export type Rewound =
  | { readonly _tag: "Mark"; readonly mark: number; readonly entries: number }
  | {
      readonly _tag: "Segment"
      readonly segment: string
      readonly entries: number
      readonly bytes: number
      readonly turns: number
    }

/** Who or what cut a leg short. */
export type CutBy = "user" | "failure" | "crash"

export interface SessionState {
  sessionId: string | undefined
  systemPrompt: string | undefined
  config: RequestConfig
  scope: ScopeRules | undefined
  /** Version of `pod.format`; undefined for a file of the seed. */
  format: number | undefined
  readonly history: History
  /** By call id, in call order. */
  readonly openCalls: Map<string, OpenCall>
  /** Generations completed, over all runs. */
  turnCount: number
  run: LiveRun | undefined
  /** The last leg did not end well: the next new run closes what is open and says so to the model. */
  interrupted: boolean
  /** What cut the last leg, if it was. */
  cutBy: CutBy
  /** What is queued waits for a person: a run or a resumed leg did not end well, and none has begun since. */
  held: boolean
  /** By item id, in order of arrival. */
  readonly inbox: Map<string, InboxRecord>
  /** By key. */
  readonly receipts: Map<string, Receipt>
  readonly approvals: Approvals
  /** Prompt tokens of the last measured request. */
  lastInputTokens: number
  /** What legs that have ended have spent, also those that nothing in the log speaks of any more. */
  spent: Spending
  /** What the last measured request of the pod's own model began with. */
  prefix: { readonly messages: number; readonly hash: string } | undefined
  tasks: Tasks.Tasks
  /** What the model knows of files. */
  seen: SeenFiles.SeenFiles
  /** In the background, and not known to have ended. */
  commands: Commands.Commands
  /** Inputs that began a run, and that no hook was asked about, or not to the end; one that a crash cut is among them. */
  unasked: ReadonlyArray<ReadonlyArray<Segment>>
  rewound: Rewound | undefined
}

export const make = (): SessionState => ({
  sessionId: undefined,
  systemPrompt: undefined,
  config: defaultConfig,
  scope: undefined,
  format: undefined,
  history: new History(),
  openCalls: new Map(),
  turnCount: 0,
  run: undefined,
  interrupted: false,
  cutBy: "user",
  held: false,
  inbox: new Map(),
  receipts: new Map(),
  approvals: new Approvals(),
  lastInputTokens: 0,
  spent: noSpending,
  prefix: undefined,
  tasks: Tasks.none,
  seen: SeenFiles.none,
  commands: Commands.none,
  unasked: [],
  rewound: undefined
})

/**
 * `hidden` entries of the log are skipped; control records of the same range still count. `place` is where the entry
 * stands, for a replay: its items are then not kept in memory.
 */
export const apply = (state: SessionState, entry: LogEntry, place?: LinePlace): void => {
  if (state.rewound !== undefined && !isControl(entry)) state.rewound = undefined
  state.tasks = Tasks.apply(state.tasks, entry, state.turnCount)
  state.seen = SeenFiles.apply(state.seen, entry)
  state.commands = Commands.apply(state.commands, entry)
  switch (entry.kind) {
    case "segment_start":
      state.sessionId = entry.session_id
      state.systemPrompt = entry.system_prompt ?? undefined
      state.config = entry.config
      state.history.clear()
      state.prefix = undefined
      state.openCalls.clear()
      addItems(state, entry, undefined, place)
      return
    case "invoke":
      // A file of the seed has no `pod.run`: its invoke is the only trace of a run that was cut.
      if (entry.run_id === undefined) {
        state.run = { ...newRun(entry.ts), runId: "", leg: 1, kind: kindOfTrigger(entry.trigger) }
      }
      return
    case "user_input":
      if (state.run?.state !== "open") state.unasked = [...state.unasked, entry.segments]
      addItems(state, entry, undefined, place)
      return
    case "system_item":
      // Said once: a rewind may leave the note behind what was cut, with no run that it belongs to.
      if (entry.kind === "system_item" && entry.item.kind === "interrupt") state.interrupted = false
      addItems(state, entry, undefined, place)
      return
    case "assistant_item":
      addItems(state, entry, entry.turn, place)
      if (state.run !== undefined) state.run = { ...state.run, seenMs: entry.ts }
      // `turn_end` comes with the end of the leg only; a leg that was cut must not give its numbers away again.
      if (entry.turn !== undefined && entry.turn >= state.turnCount) {
        state.turnCount = entry.turn + 1
        if (state.run !== undefined) state.run = { ...state.run, turns: state.run.turns + 1 }
      }
      return
    case "tool_result":
      addItems(state, entry, entry.turn, place)
      return
    case "turn_end":
      state.turnCount = entry.turn_count
      return
    case "run_completed":
      Spent.endLeg(state, entry.outcome, entry.ts)
      endLeg(state, entry.outcome, entry.interrupted, entry.result === "yielded" ? undefined : entry.result)
      return
    case "run_errored":
      Spent.endLeg(state, entry.outcome, entry.ts)
      endLeg(state, entry.outcome, entry.interrupted, "failed")
      return
    case "config_changed":
      state.config = entry.config
      return
    case "llm_usage":
      state.lastInputTokens = entry.input_total_tokens
      if (entry.prefix !== undefined) state.prefix = entry.prefix
      Spent.addCall(state, entry)
      return
    case "extension":
      applyExtension(state, entry)
      return
  }
}

/** An input that is refused is taken back behind the record; where it could not be, hooks keep it from the model again. */
const leavesUnasked: ReadonlySet<string> = new Set(["failed", "cancel"])

const addItems = (
  state: SessionState,
  entry: LogEntry,
  turn: number | undefined,
  place: LinePlace | undefined
): void => {
  itemsOf(entry).forEach((item, index) => {
    if (place === undefined) state.history.push({ item, turn, ...apartFromText(entry) })
    else state.history.pushStored(place, index)
    follow(state, item, turn)
  })
}

const follow = (state: SessionState, item: LoggedItem, turn: number | undefined): void => {
  if (item.kind === "tool_call") state.openCalls.set(item.call_id, { call: item, turn, started: false })
  if (item.kind === "tool_result") state.openCalls.delete(item.call_id)
}

const endLeg = (
  state: SessionState,
  outcome: Outcome | undefined,
  interrupted: boolean,
  fallback: RunResult | undefined
): void => {
  const result = outcome?.result ?? fallback
  state.interrupted = interrupted
  state.cutBy =
    result === "interrupted" || outcome?.by_crash === true ? "crash" : result === "failed" ? "failure" : "user"
  if (result === "finished" || result === "limit_reached") state.unasked = []
  if (!flowsOn(result) || isSessionLimit(outcome?.limit)) state.held = true
  state.run =
    result === "paused" && state.run !== undefined
      ? { ...state.run, state: "paused", cut: outcome?.by_crash === true }
      : undefined
}

/** After these, what is queued flows on by itself; a paused run says nothing about it. */
export const flowsOn = (result: RunResult | undefined): boolean =>
  result === undefined || result === "finished" || result === "limit_reached" || result === "paused"

const kindOfTrigger = (trigger: string): RunKind => (trigger === "notify" || trigger === "pod_event" ? trigger : "run")

/** Something waits that starts by itself when it may; a quiet item waits for whatever comes next. */
export const flows = (inbox: ReadonlyMap<string, InboxRecord>, besides?: string): boolean => {
  for (const { item_id, mode } of inbox.values()) if (mode !== "quiet" && item_id !== besides) return true
  return false
}

const putInFront = (inbox: Map<string, InboxRecord>, item: InboxRecord): void => {
  const later = Array.from(inbox)
  inbox.clear()
  inbox.set(item.item_id, item)
  for (const [id, record] of later) inbox.set(id, record)
}

/** Unknown domains and malformed payloads are other programs' business: they stay in the file and change nothing here. */
const applyExtension = (state: SessionState, entry: Extract<LogEntry, { readonly kind: "extension" }>): void => {
  const record = decodeRecord(entry)
  if (record === undefined) return
  switch (record.domain) {
    case "pod.scope":
      state.scope = record.payload
      return
    case "pod.format":
      state.format = record.payload.version
      return
    case "pod.run": {
      const { attempt, kind, leg, released, run_id } = record.payload
      // A leg that a start began by itself is not the person that what is queued waits for.
      if (kind === "run" || (kind === "resume" && attempt === undefined) || released === true) state.held = false
      const { continued, spent, turns } = state.run?.runId === run_id ? state.run : newRun(entry.ts)
      state.run = { ...newRun(entry.ts), runId: run_id, leg, kind, turns, continued, spent, attempts: attempt ?? 0 }
      state.rewound = undefined
      return
    }
    case "pod.tool": {
      const open = state.openCalls.get(record.payload.call_id)
      if (open !== undefined) open.started = true
      if (state.run !== undefined) state.run = { ...state.run, seenMs: entry.ts }
      return
    }
    case "pod.inbox":
      if (record.payload.op !== "add") state.inbox.delete(record.payload.item_id)
      else if (record.payload.front === true) putInFront(state.inbox, record.payload.item)
      else {
        // What held the inbox is no concern of an item that came when nothing was held back any more.
        if (!flows(state.inbox)) state.held = false
        state.inbox.set(record.payload.item.item_id, record.payload.item)
      }
      return
    case "pod.receipt":
      state.receipts.set(record.payload.key, record.payload)
      return
    case "pod.carry":
      for (const receipt of record.payload.receipts) state.receipts.set(receipt.key, receipt)
      for (const item of record.payload.inbox) state.inbox.set(item.item_id, item)
      state.approvals.restate(record.payload.approvals, record.payload.allowed)
      if (record.payload.run !== undefined) state.run = carried(record.payload.run, entry.ts)
      if (record.payload.spent !== undefined) state.spent = record.payload.spent
      state.held = record.payload.held === true
      return
    case "pod.mark":
      if (record.payload.op === "rollback") Spent.endUndone(state, record.payload.outcome, entry.ts)
      applyMark(state, record.payload)
      return
    case "pod.base":
      // What the base holds was folded already. What waits in its inbox is this pod's only if it says so again.
      state.inbox.clear()
      state.receipts.clear()
      state.approvals.forget()
      if (state.run?.state === "open") {
        state.interrupted = true
        state.cutBy = "user"
      }
      state.run = undefined
      state.held = false
      state.spent = noSpending
      state.rewound = record.payload.rewound === undefined ? undefined : { _tag: "Segment", ...record.payload.rewound }
      return
    case "pod.hook":
      if (record.payload.point === "on_prompt_submit" && !leavesUnasked.has(record.payload.decision)) state.unasked = []
      if (record.payload.decision === "continue_with_messages" && state.run !== undefined) {
        state.run = { ...state.run, continued: state.run.continued + 1 }
      }
      return
    case "pod.approval":
      state.approvals.apply(record.payload)
      return
    case "pod.repair":
      return
  }
}

/** What the mark hides was skipped already. A leg that it hides has no other end; what is queued waits for a person. */
const applyMark = (state: SessionState, mark: MarkRecord): void => {
  if (mark.op === "undo") {
    state.rewound = undefined
    return
  }
  state.run = undefined
  state.held = true
  if (mark.op !== "rewind") return
  const { discarded_entries = 0, truncated_to_entries = 0 } = mark.summary ?? {}
  state.rewound = { _tag: "Mark", mark: mark.to, entries: truncated_to_entries + discarded_entries }
}

/** Takes over the whole of another state, in place: whoever holds this one sees the new one. */
export const become = (state: SessionState, other: Readonly<SessionState>): void => {
  const { approvals, history, inbox, openCalls, receipts, ...values } = other
  Object.assign(state, values)
  state.history.become(history)
  state.approvals.become(approvals)
  // The values of this one change in place.
  replaceAll(
    state.openCalls,
    Array.from(openCalls, ([id, open]) => [id, { ...open }] as const)
  )
  replaceAll(state.inbox, inbox)
  replaceAll(state.receipts, receipts)
}

/** As it is now; later changes do not reach it. */
export const copy = (other: Readonly<SessionState>): SessionState => {
  const state = make()
  become(state, other)
  return state
}

const replaceAll = <K, V>(map: Map<K, V>, other: Iterable<readonly [K, V]>): void => {
  const entries = Array.from(other)
  map.clear()
  for (const [key, value] of entries) map.set(key, value)
}

/** Takes over what a base has said, for a segment that goes on behind it; prompt, config and scope are its own. */
export const inherit = (state: SessionState, base: Readonly<SessionState>): void => {
  const { config, format, scope, sessionId, systemPrompt } = state
  become(state, { ...base, config, format, scope, sessionId, systemPrompt })
}
