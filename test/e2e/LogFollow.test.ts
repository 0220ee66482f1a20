import { appendFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { defaultConfig } from "../../src/protocol/LogEntry.ts"
import { type Ended, makePlace, type Place, run, serve, start } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const hang = { wait: "10 minutes" }
const linesOf = ({ stdout }: Ended) => stdout.split("\n").slice(0, -1)

describe("log --follow", () => {
  it("prints each entry once, as it is committed, and ends with 0 when the pod stops", async () => {
    const manifest = scriptedManifest(place.cwd, [
      [{ text: "one" }],
      [{ tool: "Bash", id: "c1", args: { command: "echo hi" } }],
      [{ text: "two" }],
      [{ text: "half" }, hang]
    ])
    const pod = await serve(place, ["--manifest", manifest])
    await run(place, ["run", "--pod", "scripted", "first"])
    const json = start(place, ["log", "scripted", "--follow", "--json"])
    const text = start(place, ["log", "scripted", "--follow", "--from", "2"])
    await json.waitFor("stdout", /"one"[^]*run_completed/)
    await text.waitFor("stdout", /› first\none\n/)
    await run(place, ["run", "--pod", "scripted", "second"])
    await json.waitFor("stdout", /"two"[^]*run_completed/)
    await text.waitFor("stdout", /› second\n[^]*✓ Bash echo hi[^]*two\n/)
    const cut = start(place, ["run", "--pod", "scripted", "third"])
    await json.waitFor("stdout", /third/)
    await cut.waitFor("stdout", /half/)
    await pod.kill("SIGTERM")
    const followed = await json.ended
    assert.strictEqual(followed.code, 0)
    assert.match(followed.stderr, /^note: scripted has stopped\n$/)
    assert.deepStrictEqual(linesOf(followed), linesOf(await run(place, ["log", "scripted", "--json"])))
    const { code, stdout } = await text.ended
    assert.strictEqual(code, 0)
    assert.match(stdout, /· cancelled/)
  })

  it("has everything that a killed pod has kept", async () => {
    const pod = await serve(place, ["--manifest", scriptedManifest(place.cwd, [[{ text: "half" }, hang]])])
    const json = start(place, ["log", "scripted", "--follow", "--json"])
    const cut = start(place, ["run", "--pod", "scripted", "go"])
    await cut.waitFor("stdout", /half/)
    await json.waitFor("stdout", /"go"/)
    await pod.kill("SIGKILL")
    const followed = await json.ended
    assert.strictEqual(followed.code, 0)
    assert.deepStrictEqual(linesOf(followed), linesOf(await run(place, ["log", "scripted", "--json"])))
  })

  it("goes on from disk when the pod is killed in the middle of the first read", async () => {
    const input = (text: string) => ({ kind: "user_input", ts: 1, segments: [{ kind: "text", content: text }] })
    const opening = {
      kind: "segment_start",
      ts: 1,
      session_id: "s",
      system_prompt: null,
      config: defaultConfig,
      history: []
    }
    // More than one request asks for, and the first answer is more than what stands between two processes.
    const past = Array.from({ length: 700 }, (_, n) => input(`${n} ${"x".repeat(4_000)}`))
    writeFileSync(
      join(place.cwd, "past.jsonl"),
      [opening, ...past].map((entry) => `${JSON.stringify(entry)}\n`).join("")
    )
    const imported = await run(place, ["import", "past.jsonl", "--pod", "p"])
    assert.strictEqual(imported.code, 0, imported.stderr)
    const pod = await serve(place, ["--pod", "p"])
    const json = start(place, ["log", "p", "--follow", "--json"])
    await json.waitFor("stdout", /./)
    // It cannot ask for more before somebody has taken what it has.
    json.child.stdout.pause()
    assert.isBelow(json.stdout().split("\n").length, 500)
    await pod.kill("SIGKILL")
    json.child.stdout.resume()
    const followed = await json.ended
    assert.deepStrictEqual([followed.code, followed.stderr], [0, "note: p has stopped\n"])
    const log = linesOf(await run(place, ["log", "p", "--json"]))
    assert.isAbove(log.length, past.length)
    assert.deepStrictEqual(linesOf(followed), log)
  })

  it("does not call a pod stopped whose log it cannot read to the end", async () => {
    const pod = await serve(place, ["--pod", "p"])
    await run(place, ["run", "--pod", "p", "hello"])
    const json = start(place, ["log", "p", "--follow", "--json"])
    await json.waitFor("stdout", /run_completed/)
    const { stdout } = await run(place, ["status", "p", "--json"])
    const { journal } = JSON.parse(stdout) as { readonly journal: string }
    appendFileSync(journal, "{bad}\n")
    await pod.kill("SIGKILL")
    const { code, stderr } = await json.ended
    assert.strictEqual(code, 5)
    assert.include(stderr, `${journal}, line `)
    assert.notInclude(stderr, "has stopped")
  })

  it("ends with 0 when a pod stops that keeps nothing", async () => {
    const pod = await serve(place, ["--pod", "p", "--ephemeral"])
    await run(place, ["run", "--pod", "p", "hello"])
    const json = start(place, ["log", "p", "--follow", "--json"])
    await json.waitFor("stdout", /run_completed/)
    await pod.kill("SIGTERM")
    const { code, stderr } = await json.ended
    assert.deepStrictEqual([code, stderr], [0, "note: p has stopped\n"])
  })

  it("says what no longer counts when a run is rolled back, and goes on from there", async () => {
    const pod = await serve(place, [
      "--manifest",
      scriptedManifest(place.cwd, [[{ text: "one" }], [hang], [{ text: "two" }]])
    ])
    await run(place, ["run", "--pod", "scripted", "first"])
    const json = start(place, ["log", "scripted", "--follow", "--json"])
    await json.waitFor("stdout", /"one"[^]*run_completed/)
    const undone = start(place, ["run", "--pod", "scripted", "regretted"])
    await json.waitFor("stdout", /regretted/)
    undone.child.kill("SIGINT")
    await undone.ended
    await json.waitFor("stderr", /entries above no longer count/)
    await run(place, ["run", "--pod", "scripted", "second"])
    await json.waitFor("stdout", /"two"[^]*run_completed/)
    await pod.kill("SIGTERM")
    const lines = linesOf(await json.ended)
    const log = linesOf(await run(place, ["log", "scripted", "--json"]))
    const gone = lines.filter((line) => !log.includes(line))
    assert.match(gone.join("\n"), /regretted/)
    assert.deepStrictEqual(
      lines.filter((line) => log.includes(line)),
      log
    )
  })

  it("ends with 0 on Ctrl-C", async () => {
    const pod = await serve(place, ["--pod", "p"])
    await run(place, ["run", "--pod", "p", "hello"])
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const following = start(place, ["log", "p", "--follow"])
      await following.waitFor("stdout", /› hello/)
      assert.strictEqual((await following.kill(signal)).code, 0)
    }
    await pod.kill("SIGTERM")
  })

  it("prints what there is of a pod that is not running, says so, and ends", async () => {
    await run(place, ["run", "--pod", "p", "hello"])
    const followed = await run(place, ["log", "p", "--follow", "--json"])
    assert.strictEqual(followed.code, 0)
    assert.match(followed.stderr, /not running/)
    assert.deepStrictEqual(linesOf(followed), linesOf(await run(place, ["log", "p", "--json"])))
    assert.strictEqual((await run(place, ["log", "nobody", "--follow"])).code, 1)
    assert.strictEqual((await run(place, ["log", "p", "--follow", "--limit", "1"])).code, 2)
  })
})
