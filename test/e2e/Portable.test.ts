import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { defaultConfig as config } from "../../src/protocol/LogEntry.ts"
import { strictSeedEntry } from "../protocol/strictSeedReader.ts"
import { type Ended, makePlace, type Place, run, serve, start } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

type Entry = Readonly<Record<string, unknown>>
const json = ({ stdout }: Ended) => JSON.parse(stdout) as Entry
const entriesOf = (text: string) =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry)
const logOf = async (name: string) => entriesOf((await run(place, ["log", name, "--json"])).stdout)
const file = (name: string) => join(place.cwd, name)
const hang = { wait: "10 minutes" }

/** Without what an import may change: the place in a batch, and the session. */
const bare = (entries: ReadonlyArray<Entry>) =>
  entries.map((entry) => ({ ...entry, more: undefined, session_id: undefined }))

const decodeSeed = Schema.decodeUnknownSync(strictSeedEntry)

const talk = async () => {
  const manifest = scriptedManifest(place.cwd, [
    [
      { thinking: "hm", signature: "s" },
      { tool: "Bash", id: "c1", args: { command: `echo ${secret.MY_TOKEN}` } }
    ],
    [{ text: "done" }, { usage: { input: 10, output: 5 } }]
  ])
  const ended = await run(place, ["run", "--manifest", manifest, "look at sk-abcdefghijklmnopqrstuv"], { env: secret })
  assert.strictEqual(ended.code, 0, ended.stderr)
  return manifest
}
const secret = { MY_TOKEN: "very-secret-value" }

describe("export and import", () => {
  it("brings the whole log over, to a pod of its own that goes on from it", async () => {
    await talk()
    const before = readdirSync(place.home, { recursive: true }).toSorted()
    const exported = await run(place, ["export", "scripted", "copy.jsonl"])
    assert.strictEqual(exported.code, 0, exported.stderr)
    assert.match(exported.stderr, /^exported \d+ entries of scripted to .*copy\.jsonl; \d+ secrets? redacted\n$/)
    assert.strictEqual(statSync(file("copy.jsonl")).mode & 0o777, 0o600)
    assert.deepStrictEqual(readdirSync(place.home, { recursive: true }).toSorted(), before)
    const log = await logOf("scripted")
    const [header, ...entries] = entriesOf(readFileSync(file("copy.jsonl"), "utf8"))
    assert.deepInclude(header, {
      export: "effect-pod",
      version: 1,
      format: "native",
      name: "scripted",
      log_format: 1,
      entries: log.length,
      cwd: place.cwd
    })
    assert.isFalse(entries.some((entry) => "more" in entry || String(entry["domain"]).startsWith("pod.run")))
    assert.strictEqual((await run(place, ["export", "scripted"])).stdout.split("\n").length, entries.length + 2)

    const taken = await run(place, ["import", "copy.jsonl"])
    assert.strictEqual(taken.code, 1)
    assert.match(taken.stderr, /there is a pod scripted already[^]*--pod/)
    const imported = await run(place, ["import", "copy.jsonl", "--pod", "copy", "--json"])
    assert.strictEqual(imported.code, 0, imported.stderr)
    assert.match(imported.stderr, /scope/)
    const status = json(await run(place, ["status", "copy", "--json"]))
    assert.deepInclude(status, { state: "restorable", entries: log.length, cwd: place.cwd })
    assert.strictEqual(json(imported)["journal"], status["journal"])
    assert.strictEqual(statSync(String(status["journal"])).mode & 0o777, 0o600)
    assert.deepStrictEqual(bare(await logOf("copy")), bare(entries))
    const [first] = await logOf("copy")
    assert.strictEqual(first?.["session_id"], status["session_id"])

    const next = scriptedManifest(place.cwd, [[{ text: "went on" }]], "", "copy")
    const going = await run(place, ["run", "--manifest", next, "and now?"])
    assert.strictEqual(going.stdout, "went on\n", going.stderr)
    assert.strictEqual((await logOf("scripted")).length, log.length)
    assert.isAbove((await logOf("copy")).length, log.length)
  })

  it("takes secrets out of every string and says how many", async () => {
    await talk()
    for (const format of ["native", "seed"]) {
      const { stderr, stdout } = await run(place, ["export", "scripted", "--format", format], { env: secret })
      assert.notInclude(stdout, "sk-abcdefghijklmnopqrstuv")
      assert.notInclude(stdout, secret.MY_TOKEN)
      assert.include(stdout, "look at [redacted]")
      const count = Number(/(\d+) secrets? redacted/.exec(stderr)?.[1])
      assert.strictEqual(count, stdout.split("[redacted]").length - 1)
    }
    // The log itself is what it was.
    assert.include((await run(place, ["log", "scripted", "--json"])).stdout, secret.MY_TOKEN)
  })

  it("--format seed is a segment that a strict reader of the seed takes, and comes back", async () => {
    await talk()
    assert.strictEqual((await run(place, ["export", "scripted", "seed.jsonl", "--format", "seed"])).code, 0)
    const entries = entriesOf(readFileSync(file("seed.jsonl"), "utf8"))
    for (const entry of entries) decodeSeed(entry)
    assert.strictEqual(entries[0]?.["kind"], "segment_start")
    assert.deepInclude(entries[1], { kind: "extension", domain: "pod.scope" })
    for (const key of ["run_id", "leg", "turn", "block", "outcome", "more", "duration_ms"]) {
      assert.isFalse(
        entries.some((entry) => key in entry),
        key
      )
    }
    assert.strictEqual((await run(place, ["import", "seed.jsonl"])).code, 2)
    assert.strictEqual((await run(place, ["import", "seed.jsonl", "--pod", "back"])).code, 0)
    assert.deepStrictEqual(bare(await logOf("back")), bare(entries))
    const next = scriptedManifest(place.cwd, [[{ text: "went on" }]], "", "back")
    assert.strictEqual((await run(place, ["run", "--manifest", next, "and now?"])).stdout, "went on\n")
  })

  it("exports a pod that is running, and the copy has an end for the run that had none", async () => {
    const tool = { tool: "Bash", id: "c1", args: { command: "sleep 600" } }
    const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[tool]])])
    const turn = start(place, ["run", "--json", "--pod", "scripted", "go"])
    await turn.waitFor("stdout", /tool_started/)
    assert.strictEqual((await run(place, ["export", "scripted", "live.jsonl"])).code, 0)
    const imported = await run(place, ["import", "live.jsonl", "--pod", "copy"])
    assert.match(imported.stderr, /closed as interrupted/)
    await pod.kill("SIGTERM")
    const entries = await logOf("copy")
    assert.deepInclude(entries.at(-1), { kind: "run_errored", interrupted: true })
    assert.match(JSON.stringify(entries.find(({ kind }) => kind === "tool_result")), /Outcome unknown/)
    assert.strictEqual(entries.filter(({ kind }) => kind === "run_errored" || kind === "run_completed").length, 1)

    const kept = await serve(place, ["--pod", "gone", "--ephemeral"])
    await run(place, ["run", "--pod", "gone", "hello"])
    assert.match((await run(place, ["export", "gone"])).stdout, /"name":"gone"[^]*hello/)
    await kept.kill("SIGTERM")
  })

  it("takes a segment file as it lies on disk, marks and all", async () => {
    const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[{ text: "one" }], [hang]])])
    await run(place, ["run", "--pod", "scripted", "first"])
    const log = start(place, ["log", "scripted", "--follow", "--json"])
    const undone = start(place, ["run", "--pod", "scripted", "regretted"])
    await log.waitFor("stdout", /regretted/)
    undone.child.kill("SIGINT")
    await undone.ended
    await pod.kill("SIGTERM")
    const { journal } = json(await run(place, ["status", "scripted", "--json"]))
    const imported = await run(place, ["import", String(journal), "--pod", "copy"])
    assert.strictEqual(imported.code, 0, imported.stderr)
    assert.deepStrictEqual(bare(await logOf("copy")), bare(await logOf("scripted")))
    assert.notInclude((await run(place, ["log", "copy"])).stdout, "regretted")
  })

  it("does not count as done when its reader leaves before the end", async () => {
    const input = (n: number) => ({ kind: "user_input", ts: 1, segments: [{ kind: "text", content: `${n} ${bulk}` }] })
    const bulk = "x".repeat(4_000)
    const opening = { kind: "segment_start", ts: 1, session_id: "s", system_prompt: null, config, history: [] }
    const entries: ReadonlyArray<object> = [opening, ...Array.from({ length: 700 }, (_, n) => input(n))]
    writeFileSync(file("past.jsonl"), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""))
    assert.strictEqual((await run(place, ["import", "past.jsonl", "--pod", "p"])).code, 0)
    const exporting = start(place, ["export", "p"])
    await exporting.waitFor("stdout", /./)
    exporting.child.stdout.destroy()
    const { code, stderr } = await exporting.ended
    assert.deepStrictEqual([code, /exported/.test(stderr)], [1, false])
    assert.match(stderr, /stdout was closed before all of the log was written/)
  })

  it("refuses a bad file with its line, and leaves nothing behind", async () => {
    await talk()
    await run(place, ["export", "scripted", "good.jsonl"])
    const lines = readFileSync(file("good.jsonl"), "utf8").split("\n").slice(0, -1)
    const sessions = readdirSync(join(place.home, "data", "sessions"))
    const header = (fields: object) => JSON.stringify({ ...(JSON.parse(lines[0]!) as object), ...fields })
    const cases: ReadonlyArray<readonly [string, string, RegExp]> = [
      ["not JSON", [...lines.slice(0, 3), "{bad}", ...lines.slice(4)].join("\n"), /line 4: not JSON/],
      ["unknown", [...lines.slice(0, 2), '{"kind":"odd","ts":1}', ...lines.slice(3)].join("\n"), /line 3: .*kind odd/],
      [
        "bad record",
        [...lines.slice(0, 3), '{"kind":"extension","domain":"pod.inbox","payload":{"op":"add"},"ts":1}'].join("\n"),
        /line 4: not a record .*pod\.inbox/
      ],
      ["cut at a line", lines.slice(0, -2).join("\n"), /the file was cut/],
      ["newer", [header({ version: 2 }), ...lines.slice(1)].join("\n"), /line 1: .*newer/],
      ["newer log", [header({ log_format: 2 }), ...lines.slice(1)].join("\n"), /line 1: .*newer/],
      ["header only", lines[0]!, /has 0 of \d+ entries/],
      ["no start", lines.slice(2).join("\n"), /line 1: it is no segment_start/],
      ["something else", "# Notes\n", /line 1: not JSON/],
      ["empty", "", /no entry/]
    ]
    execFileSync("mkfifo", [file("pipe")])
    for (const name of ["pipe", "."]) {
      const ended = await run(place, ["import", name, "--pod", "copy"])
      assert.strictEqual(ended.code, 1)
      assert.match(ended.stderr, /is not a regular file/)
    }
    for (const [what, text, expected] of cases) {
      writeFileSync(file("bad.jsonl"), text === "" ? "" : `${text}\n`)
      const ended = await run(place, ["import", "bad.jsonl", "--pod", "copy"])
      assert.strictEqual(ended.code, 1, what)
      assert.match(ended.stderr, expected, what)
    }
    writeFileSync(file("bad.jsonl"), `${lines.join("\n")}`)
    assert.match((await run(place, ["import", "bad.jsonl", "--pod", "copy"])).stderr, /the file was cut/)
    assert.strictEqual((await run(place, ["import", "nothing.jsonl"])).code, 1)
    assert.strictEqual((await run(place, ["import", "good.jsonl", "--pod", "a/b"])).code, 2)
    assert.deepStrictEqual(readdirSync(join(place.home, "data", "sessions")), sessions)
    assert.deepStrictEqual(readdirSync(join(place.home, "data", "pods")), ["scripted"])
  })

  it("refuses a line that is nested too deeply: in a file, and in the log of a pod, which repair mends", async () => {
    const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`
    const deep = `{"kind":"extension","ts":1,"domain":"other.program","payload":${nested}}\n`
    assert.strictEqual((await run(place, ["run", "--pod", "p", "hello"])).code, 0)
    const { journal } = json(await run(place, ["status", "p", "--json"]))
    const segment = readFileSync(String(journal), "utf8")
    const line = segment.split("\n").length
    writeFileSync(file("deep.jsonl"), `${segment}${deep}`)
    const refused = await run(place, ["import", "deep.jsonl", "--pod", "copy"])
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stderr, new RegExp(`line ${line}: nested deeper than 500 levels`))
    writeFileSync(String(journal), `${segment}${deep}`)
    for (const args of [
      ["log", "p"],
      ["export", "p"],
      ["run", "--pod", "p", "again"]
    ]) {
      const { code, stderr } = await run(place, args)
      assert.strictEqual(code, 5, stderr)
      assert.match(stderr, new RegExp(`line ${line}, byte ${segment.length}: nested deeper than 500 levels`))
    }
    assert.strictEqual((await run(place, ["inspect", "p"])).code, 0)
    const repaired = await run(place, ["repair", "p"])
    assert.strictEqual(repaired.code, 0, repaired.stderr)
    const log = await run(place, ["log", "p"])
    assert.strictEqual(log.code, 0, log.stderr)
    assert.match(log.stdout, /hello/)
  })

  it("writes over no file, leaves no half of one, and says what cannot be exported", async () => {
    await talk()
    writeFileSync(file("there.jsonl"), "mine")
    const refused = await run(place, ["export", "scripted", "there.jsonl"])
    assert.strictEqual(refused.code, 1)
    assert.strictEqual(readFileSync(file("there.jsonl"), "utf8"), "mine")
    const { journal } = json(await run(place, ["status", "scripted", "--json"]))
    writeFileSync(String(journal), `${readFileSync(String(journal), "utf8")}{bad}\n`)
    const broken = await run(place, ["export", "scripted", "new.jsonl"])
    assert.strictEqual(broken.code, 5)
    assert.isFalse(existsSync(file("new.jsonl")))
    await (await serve(place, ["--pod", "fresh"])).kill("SIGTERM")
    assert.match((await run(place, ["export", "fresh"])).stderr, /nothing to export/)
    assert.strictEqual((await run(place, ["export", "nobody"])).code, 1)
    assert.strictEqual((await run(place, ["export", "scripted", "--format", "xml"])).code, 2)
  })
})
