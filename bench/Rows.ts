/** What is measured, and what is aimed at. */

export type Unit = "ms" | "MB" | "KiB" | "s" | "1/s" | "×"

/** A number of its own, or so much more than another of the same run: a machine's speed then matters less. */
export type Aim =
  | { readonly kind: "atMost"; readonly limit: number }
  | { readonly kind: "overFloor"; readonly more: number }
  /** Over the program's own time to be ready. */
  | { readonly kind: "overReady"; readonly more: number }

export interface Row {
  readonly title: string
  readonly unit: Unit
  /** Undefined: a part of the row above it. */
  readonly aim?: Aim
}

const atMost = (limit: number): Aim => ({ kind: "atMost", limit })

/** Milliseconds that the floor took to be ready where the aims were set, by Node's major version. */
export const referenceReady: Readonly<Record<string, number | undefined>> = { 20: 29, 26: 46 }

export const rows = {
  ready: { title: "spawn → ready", unit: "ms", aim: { kind: "overFloor", more: 30 } },
  "first-request": { title: "spawn → first model request", unit: "ms", aim: atMost(110) },
  "memory-idle": { title: "memory (PSS), idle", unit: "MB", aim: atMost(50) },
  "memory-idle-own": { title: "  not shared", unit: "MB" },
  "memory-turn": { title: "memory (PSS), after a turn", unit: "MB", aim: atMost(75) },
  "memory-turn-own": { title: "  not shared", unit: "MB" },
  turn: { title: "added per turn", unit: "ms", aim: atMost(4) },
  "turn-request": { title: "  input → model request", unit: "ms" },
  "turn-end": { title: "  last byte → run_end", unit: "ms" },
  bash: { title: "tool call Bash `true`, no sandbox", unit: "ms", aim: atMost(6.5) },
  "bash-fenced": { title: "  in the sandbox", unit: "ms" },
  read: { title: "tool call Read, total", unit: "ms", aim: atMost(3.5) },
  deltas: { title: "2,000 deltas → run_end", unit: "ms", aim: atMost(60) },
  "deltas-cpu": { title: "processor for 2,000 deltas", unit: "s", aim: atMost(0.12) },
  "cancel-client": { title: "cancel → run_end at the client", unit: "ms", aim: atMost(3.8) },
  "cancel-closed": { title: "cancel → connection closed", unit: "ms", aim: atMost(3) },
  restart: { title: "restart with 200 turns → ready", unit: "ms", aim: { kind: "overReady", more: 10 } },
  "restore-1500": { title: "restart with 1,500 entries → ready", unit: "ms", aim: { kind: "overReady", more: 25 } },
  "restore-long": { title: "restart with 100,000 entries, 200 MB", unit: "ms", aim: atMost(1_500) },
  "restore-long-peak": { title: "  memory (RSS) at most", unit: "MB", aim: atMost(250) },
  "attach-long": { title: "attach to it → whole snapshot", unit: "ms" },
  "attach-long-peak": { title: "  memory (RSS) at most", unit: "MB", aim: atMost(250) },
  "read-entries": { title: "100 entries in the middle of it", unit: "ms" },
  fork: { title: "fork of it → reply", unit: "ms", aim: atMost(50) },
  "fork-disk": { title: "  disk that it takes", unit: "KiB", aim: atMost(64) },
  "grep-tree": { title: "Grep over 50,000 files", unit: "ms" },
  "glob-tree": { title: "Glob over 50,000 files", unit: "ms" },
  "read-window": { title: "100 lines in the middle of 100 MB", unit: "ms" },
  append: { title: "notify → recorded, synced, reply", unit: "ms" },
  "decode-anthropic": { title: "deltas of Anthropic", unit: "1/s" },
  "decode-anthropic-cpu": { title: "  processor for 1,000", unit: "ms" },
  "decode-openai_chat": { title: "deltas of Chat Completions", unit: "1/s" },
  "decode-openai_chat-cpu": { title: "  processor for 1,000", unit: "ms" },
  "decode-openai_responses": { title: "deltas of Responses", unit: "1/s" },
  "decode-openai_responses-cpu": { title: "  processor for 1,000", unit: "ms" },
  "decode-gemini": { title: "deltas of Gemini", unit: "1/s" },
  "decode-gemini-cpu": { title: "  processor for 1,000", unit: "ms" },
  pods: { title: "100 pods, a turn each, at once", unit: "ms" },
  "pods-cpu": { title: "  processor", unit: "s" },
  "pods-memory": { title: "  memory for each", unit: "KiB" },
  "pods-spread": { title: "  the last one's time by the first's", unit: "×" }
} as const satisfies { readonly [key: string]: Row }

export type Key = keyof typeof rows

export const keys = Object.keys(rows) as ReadonlyArray<Key>

/** What one fresh process gave. A row that it cannot give (no Linux) is missing. */
export type Values = { readonly [K in Key]?: number }

export const rowOf = (key: Key): Row => rows[key]

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly values: ReadonlyArray<number>
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** Undefined when nothing was measured. */
export const spread = (values: ReadonlyArray<number>): Spread | undefined =>
  values.length === 0
    ? undefined
    : { median: median(values), min: Math.min(...values), max: Math.max(...values), values }
