/**
 * The claims about a journal, each of them held against what the client was told, what the tools have left and what the
 * socket says. A claim that does not hold is a line of text.
 */
import type { LogEntry } from "../src/protocol/LogEntry.ts"
import type { NativeLine } from "../test/support/e2eClient.ts"
import * as Journal from "./JournalFile.ts"
import type { Input, Told } from "./Told.ts"

type Found = ReadonlyArray<string>

const unless = (holds: boolean, claim: () => string): Found => (holds ? [] : [claim()])

const repeated = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values.filter((value, at) => values.indexOf(value) !== at)

const ascending = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((number, at) => at === 0 || number > (numbers[at - 1] as number))

/** Where an input stands: in the log, in the inbox, or in lines that a mark hides. */
interface Whereabouts {
  readonly visible: number
  readonly waiting: number
  /** A rewind hides it, or the run that it began was rolled back. */
  readonly takenBack: boolean
  readonly anywhere: boolean
}

const whereabouts = (
  lines: ReadonlyArray<Journal.Line>,
  ranges: ReadonlyArray<Journal.Hidden>
): ((input: Input) => Whereabouts) => {
  const waiting = Journal.inbox(lines).map(Journal.numberOfItem)
  const places = lines.flatMap(({ entry }, line) => {
    const number = Journal.delivered(entry)
    // What a run begins with stands behind its invoke; what joins it later does not.
    return number === undefined ? [] : [{ number, line, begins: lines[line - 1]?.entry.kind === "invoke" }]
  })
  return ({ number }) => {
    const own = places.filter((place) => place.number === number)
    const hidden = own.filter(({ line }) => Journal.isHidden(ranges, line))
    return {
      visible: own.length - hidden.length,
      waiting: waiting.filter((one) => one === number).length,
      takenBack: hidden.some(({ begins, line }) =>
        ranges.some(({ from, rolledBack, to }) => line >= from && line < to && (begins || rolledBack === undefined))
      ),
      anywhere: own.length > 0 || waiting.includes(number)
    }
  }
}

/** Every input that was accepted is there once; one that was refused is not; the rest are there once or not at all. */
export const inputs = (
  lines: ReadonlyArray<Journal.Line>,
  told: Told,
  hidden: ReadonlyArray<Journal.Hidden> = Journal.hiddenRanges(lines)
): Found => {
  const find = whereabouts(lines, hidden)
  return told.inputs.flatMap((input) => {
    const { anywhere, takenBack, visible, waiting } = find(input)
    const count = visible + waiting
    const what = `input ${input.number} (${input.method}, ${input.outcome})`
    if (count > 1) return [`${what} is there ${count} times: ${visible} in the log, ${waiting} in the inbox`]
    if (input.outcome === "refused") return unless(!anywhere, () => `${what} was refused and is there`)
    if (input.outcome === "unknown" || count === 1 || takenBack) return []
    const item = input.result?.["item_id"]
    return unless(typeof item === "string" && told.removed.has(item), () => `${what} is lost`)
  })
}

/** Inputs were accepted in the order in which they were sent, and what waits in one queue is delivered in that order. */
export const order = (lines: ReadonlyArray<Journal.Line>, told: Told): Found => {
  const isKnown = (number: number) => told.inputs[number]?.sentAgain === false
  const first = new Set<number>()
  const kept = new Map<string, { readonly mode: string; readonly number: number }>()
  const taken = { queue: [] as Array<number>, notify: [] as Array<number> }
  const ranges = Journal.hiddenRanges(lines)
  lines.forEach(({ entry, record }, at) => {
    const number = Journal.delivered(entry)
    if (number !== undefined && isKnown(number)) first.add(number)
    if (record?.domain !== "pod.inbox") return
    if (record.payload.op === "add") {
      const waiting = Journal.numberOfItem(record.payload.item)
      if (waiting === undefined || !isKnown(waiting)) return
      first.add(waiting)
      const { kind, mode } = record.payload.item
      kept.set(record.payload.item.item_id, { mode: kind === "notify" ? "notify" : mode, number: waiting })
    }
    if (record.payload.op !== "take" || Journal.isHidden(ranges, at)) return
    const item = kept.get(record.payload.item_id)
    if (item?.mode === "queue" || item?.mode === "notify") taken[item.mode].push(item.number)
  })
  return [
    ...unless(ascending([...first]), () => `inputs were recorded out of order: ${[...first].join(" ")}`),
    ...unless(ascending(taken.queue), () => `queued runs began out of order: ${taken.queue.join(" ")}`),
    ...unless(ascending(taken.notify), () => `notifications were delivered out of order: ${taken.notify.join(" ")}`)
  ]
}

/** The ends of each leg, by `run_id/leg`, in the order of the file. */
const endsOf = (lines: ReadonlyArray<Journal.Line>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const ends = new Map<string, Array<string>>()
  const add = (leg: string, result: string) => ends.set(leg, [...(ends.get(leg) ?? []), result])
  for (const { entry, record } of lines) {
    if (entry.kind === "run_completed" || entry.kind === "run_errored") {
      add(`${entry.run_id}/${entry.leg}`, entry.outcome?.result ?? "none")
    }
    if (record?.domain === "pod.mark" && record.payload.op === "rollback") {
      add(`${record.payload.run_id}/${record.payload.leg}`, "rolled_back")
    }
  }
  return ends
}

const isOneEnd = (ends: ReadonlyArray<string>): boolean =>
  ends.length === 1 || (ends.length === 2 && ends[0] === "paused" && ends[1] === "abandoned")

/** Each leg has one terminal record; only the last may have none, and only while it runs. */
export const legs = (lines: ReadonlyArray<Journal.Line>, told: Told["ends"], isRunning: boolean): Found => {
  const started = lines.flatMap(({ record }) =>
    record?.domain === "pod.run" ? [`${record.payload.run_id}/${record.payload.leg}`] : []
  )
  const ends = endsOf(lines)
  const open = started.filter((leg) => !ends.has(leg))
  return [
    ...repeated(started).map((leg) => `leg ${leg} was started twice`),
    ...[...ends].flatMap(([leg, results]) => [
      ...unless(started.includes(leg), () => `leg ${leg} ended and was never started`),
      ...unless(isOneEnd(results), () => `leg ${leg} has ${results.length} ends: ${results.join(", ")}`)
    ]),
    ...unless(
      open.length === 0 || (isRunning && open.length === 1 && open[0] === started.at(-1)),
      () => `legs without an end: ${open.join(", ")}${isRunning ? "; one runs" : "; none runs"}`
    ),
    ...[...told].flatMap(([leg, results]) =>
      unless(
        results.every((result) => ends.get(leg)?.includes(result)),
        () => `clients were told that leg ${leg} ended as ${results.join(", ")}; the journal: ${ends.get(leg) ?? "no"}`
      )
    )
  ]
}

const toolCall = (entry: LogEntry): string | undefined =>
  entry.kind === "assistant_item" && entry.item.kind === "tool_call" ? entry.item.call_id : undefined

/** No tool ran twice, none ran without a record that it was started, and what ran to its end has its result. */
export const tools = (
  lines: ReadonlyArray<Journal.Line>,
  told: Told,
  effects: ReadonlyArray<string>,
  isOpen: boolean,
  hidden: ReadonlyArray<Journal.Hidden> = Journal.hiddenRanges(lines)
): Found => {
  const started = lines.flatMap(({ record }) => (record?.domain === "pod.tool" ? [record.payload.call_id] : []))
  const calls = lines.flatMap(({ entry }) => toolCall(entry) ?? [])
  const results = lines.flatMap(({ entry }) => (entry.kind === "tool_result" ? [entry.item] : []))
  const answered = new Set(results.map(({ call_id }) => call_id))
  const unanswered = calls.filter((id) => !answered.has(id))
  // A run that takes the place of another answers its calls; is it rolled back, its answers go with it.
  const shown = Journal.log(lines, lines.length, hidden).flatMap((entry) =>
    entry.kind === "tool_result" ? [entry.item.call_id] : []
  )
  return [
    ...repeated(effects).map((id) => `the command of ${id} ran twice`),
    ...repeated(started).map((id) => `${id} was started twice`),
    ...repeated(shown).map((id) => `${id} was answered twice`),
    ...effects.filter((id) => !started.includes(id)).map((id) => `${id} ran and was not recorded as started`),
    ...[...answered].filter((id) => !calls.includes(id)).map((id) => `${id} was answered and never asked for`),
    ...results.flatMap(({ call_id, is_error }) =>
      unless(is_error === true || effects.includes(call_id), () => `${call_id} is said to have run, and has not`)
    ),
    ...unless(unanswered.length === 0 || isOpen, () => `calls without an answer: ${unanswered.join(", ")}`),
    ...[...told.started]
      .filter((id) => !started.includes(id))
      .map((id) => `clients saw ${id} start; no record says so`),
    ...[...told.results].filter((id) => !answered.has(id)).map((id) => `clients saw the result of ${id}; it is lost`)
  ]
}

/** The last leg that was started has ended as paused, and nothing has come of its run since. */
const isPaused = (lines: ReadonlyArray<Journal.Line>): boolean => {
  const last = lines.findLast(({ record }) => record?.domain === "pod.run")?.record
  if (last?.domain !== "pod.run") return false
  return endsOf(lines).get(`${last.payload.run_id}/${last.payload.leg}`)?.at(-1) === "paused"
}

type Snapshot = Extract<NativeLine, { readonly event: "snapshot" }>["data"]

/** What the first entry stands for is told on the wire, and not written. */
const asWritten = (entries: Snapshot["entries"]): Snapshot["entries"] =>
  entries.map((entry, at) => (at === 0 && entry.kind === "segment_start" ? { ...entry, history: [] } : entry))

/**
 * The snapshot is what the first lines of the file say, up to some batch that is not older than the start; its first
 * entry stands for what the segments say that it goes on behind. `earlier` are their lines.
 */
export const snapshot = (
  lines: ReadonlyArray<Journal.Line>,
  from: number,
  data: Snapshot,
  earlier: ReadonlyArray<Journal.Line> = [],
  hidden: ReadonlyArray<Journal.Hidden> = []
): Found => {
  const behind = Journal.log(earlier, earlier.length, hidden).flatMap((entry) => Journal.delivered(entry) ?? [])
  const stands = Journal.inherited(data.entries[0]).join(" ")
  if (stands !== behind.join(" ")) {
    return [`the snapshot begins behind the inputs ${stands}; its segments have ${behind.join(" ")}`]
  }
  const shown = JSON.stringify(asWritten(data.entries))
  const waits = JSON.stringify(data.inbox?.map(({ item_id }) => item_id))
  for (let count = lines.length; count >= 0; count--) {
    const line = lines[count - 1]
    if (line !== undefined && (line.entry.more ?? 0) > 0) continue
    if ((line?.end ?? 0) < from) break
    if (JSON.stringify(Journal.log(lines, count)) !== shown) continue
    if (JSON.stringify(Journal.inbox(lines, count).map(({ item_id }) => item_id)) !== waits) continue
    const known = [...earlier, ...lines.slice(0, count)]
    return [
      ...legs(known, new Map(), data.status === "running"),
      ...unless(
        (data.status === "paused") === isPaused(known),
        () => `the journal says that the last run is ${isPaused(known) ? "" : "not "}paused`
      )
    ].map((claim) => `in the snapshot (status ${data.status}): ${claim}`)
  }
  return [`the snapshot (${data.entries.length} entries, ${data.inbox?.length} waiting) is no state of the file`]
}

/** Numbers of broadcast events have no hole. `from` is the number at which the connection was attached. */
export const numbers = (seen: ReadonlyArray<NativeLine>, from: number): Found => {
  let last = from
  for (const line of seen) {
    // A welcome and a snapshot say where they stand, too, but in their data.
    if (!("seq" in line) || line.seq === undefined) continue
    const { seq } = line
    if (seq !== last + 1) return [`event ${seq} (${line.event}) came behind ${last}`]
    last = seq
  }
  return []
}

/** A journal only grows: every batch that was whole stands where it stood. */
export const growth = (before: Uint8Array, after: Uint8Array): Found => {
  const { whole } = Journal.read(before)
  return unless(
    Buffer.compare(before.subarray(0, whole), after.subarray(0, whole)) === 0,
    () => `the first ${whole} bytes of the file are not what they were before the kill`
  )
}
