/** `--session`: which segment a pod goes on from, and from which it does not. */
import { appendFileSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type Ended, makePlace, type Place, run, serve } from "../support/cli.ts"
import { connectNative } from "../support/e2eClient.ts"
import { journalFile } from "../support/e2eJournal.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const json = ({ stdout }: Ended) => JSON.parse(stdout) as Record<string, unknown>
const status = async (name: string) => json(await run(place, ["status", name, "--json"]))

describe("serve --session", () => {
  it("restores exactly the segment that is asked for, and refuses one that is not there", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "one" }]])
    await run(place, ["run", "--manifest", manifest, "go"])
    const { segment_id } = await status("scripted")
    const pod = await serve(place, ["--pod", "copy", "--session", String(segment_id)])
    assert.deepInclude(await status("copy"), { segment_id, state: "live" })
    await pod.kill("SIGTERM")
    const unknown = "01990000-0000-7000-8000-000000000000"
    assert.strictEqual((await run(place, ["serve", "--session", unknown])).code, 1)
    assert.strictEqual((await run(place, ["serve", "--session", "latest"])).code, 2)
  })

  it("of the sessions that share a segment takes the pod's own, and for another pod the one it was written in", async () => {
    const manifest = scriptedManifest(place.cwd, [[{ text: "one" }]])
    const pod = await serve(place, ["--manifest", manifest])
    const { client } = await connectNative(pod.socket)
    await client.run("go")
    await client.next("status", ({ data }) => data.status === "idle")
    await client.request("fork", { pod_name: "copy" })
    await pod.kill("SIGTERM")
    const [source, copy] = [await status("scripted"), await status("copy")]
    assert.notStrictEqual(source["session_id"], copy["session_id"])
    for (const [name, session] of [
      ["scripted", source["session_id"]],
      ["copy", copy["session_id"]],
      ["third", source["session_id"]]
    ] as const) {
      const again = await serve(place, ["--pod", name, "--session", String(source["segment_id"])])
      assert.strictEqual((await status(name))["session_id"], session, name)
      await again.kill("SIGTERM")
    }
  })

  it("takes no pod out of the session that it has written to", async () => {
    const metadata = () => readFileSync(join(place.home, "data/pods/two/metadata.json"), "utf8")
    for (const name of ["one", "two"]) await run(place, ["run", "--pod", name, "hello"])
    const segment = String((await status("one"))["segment_id"])
    const [before, { segment_id: own, session_id }] = [metadata(), await status("two")]
    for (const command of [["serve"], ["run", "go on"]]) {
      const { code, stderr } = await run(place, [...command, "--pod", "two", "--session", segment])
      assert.strictEqual(code, 1)
      assert.match(stderr, new RegExp(`--session ${segment}: .* pod two .* ${String(session_id)}.*\\n.*--pod NEW-NAME`))
    }
    assert.strictEqual(metadata(), before)

    // One that was never written to has nothing to lose.
    await (await serve(place, ["--pod", "new"])).kill("SIGTERM")
    await (await serve(place, ["--pod", "new", "--session", segment])).kill("SIGTERM")
    assert.strictEqual((await status("new"))["segment_id"], segment)
    assert.strictEqual((await run(place, ["run", "--pod", "two", "--session", String(own), "go on"])).code, 0)
  })

  it("says where a pod was that goes on from another segment of its session", async () => {
    const pod = await serve(place, ["--pod", "p"])
    await run(place, ["run", "--pod", "p", "hello"])
    const { segment_id: first } = await status("p")
    appendFileSync(journalFile(place), '{"kind":"extension","ts":0,"domain":"other","payload":{}}\n')
    await run(place, ["run", "--pod", "p", "again"])
    const { segment_id: second } = await status("p")
    assert.notStrictEqual(second, first)
    await pod.kill("SIGTERM")
    const back = await serve(place, ["--pod", "p", "--session", String(first)])
    assert.include(back.stderr(), `it was in ${String(second)}, and --session ${String(second)} goes back to it`)
    await back.kill("SIGTERM")
    const again = await serve(place, ["--pod", "p", "--session", String(first)])
    assert.notInclude(again.stderr(), "it was in")
    await again.kill("SIGTERM")
  })
})
