import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type Ended, makePlace, type Place, run, serve, start } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const json = <A = Record<string, unknown>>({ stdout }: Ended) => JSON.parse(stdout) as A
const journalOf = async (name: string) => String(json(await run(place, ["status", name, "--json"]))["journal"])

interface Line {
  readonly kind: string
  readonly domain?: string
  readonly more?: number
  readonly item?: { readonly kind: string; readonly body?: string; readonly message?: string }
}
interface Segment {
  readonly bad_lines: ReadonlyArray<Record<string, unknown>>
  readonly repaired: { readonly original: string; readonly saved_to: ReadonlyArray<string> }
}
const linesOf = (path: string): ReadonlyArray<string> => readFileSync(path, "utf8").split("\n").slice(0, -1)
const parsed = (path: string) => linesOf(path).map((line) => JSON.parse(line) as Line)

/** The line as a failing disk gives it back: of the same length, and no text. */
const damage = (path: string, line: number): Buffer => {
  const before = readFileSync(path)
  const starts = [0]
  for (let at = before.indexOf(10); at >= 0; at = before.indexOf(10, at + 1)) starts.push(at + 1)
  const after = Buffer.from(before)
  after[starts[line]! + 20] = 0xff
  writeFileSync(path, after)
  return before.subarray(starts[line]!, starts[line + 1]! - 1)
}

/** A pod with a finished turn, in which a tool ran, and a queue that holds something: every kind of line is in it. */
const rich = async () => {
  const manifest = scriptedManifest(place.cwd, [
    [{ tool: "Bash", id: "c1", args: { command: "echo hi" } }],
    [{ text: "done" }, { usage: { input: 10, output: 5 } }],
    [{ text: "half" }, { wait: "10 minutes" }],
    [{ text: "again" }]
  ])
  const pod = await serve(place, ["--manifest", manifest])
  await run(place, ["run", "--pod", "scripted", "first"])
  const cut = start(place, ["run", "--pod", "scripted", "second"])
  await cut.waitFor("stdout", /half/)
  await run(place, [
    "send",
    "scripted",
    "run",
    '{"input":[{"kind":"text","content":"later"}],"delivery":"queue","key":"k"}'
  ])
  await pod.kill("SIGKILL")
  await cut.ended
  return { manifest, journal: await journalOf("scripted") }
}

describe("repair", () => {
  it("lets the pod start and work whichever line was lost, and keeps every line's number", async () => {
    const { journal, manifest } = await rich()
    const whole = readFileSync(journal)
    const lines = linesOf(journal)
    const seen = new Set<string>()
    for (const [at, line] of lines.entries()) {
      const { domain, item, kind } = JSON.parse(line) as Line
      const what = domain ?? (item === undefined ? kind : `${kind} ${item.kind}`)
      // One of each kind; a start is not cheap.
      if (seen.has(what)) continue
      seen.add(what)
      for (const name of readdirSync(dirname(journal))) {
        if (name !== basename(journal)) writeFileSync(join(dirname(journal), name), "")
      }
      writeFileSync(journal, whole)
      const bad = damage(journal, at)
      const damaged = readFileSync(journal)
      assert.strictEqual((await run(place, ["run", "--manifest", manifest, "x"])).code, 5, what)
      const report = json<{ readonly segments: ReadonlyArray<Segment> }>(
        await run(place, ["repair", "scripted", "--json"])
      )
      const [segment] = report.segments
      assert.strictEqual(segment?.bad_lines.length, 1, what)
      assert.deepInclude(segment!.bad_lines[0], { line: at, bytes: bad.length, problem: "not UTF-8" })
      assert.deepStrictEqual(readFileSync(segment!.repaired.original), damaged, what)
      bad[20] = 0xff
      assert.deepStrictEqual(readFileSync(segment!.repaired.saved_to[0]!), bad, what)
      const mended = parsed(journal)
      assert.strictEqual(mended[at]?.kind, "system_item", what)
      // The first line of a batch promises nothing that another one does not.
      const inBatch = at > 0 && parsed(journal)[at - 1]?.more !== undefined
      assert.strictEqual(mended[at]?.more, inBatch ? (JSON.parse(line) as Line).more : undefined, what)
      assert.include(mended[at]?.item?.body, `Line ${at + 1} of this session's log could not be read`)
      // All others stand where they stood.
      const others = linesOf(journal)
      for (const [n, text] of lines.entries()) if (n !== at) assert.strictEqual(others[n], text, what)
      assert.include(
        (await run(place, ["log", "scripted"])).stdout,
        `line ${at + 1} of the log could not be read`,
        what
      )
      const ended = await run(place, ["run", "--manifest", manifest, "go on"])
      assert.deepInclude([0, 1], ended.code ?? -1, what)
      const status = json(await run(place, ["status", "scripted", "--json"]))
      assert.strictEqual(status["state"], "restorable", `${what}: ${ended.stderr}`)
      assert.include((await run(place, ["log", "scripted"])).stdout, "› go on", what)
    }
    for (const what of [
      "segment_start",
      "pod.scope",
      "pod.format",
      "pod.run",
      "pod.tool",
      "pod.inbox",
      "pod.receipt",
      "user_input",
      "assistant_item tool_call",
      "tool_result tool_result",
      "run_completed"
    ]) {
      assert.isTrue(seen.has(what), what)
    }
  }, 240_000)

  it("reports without changing anything with --dry-run: 0 if all is well, 5 if not", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const journal = await journalOf("p")
    const clean = await run(place, ["repair", "p", "--dry-run"])
    assert.deepStrictEqual([clean.code, clean.stderr], [0, ""])
    assert.include(clean.stdout, "all of them good")
    damage(journal, 3)
    const bytes = linesOf(journal).slice(0, 3).join("\n").length + 1
    writeFileSync(journal, Buffer.concat([readFileSync(journal), Buffer.from('{"kind":"tu')]))
    const before = readFileSync(journal)
    const files = readdirSync(place.home, { recursive: true }).toSorted()
    const ended = await run(place, ["repair", "p", "--dry-run"])
    assert.strictEqual(ended.code, 5)
    assert.include(ended.stdout, `${journal}, line 4, byte ${bytes}: not UTF-8`)
    assert.match(ended.stdout, /11 bytes of a write that was cut/)
    assert.deepStrictEqual(readFileSync(journal), before)
    assert.deepStrictEqual(readdirSync(place.home, { recursive: true }).toSorted(), files)
  })

  it("keeps the batch of a bad line whole, wherever in the batch it stands, and cuts what was torn", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const journal = await journalOf("p")
    const entry = (n: number, more: number) =>
      JSON.stringify({ kind: "extension", domain: "test", payload: n, ts: 1, ...(more === 0 ? {} : { more }) })
    const good = readFileSync(journal, "utf8")
    const tail = `${entry(7, 2)}\n{bad in a batch that was cut}\n`
    for (const [batch, expected] of [
      [
        ["{bad}", entry(2, 1), entry(3, 0)],
        [undefined, 1, undefined]
      ],
      [
        [entry(1, 2), "{bad}", entry(3, 0)],
        [2, 1, undefined]
      ],
      [
        [entry(1, 2), entry(2, 1), "{bad}"],
        [2, 1, undefined]
      ],
      [
        [entry(1, 2), "{bad}", "{worse}"],
        [2, 1, undefined]
      ]
    ] as const) {
      writeFileSync(journal, `${good}${batch.join("\n")}\n${tail}`)
      assert.strictEqual((await run(place, ["log", "p"])).code, 5)
      const ended = await run(place, ["repair", "p"])
      assert.strictEqual(ended.code, 0, ended.stderr)
      const lines = parsed(journal).slice(linesOf(journal).length - 4)
      assert.deepStrictEqual(
        lines.slice(0, 3).map(({ more }) => more),
        [...expected]
      )
      assert.strictEqual(lines[3]?.domain, "pod.repair")
      const kept = /kept in (\S+\.torn-\S+)/.exec(ended.stdout)?.[1] ?? ""
      assert.strictEqual(readFileSync(kept, "utf8"), tail)
      assert.strictEqual((await run(place, ["repair", "p", "--dry-run"])).code, 0)
      assert.strictEqual((await run(place, ["log", "p"])).code, 0)
    }
  })

  it("mends a record of the pod's own that can be read and makes no sense", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const journal = await journalOf("p")
    const good = readFileSync(journal, "utf8")
    const line = linesOf(journal).length
    const entry = (domain: string, payload: object) => JSON.stringify({ kind: "extension", domain, payload, ts: 1 })
    const end = JSON.stringify({ kind: "user_input", segments: [{ kind: "text", content: "behind it" }], ts: 1 })
    for (const [record, problem, note] of [
      [
        entry("pod.mark", { op: "rewind", from: 1, to: 900 }),
        "a mark of lines that do not stand in front of it",
        /again/
      ],
      [entry("pod.inbox", { op: "add" }), "not a record that this version knows (pod.inbox)", /kept in/],
      [
        entry("pod.scope", { allow: 3 }),
        "not a record that this version knows (pod.scope)",
        /look at effect-pod inspect/
      ]
    ] as const) {
      writeFileSync(journal, `${good}${record}\n${end}\n`)
      assert.strictEqual((await run(place, ["log", "p"])).code, 5)
      const seen = json<{ readonly file: { readonly bad_lines: ReadonlyArray<object> } }>(
        await run(place, ["inspect", "p", "--json"])
      )
      assert.deepInclude(seen.file.bad_lines[0], { line, problem })
      const asked = await run(place, ["repair", "p", "--dry-run"])
      assert.deepStrictEqual([asked.code, asked.stderr], [5, ""])
      assert.include(asked.stdout, `${journal}, line ${line + 1}, byte ${Buffer.byteLength(good)}: ${problem}`)
      const ended = await run(place, ["repair", "p"])
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.match(ended.stdout, note)
      assert.strictEqual(readFileSync(/kept in (\S+\.bad-\S+)/.exec(ended.stdout)?.[1] ?? "", "utf8"), record)
      assert.match((await run(place, ["log", "p"])).stdout, /could not be read[^]*› behind it/)
    }
  })

  it("answers a call whose start may be what was lost, so that nothing runs it again", async () => {
    const manifest = scriptedManifest(place.cwd, [
      [{ tool: "Bash", id: "c1", args: { command: "echo ran >> runs; sleep 600" } }]
    ])
    const pod = await serve(place, ["--manifest", manifest])
    const turn = start(place, ["run", "--json", "--pod", "scripted", "go"])
    await turn.waitFor("stdout", /tool_started/)
    while (!existsSync(join(place.cwd, "runs"))) await new Promise((resolve) => setImmediate(resolve))
    await run(place, ["send", "scripted", "pause"])
    await turn.ended
    await pod.kill("SIGTERM")
    const journal = await journalOf("scripted")
    const started = parsed(journal).findIndex(({ domain }) => domain === "pod.tool")
    const text = readFileSync(journal, "utf8")
    damage(journal, started)
    const ended = await run(place, ["repair", "scripted"])
    assert.strictEqual(ended.code, 0)
    // A pause has its own record of the call's end, or the repair has made one: never both, never none.
    const results = linesOf(journal).filter((line) => line.includes('"kind":"tool_result","call_id":"c1"'))
    assert.strictEqual(results.length, 1)
    assert.isAtLeast(linesOf(journal).length, text.split("\n").length - 1)
    const again = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[{ text: "after" }]])])
    await run(place, ["send", "scripted", "resume"])
    const after = start(place, ["log", "scripted", "--follow", "--json"])
    await after.waitFor("stdout", /"after"/)
    await again.kill("SIGTERM")
    assert.strictEqual(readFileSync(join(place.cwd, "runs"), "utf8"), "ran\n")
  })

  it("refuses a live pod, a newer format, and what is not there", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const journal = await journalOf("p")
    const pod = await serve(place, ["--pod", "p"])
    for (const flags of [[], ["--dry-run"]]) {
      const live = await run(place, ["repair", "p", ...flags])
      assert.strictEqual(live.code, 4)
      assert.include(live.stderr, String(pod.pid))
    }
    await pod.kill("SIGTERM")
    const text = readFileSync(journal, "utf8")
    writeFileSync(journal, `${text.replace('{"version":1}', '{"version":2}')}{"kind":"from the future","ts":1}\n`)
    const newer = await run(place, ["repair", "p"])
    assert.strictEqual(newer.code, 5)
    assert.match(newer.stderr, /has format 2/)
    assert.strictEqual((await run(place, ["repair", "nobody"])).code, 1)
    assert.strictEqual((await run(place, ["repair", "p", "--session", "01990000-0000-7000-8000-000000000000"])).code, 1)
    await (await serve(place, ["--pod", "fresh"])).kill("SIGTERM")
    const fresh = await run(place, ["repair", "fresh"])
    assert.deepStrictEqual([fresh.code, fresh.stdout], [0, ""])
  })

  it("mends the segment that is named, and not the copy that a fork has under another name", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const journal = await journalOf("p")
    const segment = basename(journal, ".jsonl")
    damage(journal, 4)
    const before = readFileSync(journal)
    const fork = join(dirname(journal), "..", "01990000-0000-7000-8000-000000000001", basename(journal))
    mkdirSync(dirname(fork))
    linkSync(journal, fork)
    const ended = await run(place, ["repair", "p", "--session", segment])
    assert.strictEqual(ended.code, 0, ended.stderr)
    const [mended, other] = [journal, fork].map((path) => readFileSync(path))
    assert.isTrue([mended, other].some((bytes) => bytes?.equals(before)))
    assert.isFalse([mended, other].every((bytes) => bytes?.equals(before)))
  })

  it("mends what a fork goes on behind, each pod's own copy of it, and the fork's own first line", async () => {
    const source = await serve(place, [
      "--manifest",
      scriptedManifest(place.cwd, [[{ text: "one" }], [{ text: "two" }]])
    ])
    await run(place, ["run", "--pod", "scripted", "first"])
    await run(place, ["run", "--pod", "scripted", "second"])
    const forked = await run(place, ["send", "scripted", "fork", '{"pod_name":"fork"}'])
    assert.strictEqual(forked.code, 0, forked.stderr)
    await source.kill("SIGTERM")
    const next = scriptedManifest(place.cwd, [[{ text: "three" }]], "", "fork")
    assert.strictEqual((await run(place, ["run", "--manifest", next, "third"])).stdout, "three\n")
    const [base, own] = [await journalOf("scripted"), await journalOf("fork")]
    // The bytes are those of both pods.
    const lost = parsed(base).findIndex(({ kind }) => kind === "assistant_item")
    damage(base, lost)
    damage(own, 0)
    for (const name of ["scripted", "fork"]) assert.strictEqual((await run(place, ["log", name])).code, 5, name)
    const repaired = await run(place, ["repair", "fork"])
    assert.strictEqual(repaired.code, 0, repaired.stderr)
    assert.strictEqual(repaired.stdout.match(/not UTF-8/g)?.length, 2)
    assert.strictEqual((await run(place, ["log", "scripted"])).code, 5)
    const log = await run(place, ["log", "fork", "--json"])
    assert.strictEqual(log.code, 0, log.stderr)
    assert.match(log.stdout, /Line 1 of this session's log could not be read/)
    assert.match(log.stdout, new RegExp(`"history":\\[.*first.*Line ${lost + 1}\\b.*second`))
    const going = scriptedManifest(place.cwd, [[{ text: "four" }]], "", "fork")
    assert.strictEqual((await run(place, ["run", "--manifest", going, "fourth"])).stdout, "four\n")
    assert.strictEqual((await run(place, ["repair", "scripted"])).code, 0)
    assert.strictEqual((await run(place, ["log", "scripted"])).code, 0)
  })
})
