import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type Ended, makePlace, type Place, run, serve, start } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const hang = { wait: "10 minutes" }

interface Inspected {
  readonly [key: string]: unknown
  readonly journal: string
  readonly segment_id: string
  readonly file: {
    readonly lines: number
    readonly bytes: number
    readonly torn_bytes: number
    readonly format: number
    readonly bad_lines: ReadonlyArray<object>
    readonly hidden: ReadonlyArray<{ readonly from: number; readonly to: number; readonly mark: number }>
    readonly runs: ReadonlyArray<Record<string, unknown>>
  }
  readonly segments: ReadonlyArray<Record<string, unknown>>
  readonly scope: { readonly allow: ReadonlyArray<{ readonly target: string }> }
}
const inspect = async (name: string) => {
  const ended: Ended = await run(place, ["inspect", name, "--json"])
  assert.strictEqual(ended.code, 0, ended.stderr)
  return JSON.parse(ended.stdout) as Inspected
}

describe("inspect", () => {
  it("tells all of a live pod and of the same pod stopped", async () => {
    const manifest = scriptedManifest(place.cwd, [
      [{ text: "one" }, { usage: { input: 10, output: 5 } }],
      [{ text: "half" }, hang]
    ])
    const pod = await serve(place, ["--manifest", manifest])
    await run(place, ["run", "--pod", "scripted", "first"])
    const going = start(place, ["run", "--pod", "scripted", "second"])
    await going.waitFor("stdout", /half/)
    await run(place, [
      "send",
      "scripted",
      "run",
      '{"input":[{"kind":"text","content":"later"}],"delivery":"queue","key":"k"}'
    ])
    const live = await inspect("scripted")
    assert.deepInclude(live, { state: "live", status: "running", receipts: 1, held: false })
    assert.strictEqual(live.file.format, 1)
    assert.strictEqual((live["inbox_items"] as ReadonlyArray<{ preview: string }>)[0]?.preview, "later")
    assert.strictEqual(live.scope.allow[0]?.target, place.cwd)
    await going.kill("SIGINT")
    await pod.kill("SIGTERM")
    const stopped = await inspect("scripted")
    assert.deepInclude(stopped, { state: "restorable", receipts: 1 })
    assert.strictEqual(stopped.file.bytes, statSync(stopped.journal).size)
    assert.strictEqual(stopped.file.lines, readFileSync(stopped.journal, "utf8").split("\n").length - 1)
    const [first] = stopped.file.runs
    assert.deepInclude(first, { kind: "run", leg: 1, result: "finished" })
    assert.deepInclude(first?.["usage"], { llm_calls: 1, input_tokens: 10, output_tokens: 5 })
    assert.isAtLeast(stopped.file.runs.length, 2)
    assert.deepInclude(stopped.segments[0], { segment_id: stopped.segment_id, active: true })
    const { stdout } = await run(place, ["inspect", "scripted"])
    assert.match(
      stdout,
      /^name +scripted$[^]*^file +\d+ lines, \d+ bytes$[^]*last runs:\n[^]*finished[^]*scope:[^]*segments of/m
    )
  })

  it("shows what a rolled-back run has hidden", async () => {
    const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[{ text: "one" }], [hang]])])
    await run(place, ["run", "--pod", "scripted", "first"])
    const log = start(place, ["log", "scripted", "--follow", "--json"])
    const undone = start(place, ["run", "--pod", "scripted", "regretted"])
    await log.waitFor("stdout", /regretted/)
    undone.child.kill("SIGINT")
    await undone.ended
    await pod.kill("SIGTERM")
    const { file } = await inspect("scripted")
    assert.strictEqual(file.hidden.length, 1)
    const { from, mark, to } = file.hidden[0]!
    assert.isTrue(from < to && to <= mark)
    assert.deepInclude(file.runs.at(-1), { result: "rolled_back" })
  })

  it("names every bad line and the torn tail of a broken pod, and changes nothing", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const { journal } = await inspect("p")
    const { length } = readFileSync(journal)
    const lines = readFileSync(journal, "utf8").split("\n").length - 1
    appendFileSync(journal, '{broken}\n\u{e4}\n{"kind":"turn_e')
    const before = readFileSync(journal)
    const broken = await inspect("p")
    assert.strictEqual(broken["state"], "broken")
    assert.isString(broken["error"])
    assert.deepStrictEqual(broken.file.bad_lines, [
      { line: lines, byte: length, bytes: 8, problem: "not JSON" },
      { line: lines + 1, byte: length + 9, bytes: 2, problem: "not JSON" }
    ])
    assert.strictEqual(broken.file.torn_bytes, 15)
    assert.strictEqual(broken.file.runs.length, 1)
    assert.match((await run(place, ["inspect", "p"])).stdout, new RegExp(`line ${lines + 1} +byte ${length}\\b`))
    assert.deepStrictEqual(readFileSync(journal), before)
  })

  it("works for a pod without input, for broken metadata, and for a name that nobody has", async () => {
    await (await serve(place, ["--pod", "fresh"])).kill("SIGTERM")
    assert.deepInclude(await inspect("fresh"), { state: "stopped", segments: [], side_files: [] })
    mkdirSync(join(place.home, "data", "pods", "wrong"))
    writeFileSync(join(place.home, "data", "pods", "wrong", "metadata.json"), "{")
    const wrong = await inspect("wrong")
    assert.deepInclude(wrong, { state: "broken" })
    assert.include(String(wrong["metadata"]), "wrong/metadata.json")
    const nobody = await run(place, ["inspect", "frash"])
    assert.strictEqual(nobody.code, 1)
    assert.include(nobody.stderr, "did you mean fresh?")
    assert.deepStrictEqual(readdirSync(join(place.home, "data", "pods")).toSorted(), ["fresh", "wrong"])
  })
})
