import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run, type Running, serve, start } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

/** Long enough that nothing but a cancel ends it. */
const hang = { wait: "10 minutes" }

describe("run", () => {
  it("answers on stdout, tells everything else on stderr, and keeps the session for the next one", async () => {
    writeFileSync(join(place.cwd, "a.txt"), "hello\n")
    const manifest = scriptedManifest(place.cwd, [
      [
        { text: "Let me " },
        { text: "look." },
        { tool: "Read", id: "c1", args: { file_path: join(place.cwd, "a.txt") } }
      ],
      [{ text: "It says hello." }]
    ])
    const first = await run(place, ["run", "--manifest", manifest, "what is in @a.txt?"])
    assert.strictEqual(first.stdout, "Let me look.\nIt says hello.\n")
    assert.match(first.stderr, /^✓ Read a\.txt: Read 1 line/m)
    assert.match(first.stderr, /^· file_attachment: a\.txt$/m)
    assert.match(first.stderr, /^· finished \(2 model calls/m)
    assert.strictEqual(first.code, 0)

    scriptedManifest(place.cwd, [[{ text: "Again." }]])
    const second = await run(place, ["run", "--manifest", manifest, "-"], { input: "more, please\n" })
    assert.deepStrictEqual([second.code, second.stdout], [0, "Again.\n"])
    const log = await run(place, ["log", "scripted"])
    assert.match(log.stdout, /› what is in @a\.txt\?[^]*✓ Read a\.txt[^]*It says hello\.[^]*› more, please[^]*Again\./)
  })

  it("prints native events as lines with --json, from the input to the end of the run", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "ok" }]])
    const { code, stdout } = await run(place, ["run", "--json", "--manifest", manifest, "go"])
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; seq: number })
    assert.deepStrictEqual(
      events.slice(0, 2).map(({ event }) => event),
      ["segment_rotated", "user_message"]
    )
    assert.strictEqual(events.at(-1)?.event, "run_end")
    assert.includeMembers(
      events.map(({ event }) => event),
      ["run_start", "text_delta", "assistant_item"]
    )
    events.forEach(({ seq }, index) => assert.strictEqual(seq, events[0]!.seq + index))
    assert.strictEqual(code, 0)
  })

  it("ends with the code of the run's result", async () => {
    const failing = scriptedManifest(place.cwd, [[{ fail: { status: 400 } }]], "", "failing")
    const failed = await run(place, ["run", "--manifest", failing, "go"])
    assert.strictEqual(failed.code, 1)
    assert.match(failed.stderr, /^✗ failed: /m)
    const limited = scriptedManifest(
      place.cwd,
      [[{ tool: "Glob", id: "c1", args: { pattern: "*" } }], [{ text: "never" }]],
      "[worker]\nmax_turns = 1",
      "limited"
    )
    const limit = await run(place, ["run", "--manifest", limited, "go"])
    assert.deepStrictEqual([limit.code, limit.stdout], [3, ""])
  })

  it("shows what a command writes while it runs, in attach as well, and keeps it out of the answer", async () => {
    const command = "echo one; printf 'tw\\033[2Jo\\nthr'; until [ -e go ]; do sleep 0.05; done; echo ee; exit 2"
    const manifest = scriptedManifest(place.cwd, [[{ tool: "Bash", id: "c1", args: { command } }], [{ text: "done" }]])
    const pod = await serve(place, ["--manifest", manifest])
    const watching = start(place, ["attach", "scripted"], { input: null })
    await watching.waitFor("stdout", /· idle/)
    const one = start(place, ["run", "--pod", "scripted", "go"])
    // The command waits for the file: nothing of this is its result.
    await one.waitFor("stderr", /^→ Bash echo one.*\n {2}one\n {2}two\n$/m)
    await watching.waitFor("stdout", /^→ Bash echo one.*\n {2}one\n {2}two\n$/m)
    writeFileSync(join(place.cwd, "go"), "")
    const { code, stderr, stdout } = await one.ended
    assert.deepStrictEqual([code, stdout], [0, "done\n"])
    assert.match(stderr, /\n {2}two\n {2}three\n✓ Bash echo one[^\n]* \(exit code 2\)/)
    assert.strictEqual(stderr.split("three").length, 2, "the output is not said again with the result")
    await watching.waitFor("stdout", /\n {2}two\n {2}three\n✓ Bash echo one/)
    await watching.kill("SIGTERM")
    await pod.kill("SIGTERM")
  })

  it("cancels on the first Ctrl-C, and the session goes on", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "half" }, hang]])
    const running = start(place, ["run", "--manifest", manifest, "go"])
    await running.waitFor("stdout", /half/)
    const { code, stderr } = await running.kill("SIGINT")
    assert.strictEqual(code, 130)
    assert.match(stderr, /^· cancelled/m)
    scriptedManifest(place.cwd, [[{ text: "still here" }]])
    const next = await run(place, ["run", "--manifest", manifest, "and now?"])
    assert.deepStrictEqual([next.code, next.stdout], [0, "still here\n"])
    const log = await run(place, ["log", "scripted"])
    assert.match(log.stdout, /› go\n[^]*· cancelled[^]*› and now\?\nstill here/)
  })

  it("leaves at once on a second Ctrl-C", async () => {
    const manifest = scriptedManifest(place.cwd, [
      [{ tool: "Bash", id: "c1", args: { command: "trap '' TERM; echo up; sleep 600" } }]
    ])
    const running = start(place, ["run", "--json", "--manifest", manifest, "go"])
    await running.waitFor("stdout", /"event":"tool_output"/)
    running.child.kill("SIGINT")
    await running.waitFor("stderr", /cancelling/)
    const { code } = await running.kill("SIGINT")
    assert.strictEqual(code, 130)
  })

  it("talks to the live pod of that name, and waits in its queue while it is busy", async () => {
    const manifest = scriptedManifest(place.cwd, [
      [{ tool: "Bash", id: "c1", args: { command: "until [ -e go ]; do sleep 0.05; done" } }],
      [{ text: "first" }],
      [{ text: "second" }]
    ])
    const pod = await serve(place, ["--manifest", manifest])
    const one = start(place, ["run", "--pod", "scripted", "one"])
    const busy = start(place, ["attach", "scripted"], { input: null })
    await busy.waitFor("stdout", /› one/)
    const impatient = await run(place, ["run", "--pod", "scripted", "--no-wait", "no"])
    assert.deepStrictEqual([impatient.code, impatient.stdout], [1, ""])
    assert.match(impatient.stderr, /scripted is busy/)
    const two = start(place, ["run", "--pod", "scripted", "two"])
    await two.waitFor("stderr", /scripted is busy: queued/)
    const three = start(place, ["run", "--pod", "scripted", "three"])
    await three.waitFor("stderr", /scripted is busy: queued/)
    writeFileSync(join(place.cwd, "go"), "")
    assert.deepInclude(await one.ended, { code: 0, stdout: "first\n" })
    assert.deepInclude(await two.ended, { code: 0, stdout: "second\n" })
    // The script has no third answer.
    assert.strictEqual((await three.ended).code, 1)
    await busy.kill("SIGTERM")
    assert.strictEqual((await pod.kill("SIGTERM")).code, 0)
  })

  it.each([
    ["failed", [{ fail: { status: 400 } }], () => Promise.resolve()],
    [
      "cancelled",
      [{ text: "half" }, hang],
      async (one: Running) => {
        await one.waitFor("stdout", /half/)
        await run(place, ["send", "scripted", "cancel"])
      }
    ]
  ] as const)(
    "in the queue behind a run that %s says that it stays there, and ends with 1",
    async (result, last, end) => {
      const manifest = scriptedManifest(place.cwd, [
        [{ tool: "Bash", id: "c1", args: { command: "until [ -e go ]; do sleep 0.05; done" } }],
        last
      ])
      const pod = await serve(place, ["--manifest", manifest])
      const one = start(place, ["run", "--pod", "scripted", "one"])
      const busy = start(place, ["attach", "scripted"], { input: null })
      await busy.waitFor("stdout", /› one/)
      const two = start(place, ["run", "--pod", "scripted", "two"])
      await two.waitFor("stderr", /scripted is busy: queued/)
      writeFileSync(join(place.cwd, "go"), "")
      await end(one)
      const { code, stderr, stdout } = await two.ended
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.match(stderr, new RegExp(`the run ahead ended as ${result}, so yours stays in the queue`))
      assert.match(stderr, /^ {2}hint: .*effect-pod send NAME resume/m)
      // What it says is so.
      const { stdout: inbox } = await run(place, ["send", "scripted", "list_inbox"])
      assert.deepStrictEqual(
        (JSON.parse(inbox) as { items: Array<{ preview: string }> }).items.map(({ preview }) => preview),
        ["two"]
      )
      await busy.kill("SIGTERM")
      assert.strictEqual((await pod.kill("SIGTERM")).code, 0)
    }
  )

  it("refuses bad input before it starts anything", async () => {
    assert.strictEqual((await run(place, ["run"])).code, 2)
    assert.strictEqual((await run(place, ["run", "  "])).code, 2)
    assert.strictEqual((await run(place, ["run", "-"], { input: "" })).code, 2)
    assert.strictEqual((await run(place, ["run", "--pod", "a/b", "x"])).code, 2)
    const missing = await run(place, ["run", "--manifest", "nowhere.toml", "x"])
    assert.strictEqual(missing.code, 1)
    assert.match(missing.stderr, /nowhere\.toml: there is no such file/)
    writeFileSync(join(place.cwd, "bad.toml"), '[pod]\nnane = "x"\n')
    const bad = await run(place, ["run", "--manifest", "bad.toml", "x"])
    assert.strictEqual(bad.code, 1)
    assert.match(bad.stderr, /bad\.toml[^]*line 2[^]*name/)
  })

  it("leaves nothing behind with --ephemeral", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "gone" }]])
    const { code, stdout } = await run(place, ["run", "--ephemeral", "--manifest", manifest, "x"])
    assert.deepStrictEqual([code, stdout], [0, "gone\n"])
    assert.strictEqual((await run(place, ["list", "--json"])).stdout, "[]\n")
    assert.throws(() => readFileSync(join(place.home, "data", "pods", "scripted", "metadata.json")))
  })
})
