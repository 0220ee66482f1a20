/**
 * A pod as plain data: what it would be if nothing could go wrong between what it decides and what it keeps.
 *
 * The specification in another form. It shares no code with the program; what a client can see of it is in `Seen.ts`,
 * what the commands do to it in `Step.ts`. Every value is immutable, so that the past of a pod is a list of pods.
 */

/** An id that the pod makes: `§` and a name. What it is in truth is learned when it is first seen. */
export type Name = string

export type Cause = "user" | "failure" | "crash"
export type Result = "finished" | "paused" | "cancelled" | "failed" | "interrupted" | "abandoned"

/** How a call was answered: by its tool, or by the pod because it was stopped, cut while it ran, never run, or lost. */
export type HowAnswered = "ok" | "stopped" | "cut" | "not run" | "unknown"

/** An entry of the log. */
export type Entry =
  | { readonly is: "start" }
  | { readonly is: "scope" }
  | { readonly is: "foreign" }
  | { readonly is: "invoke"; readonly by: "user_send" | "notify" }
  | { readonly is: "input"; readonly text: string; readonly run: Name }
  | { readonly is: "note"; readonly text: string }
  | { readonly is: "interrupt"; readonly by: Cause }
  | { readonly is: "said"; readonly text: string }
  | { readonly is: "call"; readonly id: string }
  | { readonly is: "usage" }
  | { readonly is: "result"; readonly id: string; readonly how: HowAnswered }
  | { readonly is: "turn end" }
  | { readonly is: "end"; readonly run: Name; readonly leg: number; readonly result: Result; readonly crash: boolean }

export interface Segment {
  readonly name: Name
  readonly entries: ReadonlyArray<Entry>
  /** It was forked off in the middle of a run, which does not go on here. */
  readonly cutsRun: boolean
}

export interface Item {
  readonly id: Name
  readonly kind: "run" | "notify"
  readonly mode: "queue" | "steer" | "wake" | "quiet"
  readonly run?: Name
  readonly text: string
  readonly key?: string
}

export interface Receipt {
  readonly payload: string
  readonly result: Readonly<Record<string, unknown>>
  readonly epoch: number
}

export interface Run {
  readonly id: Name
  readonly leg: number
  readonly state: "preparing" | "asking" | "tool" | "paused"
  /** Some of the answer is out. */
  readonly part: boolean
  /** The model or a tool has produced something: it cannot be undone any more. */
  readonly produced: boolean
  /** What was true before it; undefined if there is nothing to undo it to. */
  readonly before: { readonly segment: Name; readonly entries: ReadonlyArray<Entry> } | undefined
  /** What this leg has taken from the inbox. */
  readonly taken: ReadonlyArray<Item>
  /** A crash has paused it. */
  readonly byCrash: boolean
  /** Legs that starts of the pod have begun since a person had a say. */
  readonly attempts: number
}

/** What the last rewind took away: the end of the segment, or the segments that another one has taken the place of. */
export type Undo =
  | { readonly is: "entries"; readonly entries: ReadonlyArray<Entry> }
  | { readonly is: "chain"; readonly chain: ReadonlyArray<Segment> }

export interface Pod {
  readonly policy: "idle" | "paused" | "resume"
  readonly name: string
  /** The segment that is written, and those that it goes on behind, nearest first. */
  readonly chain: ReadonlyArray<Segment>
  /** Entries behind ours that somebody else has written, and whether a piece of one stands at the very end. */
  readonly foreign: number
  readonly torn: boolean
  readonly inbox: ReadonlyArray<Item>
  readonly receipts: Readonly<Record<string, Receipt>>
  readonly run: Run | undefined
  /** The inbox waits for a person. */
  readonly held: boolean
  readonly undo: Undo | undefined
  /** Calls that have begun. */
  readonly begun: ReadonlyArray<string>
  readonly epoch: number
  /** Ids made so far. */
  readonly made: number
  readonly calls: number
  readonly pods: ReadonlyArray<string>
}

export const fresh = (policy: Pod["policy"]): Pod => ({
  policy,
  name: "bench",
  chain: [],
  foreign: 0,
  torn: false,
  inbox: [],
  receipts: {},
  run: undefined,
  held: false,
  undo: undefined,
  begun: [],
  epoch: 1,
  made: 0,
  calls: 0,
  pods: ["bench"]
})

/** The conversation's entries, oldest first. */
export const story = (pod: Pod): ReadonlyArray<Entry> => pod.chain.toReversed().flatMap(({ entries }) => entries)

/** Calls that have no answer. */
export const openCalls = (pod: Pod): ReadonlyArray<string> => {
  const entries = story(pod)
  const answered = new Set(entries.flatMap((entry) => (entry.is === "result" ? [entry.id] : [])))
  return entries.flatMap((entry) => (entry.is === "call" && !answered.has(entry.id) ? [entry.id] : []))
}

/** What waits and belongs into the next request of the run. */
export const joining = ({ inbox, run }: Pod): ReadonlyArray<Item> =>
  inbox.filter((item) => (item.mode === "steer" ? item.run === run?.id : item.mode !== "queue"))

/** The model has the last word in the conversation: there is nothing to ask it. */
export const isAnswered = (pod: Pod): boolean => story(pod).findLast(({ is }) => conversation.has(is))?.is === "said"

const conversation: ReadonlySet<Entry["is"]> = new Set(["input", "note", "interrupt", "said", "call", "result"])

/** What cut the last run short, if something did and it was not said yet. */
export const cutBy = (pod: Pod): Cause | undefined => {
  for (const { cutsRun, entries } of pod.chain) {
    const end = entries.findLast((entry) => entry.is === "end" || entry.is === "interrupt")
    if (end?.is === "interrupt") return undefined
    if (end !== undefined) {
      if (end.result === "finished") return undefined
      return end.result === "failed" ? "failure" : end.crash ? "crash" : "user"
    }
    if (cutsRun) return "user"
  }
  return undefined
}

export const phase = ({ run }: Pod): "idle" | "running" | "paused" =>
  run === undefined ? "idle" : run.state === "paused" ? "paused" : "running"
