/** A slice of `npm run crash`, and the proof that its checks can fail. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import * as Campaign from "../../crash/Campaign.ts"
import * as Checks from "../../crash/Checks.ts"
import * as Forks from "../../crash/Forks.ts"
import * as Journal from "../../crash/JournalFile.ts"
import { Told } from "../../crash/Told.ts"
import { message } from "../../src/protocol/Item.ts"
import { defaultConfig, type LogEntry } from "../../src/protocol/LogEntry.ts"
import { program } from "../support/cli.ts"

describe("npm run crash", () => {
  it("kills a pod again and again, and finds nothing", async () => {
    const report = await Campaign.run({ rounds: 14, seed: 20, program })
    expect(report.violations).toEqual([])
    expect(report.rounds).toBe(14)
    expect(report.restarts).toBeGreaterThanOrEqual(14)
    expect(report.accepted).toBeGreaterThan(0)
  }, 180_000)

  it("does not take a service that ends by itself for one that was killed", async () => {
    const directory = mkdtempSync(join(tmpdir(), "ep-"))
    const dying = join(directory, "dying.mjs")
    writeFileSync(
      dying,
      `import { existsSync } from "node:fs"
      setInterval(() => existsSync(process.env.EFFECT_POD_HOME + "/data/sessions") && process.exit(3), 5)
      process.argv[1] = ${JSON.stringify(program)}
      await import(${JSON.stringify(pathToFileURL(program).href)})`
    )
    try {
      // Its first life ends at an event that does not come before that.
      const { violations } = await Campaign.run({ rounds: 1, seed: 40, program: dying })
      expect(violations.map(({ claim }) => claim).join("\n")).toMatch(/the service ended by itself \(3\)/)
      for (const { kept } of violations) rmSync(join(kept, ".."), { recursive: true, force: true })
    } finally {
      rmSync(directory, { recursive: true })
    }
  }, 60_000)
})

const ts = 1_780_000_000_000
const run = { run_id: "r1", leg: 1 }
const usage = {
  llm_calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_write_input_tokens: 0
}
const text = (number: number) => `input ${number}; grüße ✓`

const opening: ReadonlyArray<LogEntry> = [
  { kind: "invoke", ts, trigger: "user_send", ...run },
  { kind: "user_input", ts, segments: [{ kind: "text", content: text(0) }], ...run },
  { kind: "extension", ts, domain: "pod.run", payload: { op: "start", ...run, kind: "run" } }
]
const call: LogEntry = {
  kind: "assistant_item",
  ts,
  item: { kind: "tool_call", call_id: "c1", name: "Bash", arguments: "{}" },
  ...run
}
const started: LogEntry = {
  kind: "extension",
  ts,
  domain: "pod.tool",
  payload: { op: "started", call_id: "c1", name: "Bash", run_id: "r1" }
}
const result: LogEntry = {
  kind: "tool_result",
  ts,
  item: { kind: "tool_result", call_id: "c1", summary: "done" },
  ...run
}
const end: LogEntry = {
  kind: "run_completed",
  ts,
  interrupted: false,
  result: "finished",
  outcome: { result: "finished", usage },
  ...run
}
const sound = [...opening, call, started, result, end]

const bytesOf = (entries: ReadonlyArray<LogEntry>, tail = "") =>
  new TextEncoder().encode(entries.map((entry) => `${JSON.stringify(entry)}\n`).join("") + tail)
const linesOf = (entries: ReadonlyArray<LogEntry>) => Journal.read(bytesOf(entries)).lines

/** A client that was told that its runs were accepted: as many as there are numbers. */
const toldOf = (count: number): Told => {
  const told = new Told()
  for (let n = 0; n < count; n++) Object.assign(told.run("queue", false), { outcome: "accepted", result: {} })
  return told
}

describe("the checks of the campaign", () => {
  const find = (
    entries: ReadonlyArray<LogEntry>,
    told: Told,
    effects: ReadonlyArray<string>
  ): ReadonlyArray<string> => {
    const lines = linesOf(entries)
    return [
      ...Checks.inputs(lines, told),
      ...Checks.order(lines, told),
      ...Checks.legs(lines, told.ends, false),
      ...Checks.tools(lines, told, effects, false)
    ]
  }
  const without = (entry: LogEntry) => sound.filter((one) => one !== entry)

  it("find nothing in a sound journal", () => {
    expect(find(sound, toldOf(1), ["c1"])).toEqual([])
  })

  it.each([
    ["an accepted input that is lost", () => find(sound, toldOf(2), ["c1"]), /input 1 .* is lost/],
    [
      "an input that is there twice",
      () => find([...sound, ...opening.slice(0, 2)], toldOf(1), ["c1"]),
      /is there 2 times/
    ],
    ["a leg without an end", () => find(without(end), toldOf(1), ["c1"]), /without an end: r1\/1/],
    ["a leg with two", () => find([...sound, end], toldOf(1), ["c1"]), /r1\/1 has 2 ends/],
    ["a command that ran twice", () => find(sound, toldOf(1), ["c1", "c1"]), /c1 ran twice/],
    ["a command that nobody recorded", () => find(without(started), toldOf(1), ["c1"]), /not recorded as started/],
    ["a result of what never ran", () => find(sound, toldOf(1), []), /said to have run, and has not/],
    ["a call without an answer", () => find(without(result), toldOf(1), ["c1"]), /without an answer: c1/],
    [
      "an end that clients were told and the file does not have",
      () => Checks.legs(linesOf(sound), new Map([["r1/1", ["failed"]]]), false),
      /told that leg r1\/1 ended as failed/
    ],
    [
      "inputs out of order",
      () => {
        const input = (number: number): LogEntry => ({
          kind: "user_input",
          ts,
          segments: [{ kind: "text", content: text(number) }]
        })
        return Checks.order(linesOf([input(1), input(0)]), toldOf(2))
      },
      /out of order: 1 0/
    ],
    ["a line that cannot be read", () => Journal.read(bytesOf(sound, "{nope}\n")).unreadable, /line 8/],
    [
      "a line of the past that was changed",
      () => Checks.growth(bytesOf(sound), bytesOf([end, ...sound])),
      /first \d+ bytes/
    ],
    [
      "a snapshot that is not the file",
      () =>
        Checks.snapshot(linesOf(sound), 0, {
          entries: [call],
          inbox: [],
          status: "idle"
        } as unknown as Parameters<typeof Checks.snapshot>[2]),
      /is no state of the file/
    ],
    [
      "a snapshot that is paused where the journal is not, and the other way round",
      () => {
        const paused: LogEntry = { ...end, outcome: { result: "paused", usage } } as LogEntry
        const found = (last: LogEntry, status: string) => {
          const lines = linesOf([...opening, last])
          const data = { entries: Journal.log(lines), inbox: [], status }
          return Checks.snapshot(lines, 0, data as unknown as Parameters<typeof Checks.snapshot>[2])
        }
        expect([...found(paused, "paused"), ...found(end, "idle")]).toEqual([])
        return [...found(end, "paused"), ...found(paused, "idle")]
      },
      /status paused\): .* is not paused\n.*status idle\): .* is paused/
    ],
    [
      "a fork with another past",
      () => {
        const past = (payload: object): ReadonlyArray<Journal.Line> =>
          linesOf([{ kind: "extension", ts, domain: "pod.base", payload } as LogEntry])
        const bytes = linesOf(sound)[1]!.end
        const first = (count: number): LogEntry => ({
          kind: "segment_start",
          ts,
          session_id: "s",
          system_prompt: null,
          config: defaultConfig,
          history: Array.from({ length: count }, (_, number) => message("user", text(number)))
        })
        const base = { segment: "s1", entries: 2, bytes }
        expect(Forks.past("fork", past(base), linesOf(sound), first(1))).toEqual([])
        return [
          ...Forks.past("fork", past(base), linesOf(sound), first(2)),
          ...Forks.past("fork", past({ ...base, entries: 1 }), linesOf(sound), first(1)),
          ...Forks.past("fork", past({ ...base, bytes: bytes + 1 }), linesOf(sound), first(1)),
          ...Forks.past("fork", [], linesOf(sound), first(1)),
          ...Forks.past("fork", past(base), linesOf(sound), call)
        ]
      },
      /inputs 0 1 as its past.*had 0\n.*counts 1 entries; there are 2\n.*no line.* ends\n.*does not say\b.*\n.*does not begin/
    ],
    [
      "a hole in the numbers",
      () =>
        Checks.numbers(
          [
            { event: "shutdown", seq: 4 },
            { event: "shutdown", seq: 6 }
          ],
          3
        ),
      /event 6 .* behind 4/
    ]
  ] as ReadonlyArray<readonly [string, () => ReadonlyArray<string>, RegExp]>)("find %s", (_, found, claim) => {
    expect(found().join("\n")).toMatch(claim)
  })
})
