/** Going back, forking, and coming back, over the real socket and real files, with restarts in between. */
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { RewindTarget } from "../../src/protocol/Rewind.ts"
import { makePlace, type Place, run as cli, serve } from "../support/cli.ts"
import { connectNative, connectSeed } from "../support/e2eClient.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const answers = [[{ text: "First." }], [{ text: "Second." }], [{ text: "Third." }], [{ text: "Fourth." }]]
const sessions = () => join(place.home, "data", "sessions")

/** A pod that was told three things. */
const told = async () => {
  const manifest = scriptedManifest(place.cwd, answers)
  const pod = await serve(place, ["--manifest", manifest])
  const { client } = await connectNative(pod.socket)
  for (const text of ["one", "two", "three"]) {
    await client.run(text)
    await client.next("status", ({ data }) => data.status === "idle")
  }
  return { manifest, pod, client }
}

const resultOf = (reply: { readonly data: unknown }) =>
  (reply.data as { readonly ok: boolean; readonly result: unknown }).result

const targetsOf = async (client: { readonly request: (method: string) => Promise<{ readonly data: unknown }> }) =>
  resultOf(await client.request("list_rewind_targets")) as {
    readonly head_entries: number
    readonly targets: ReadonlyArray<RewindTarget>
  }

const inputs = (entries: ReadonlyArray<unknown>) =>
  (entries as ReadonlyArray<{ readonly kind: string; readonly segments?: ReadonlyArray<{ readonly content: string }> }>)
    .filter(({ kind }) => kind === "user_input")
    .map(({ segments }) => segments?.[0]?.content)

describe("rewind_to", () => {
  it("shows both protocols the log that is left, and the next start has it; undo brings the rest back", async () => {
    const { client, manifest, pod } = await told()
    const seed = await connectSeed(pod.socket)
    await seed.next("snapshot")
    const { head_entries, targets } = await targetsOf(client)
    const two = targets.find(({ preview }) => preview === "two")
    await client.request("rewind_to", { target: two?.id, expected_head_entries: head_entries })
    const applied = await client.next("rewind_applied")
    expect(applied).toMatchObject({ durable: true, seq: expect.any(Number) })
    expect(inputs(applied.data.entries)).toEqual(["one"])
    expect(applied.data.entries).toHaveLength(two?.truncate_entries ?? -1)
    expect(applied.data.input).toEqual([{ kind: "text", content: "two" }])
    await client.next("status", ({ data }) => data.status === "idle")
    const forSeed = await seed.next("rewind_applied")
    expect(Object.keys(forSeed).toSorted()).toEqual(["data", "event"])
    expect(inputs(forSeed.data.entries)).toEqual(["one"])
    await seed.next("status", ({ data }) => data.status === "idle")
    expect((await pod.kill("SIGKILL")).code).not.toBe(0)

    const again = await serve(place, ["--manifest", manifest])
    const later = await connectNative(again.socket)
    expect(inputs(later.snapshot.entries)).toEqual(["one"])
    await later.client.request("undo_rewind")
    const undone = await later.client.next("rewind_applied")
    expect(inputs(undone.data.entries)).toEqual(["one", "two", "three"])
    expect((await later.client.request("undo_rewind")).data).toMatchObject({ ok: false, error: { code: "conflict" } })
    await again.kill("SIGTERM")
  })

  it("a seed client that did not ask for an answer gets the list as an event", async () => {
    const { pod } = await told()
    const seed = await connectSeed(pod.socket)
    await seed.next("snapshot")
    seed.send({ method: "list_rewind_targets" })
    const list = await seed.next("rewind_targets")
    expect(list.data.targets.map(({ preview }) => preview)).toEqual(["three", "two", "one"])
    const [, two] = list.data.targets
    seed.send({ method: "rewind_to", params: { target: two?.id, expected_head_entries: 1 } })
    const refused = await seed.next("error")
    expect(refused.data).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("session head changed")
    })
    await pod.kill("SIGTERM")
  })
})

describe("fork", () => {
  it("makes a pod that starts, knows the past, takes no room for it, and outlives its source", async () => {
    const { client, manifest, pod } = await told()
    const reply = await client.request("fork", { pod_name: "copy" })
    const { segment_id, session_id } = resultOf(reply) as { readonly segment_id: string; readonly session_id: string }
    const own = join(sessions(), session_id, `${segment_id}.jsonl`)
    expect(statSync(own).size).toBeLessThan(16_384)
    const linked = readdirSync(join(sessions(), session_id)).filter((name) => name !== `${segment_id}.jsonl`)
    expect(linked.map((name) => statSync(join(sessions(), session_id, name)).nlink)).toEqual([2])
    expect((await client.request("fork", { pod_name: "copy" })).data).toMatchObject({ error: { code: "conflict" } })
    await pod.kill("SIGTERM")
    // The source goes, with everything in its session.
    const source = readdirSync(sessions()).find((name) => name !== session_id) ?? ""
    rmSync(join(sessions(), source), { recursive: true })
    rmSync(join(place.home, "data", "pods", "scripted"), { recursive: true })

    const copy = await serve(place, ["--pod", "copy", "--manifest", manifest])
    const { client: there, snapshot } = await connectNative(copy.socket)
    const [first] = snapshot.entries
    expect(first?.kind === "segment_start" ? first.history : []).toHaveLength(6)
    expect((await targetsOf(there)).targets.map(({ preview }) => preview)).toEqual(["three", "two", "one"])
    await copy.kill("SIGTERM")
    expect((await cli(place, ["log", "copy"])).code).toBe(0)
  })
})

describe("a journal that another program writes to", () => {
  it("is left alone from then on; what was said goes on in a new segment, over restarts", async () => {
    const { client, manifest, pod } = await told()
    const [session = ""] = readdirSync(sessions())
    const [segment = ""] = readdirSync(join(sessions(), session))
    const path = join(sessions(), session, segment)
    appendFileSync(path, '{"kind":"user_input","ts":1,"segments":[{"kind":"text","content":"foreign"}]}\n')
    const before = readFileSync(path, "utf8")
    await client.run("four")
    await client.next("segment_rotated")
    await client.next("status", ({ data }) => data.status === "idle")
    expect(readFileSync(path, "utf8")).toBe(before)
    await pod.kill("SIGKILL")
    const again = await serve(place, ["--manifest", manifest])
    const { snapshot } = await connectNative(again.socket)
    const [first, ...rest] = snapshot.entries
    expect(JSON.stringify(first)).not.toContain("foreign")
    expect(first?.kind === "segment_start" ? first.history : []).toHaveLength(6)
    expect(inputs(rest)).toEqual(["four"])
    await again.kill("SIGTERM")
  })
})

describe("attach", () => {
  it("lists places and items by number, goes back, comes back, forks, and takes out of the inbox", async () => {
    const { pod } = await told()
    const typed = "/rewind,/rewind 9,/rewind 2,/undo,/undo,/fork copy,/fork,/inbox,/remove 1,/rewond".split(",")
    const { code, stdout } = await cli(place, ["attach", "scripted"], { input: `${typed.join("\n")}\n` })
    expect(code).toBe(0)
    expect(stdout).toMatch(/ 1 {2}three\n {2}2 {2}two\n {2}3 {2}one\n/)
    expect(stdout).toContain("there is no number 9; /rewind shows the list")
    expect(stdout).toMatch(/back to before "two": \d+ entries left out. \/undo brings them back/)
    expect(stdout).toMatch(/the log has \d+ entries again/)
    expect(stdout).toContain("undo_rewind: there is no rewind to undo")
    expect(stdout).toContain("effect-pod serve --pod copy starts it")
    expect(stdout).toContain("/fork needs a name")
    expect(stdout).toContain("nothing waits")
    expect(stdout).toContain("there is no number 1; /inbox shows the list")
    expect(stdout).toContain("did you mean /rewind?")
    await pod.kill("SIGTERM")
  })
})
