/** How the crash campaign reads a session of several segments, and that it sees what is wrong between them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Checks from "../../crash/Checks.ts"
import * as Segments from "../../crash/Segments.ts"
import { Told } from "../../crash/Told.ts"
import { message } from "../../src/protocol/Item.ts"
import { defaultConfig, type LogEntry } from "../../src/protocol/LogEntry.ts"

const ts = 1_780_000_000_000
const [first, second, third] = [1, 2, 3].map((n) => `01990000-0000-7000-8000-00000000000${n}`) as [
  string,
  string,
  string
]
const text = (number: number) => `input ${number}; grüße ✓`
const record = (domain: string, payload: object): LogEntry => ({ kind: "extension", ts, domain, payload }) as LogEntry
const bytesOf = (entries: ReadonlyArray<LogEntry>) =>
  Buffer.byteLength(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""))

const start = (numbers: ReadonlyArray<number> = []): LogEntry => ({
  kind: "segment_start",
  ts,
  session_id: "s",
  system_prompt: null,
  config: defaultConfig,
  history: numbers.map((number) => message("user", text(number)))
})
const run = (number: number): ReadonlyArray<LogEntry> => {
  const id = { run_id: `r${number}`, leg: 1 }
  return [
    { kind: "invoke", ts, trigger: "user_send", ...id },
    { kind: "user_input", ts, segments: [{ kind: "text", content: text(number) }], ...id },
    record("pod.run", { op: "start", ...id, kind: "run" })
  ]
}
const usage = {
  llm_calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_write_input_tokens: 0
}
const end = (number: number): LogEntry => ({
  kind: "run_completed",
  ts,
  interrupted: false,
  result: "finished",
  outcome: { result: "finished", usage },
  run_id: `r${number}`,
  leg: 1
})
const item = (number: number) => ({
  item_id: `i${number}`,
  ts,
  kind: "run",
  mode: "queue",
  preview: text(number),
  run_id: `r${number}`,
  segments: [{ kind: "text", content: text(number) }]
})
const waits = (number: number) => record("pod.inbox", { op: "add", item: item(number) })
const takes = (number: number) => record("pod.inbox", { op: "take", item_id: `i${number}`, run_id: `r${number}` })
const byOthers = record(Segments.foreign, {})

/** Behind the entries of another segment, so many of which are in its log; says again what waits. */
const behind = (
  segment: string,
  under: ReadonlyArray<LogEntry>,
  inbox: ReadonlyArray<number>,
  more: object = {}
): ReadonlyArray<LogEntry> => [
  start(),
  record("pod.base", { segment, entries: 0, bytes: bytesOf(under), ...more }),
  record("pod.carry", { receipts: [], inbox: inbox.map(item), approvals: [] })
]
const rewinds = (segment: string, at: ReadonlyArray<LogEntry>) => ({
  rewound: { segment, entries: 0, bytes: bytesOf(at), turns: 0 },
  input: [],
  summary: { truncated_to_entries: 0, discarded_entries: 0, tool_side_effect_warning: false }
})

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ep-"))
})
afterEach(() => rmSync(directory, { recursive: true }))

const given = (segments: Readonly<Record<string, ReadonlyArray<LogEntry>>>, unnamed?: ReadonlySet<string>) => {
  for (const [name, entries] of Object.entries(segments)) {
    const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`)
    writeFileSync(join(directory, `${name}.jsonl`), lines.join(""))
  }
  return Segments.read(join(directory, `${Object.keys(segments).at(-1)}.jsonl`), unnamed)
}

/** Of a client whose runs were accepted, as many as there are numbers. */
const found = (past: Segments.Past, count: number): ReadonlyArray<string> => {
  const told = new Told()
  for (let n = 0; n < count; n++) Object.assign(told.run("queue", false), { outcome: "accepted", result: {} })
  return [
    ...past.claims,
    ...Checks.inputs(past.lines, told, past.hidden),
    ...Checks.order(past.lines, told),
    ...Checks.legs(past.lines, told.ends, false)
  ]
}

const one = [start(), ...run(0), waits(1)]
const two = [...behind(first, one, [1]), end(0), takes(1), ...run(1), end(1)]

describe("a session that goes on in another segment", () => {
  it("is one past: a run ends in the next segment, and what waited there is taken there", () => {
    expect(found(given({ [first]: [...one, byOthers], [second]: two }), 2)).toEqual([])
  })

  it.each([
    ["an item that is not said again", [[...behind(first, one, []), end(0)]], /input 1 .* is lost/],
    [
      "an item that is said again after it was taken",
      [
        [...behind(first, [...one, takes(1), ...run(1)], [1]), end(0), end(1)],
        [takes(1), ...run(1)]
      ],
      /input 1 .* is there 2 times/
    ],
    ["a run that was begun in both", [[...two, ...run(0), end(0)]], /input 0 .* 2 times.*\n.*r0\/1 was started twice/],
    ["an end that is lost on the way", [two.filter((entry) => entry !== two[3])], /without an end: r0\/1/]
  ] as ReadonlyArray<readonly [string, ReadonlyArray<ReadonlyArray<LogEntry>>, RegExp]>)(
    "does not hide %s",
    (_, [next = [], more = []], claim) => {
      expect(found(given({ [first]: [...one, ...more, byOthers], [second]: next }), 2).join("\n")).toMatch(claim)
    }
  )

  it("does not hide a segment that is gone", () => {
    expect(found(given({ [second]: two }), 2).join("\n")).toMatch(new RegExp(`segment ${first}.* is gone`))
  })

  it("has nothing from a segment that was made and never named, nor from behind what somebody else has written", () => {
    const unnamed = [...two, ...run(1), end(1)]
    const late = [...one, byOthers, end(0)]
    expect(found(given({ [first]: late, [second]: unnamed, [third]: two }, new Set([second])), 2)).toEqual([])
    expect(found(given({ [first]: late, [second]: unnamed, [third]: two }), 2)).not.toEqual([])
  })

  it("has again what a rewind had hidden that was undone in another segment", () => {
    const whole = [start(), ...run(0), end(0)]
    const mark = record("pod.mark", { op: "rewind", from: 1, to: 5, input: [], summary: rewinds(first, []).summary })
    const left = { rewound: rewinds(first, whole).rewound }
    const moved = behind(first, [...whole, mark], [], left)
    const undone = [...behind(first, whole, []), ...run(1), end(1)]
    const past = given({ [first]: [...whole, mark, byOthers], [second]: moved, [third]: undone })
    expect(found(past, 2)).toEqual([])
    expect(past.hidden.some(({ from }) => from === 1)).toBe(false)
  })

  it("may be taken back to an earlier one: what is left out was taken back, and has run", () => {
    const before = [start()]
    const whole = [start(), ...run(0), end(0)]
    const later = [...behind(first, whole, []), ...run(1), end(1)]
    const back = behind(first, before, [], rewinds(second, later))
    const past = given({ [first]: [...whole, byOthers], [second]: later, [third]: back })
    expect(found(past, 2)).toEqual([])
    const snapshot = (history: ReadonlyArray<number>) =>
      Checks.snapshot(
        past.own.lines,
        0,
        { entries: [start(history)], inbox: [], status: "idle" } as unknown as Parameters<typeof Checks.snapshot>[2],
        past.lines.slice(0, past.from),
        past.hidden
      )
    expect(snapshot([])).toEqual([])
    expect(snapshot([0]).join("\n")).toMatch(/begins behind the inputs 0; its segments have/)
  })
})
