/** Clients of the native protocol: hello, addressed replies, exact attach, and coming back. Each line is read strictly. */
import { canFence } from "../support/bubblewrap.ts"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, serve } from "../support/cli.ts"
import { accepted, connectNative, connectSeed, hello, type NativeLine, turn } from "../support/e2eClient.ts"
import { readJournal } from "../support/e2eJournal.ts"
import { keys, vendorManifest } from "../support/e2eManifest.ts"
import { scriptedManifest } from "../support/script.ts"
import { Gate, say, VendorServer } from "../support/VendorServer.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

type Calls = Parameters<typeof scriptedManifest>[1]

const start = (calls: Calls, more = "") => serve(place, ["--manifest", scriptedManifest(place.cwd, calls, more)])

/** Commands that wait for a file, so that a test decides when they end. */
const until = (name: string) => `until [ -e ${name} ]; do sleep 0.02; done; echo ${name}`
const touch = (name: string) => writeFileSync(join(place.cwd, name), "")

const seqOf = (line: NativeLine): number | undefined => ("seq" in line ? line.seq : undefined)
const numbers = (lines: ReadonlyArray<NativeLine>) => lines.flatMap((line) => seqOf(line) ?? [])
const durable = (lines: ReadonlyArray<NativeLine>) => lines.filter((line) => "durable" in line)

describe("hello", () => {
  it("is answered by a welcome and a snapshot, can be said again, and refuses a protocol that nobody speaks", async () => {
    const pod = await start([[{ text: "one" }]])
    const { client, snapshot, welcome } = await connectNative(pod.socket)
    expect(welcome).toMatchObject({ reply_to: "hello", protocol: 2, pod_name: "scripted", resumed: false })
    expect(welcome.server).toMatch(/^effect-pod\/\d/)
    expect(snapshot).toMatchObject({
      seq: welcome.seq,
      epoch: welcome.epoch,
      in_flight: null,
      inbox: [],
      waiting_on: null
    })
    expect(snapshot.greeting.sandbox).toMatchObject({ enforced: canFence })
    await turn(client, "go")
    await client.next("status")

    const { total = 0 } = (await connectNative(pod.socket)).snapshot
    const few = await connectNative(pod.socket, { entries: { tail: 2 } })
    expect(few.snapshot).toMatchObject({ total, entries_from: total - 2 })
    expect(few.snapshot.entries).toHaveLength(2)
    client.send({ method: "hello", params: { protocol: 2, entries: { tail: 0 } } })
    await client.next("welcome")
    expect((await client.next("snapshot")).data.entries).toEqual([])
    expect((await few.client.request("hello", { protocol: 9 })).data).toMatchObject({
      ok: false,
      error: { code: "invalid_request", message: expect.stringContaining("2") }
    })
    expect(accepted(await few.client.request("read_entries", { from: 0, limit: 1 }))).toMatchObject({ from: 0, total })
  })
})

describe("methods with an id", () => {
  it("get one reply each, seen by their sender alone and before the event that records them", async () => {
    const pod = await start([
      [{ tool: "Bash", id: "c1", args: { command: until("go") } }],
      [{ text: "ok" }],
      [{ text: "q" }]
    ])
    const [one, two] = [(await connectNative(pod.socket)).client, (await connectNative(pod.socket)).client]
    const first = accepted(await one.run("go"))
    expect(first).toMatchObject({ synced: true })
    const recorded = await one.next("user_message")
    expect(recorded.seq).toBe(first["accepted_seq"])
    expect(one.lines.findIndex(({ event }) => event === "reply")).toBeLessThan(one.lines.indexOf(recorded))

    expect((await two.run("no")).data).toMatchObject({ ok: false, error: { code: "already_running" } })
    const queued = accepted(await two.run("later", { delivery: "queue" }))
    expect(queued).toMatchObject({ item_id: expect.any(String) })
    const added = await one.next("inbox_changed")
    expect(added).toMatchObject({
      seq: queued["accepted_seq"],
      data: { op: "add", size: 1, item: { item_id: queued["item_id"], run_id: queued["run_id"], preview: "later" } }
    })
    expect((await two.request("cancel", { run_id: "another" })).data).toMatchObject({
      ok: false,
      error: { code: "not_running" }
    })
    expect(accepted(await two.request("attach_status"))).toMatchObject({
      inbox: 1,
      connections: [
        { client: "e2e/1", protocol: 2 },
        { client: "e2e/1", protocol: 2 }
      ]
    })
    touch("go")
    await one.next("run_end", ({ data }) => data.run_id === queued["run_id"])
    expect(one.lines.filter(({ event }) => event === "reply")).toHaveLength(1)
    expect(one.lines.filter(({ event }) => event === "error")).toEqual([])
  })

  it("may be many at once: each is answered, in order", async () => {
    const pod = await start([[{ text: "ok" }]])
    const { client } = await connectNative(pod.socket)
    await turn(client, "go")
    const count = 300
    for (let n = 0; n < count; n++) {
      client.send({ method: "read_entries", id: `n${n}`, params: { from: n % 5, limit: 2 } })
    }
    const replies = await client.until("reply", ({ data }) => data.reply_to === `n${count - 1}`)
    expect(replies.flatMap((line) => (line.event === "reply" ? [line.data.reply_to] : []))).toEqual(
      Array.from({ length: count }, (_, n) => `n${n}`)
    )
  })

  it("take input into the run that is running, or behind it", async () => {
    const pod = await start([
      [{ tool: "Bash", id: "c1", args: { command: until("go") } }],
      [{ text: "steered" }],
      [{ text: "queued" }]
    ])
    const { client } = await connectNative(pod.socket)
    const { run_id } = accepted(await client.run("go"))
    await client.next("tool_started")
    expect(accepted(await client.run("look left", { delivery: "steer" }))).toMatchObject({ run_id })
    const queued = accepted(await client.run("then this", { delivery: "queue" }))
    expect((await connectNative(pod.socket)).snapshot.inbox).toMatchObject([
      { mode: "steer", preview: "look left" },
      { mode: "queue", preview: "then this", run_id: queued["run_id"] }
    ])
    touch("go")
    await client.next("run_end", ({ data }) => data.run_id === run_id)
    await client.next("run_end", ({ data }) => data.run_id === queued["run_id"])
    const said = client.lines.flatMap((line) => (line.event === "user_message" ? line.data.segments : []))
    expect(said).toMatchObject([{ content: "go" }, { content: "look left" }, { content: "then this" }])
  })
})

describe("attaching", () => {
  it("in the middle of an answer gives what came before and what comes after, whole and once", async () => {
    const server = await VendorServer.start()
    try {
      const pod = await serve(place, ["--manifest", vendorManifest(place, "openai", server.openAiUrl)], { env: keys })
      const words = Array.from({ length: 400 }, (_, n) => ({ text: `w${n} ` }))
      const gate = new Gate()
      server.reply(say([...words.slice(0, 300), { gate }, ...words.slice(300)]))
      const first = (await connectNative(pod.socket)).client
      await first.run("count")
      // While more words are on their way.
      await first.next("text_delta")
      const late = await connectNative(pod.socket)
      gate.open()
      await first.next("run_end")
      await late.client.next("run_end")
      const before = (late.snapshot.in_flight?.blocks ?? []).map((block) => block.text ?? "").join("")
      const after = late.client.lines.flatMap((line) => (line.event === "text_delta" ? [line.data.text] : [])).join("")
      expect(before).toContain("w0 ")
      expect(before + after).toBe(words.map(({ text }) => text).join(""))
      const seen = numbers(late.client.lines)
      expect(seen).toEqual(seen.map((_, index) => late.welcome.seq + 1 + index))
    } finally {
      await place.remove()
      await server.stop()
    }
  })

  it("while a tool runs shows the call, its arguments and that it runs", async () => {
    const pod = await start([[{ tool: "Bash", id: "c1", args: { command: until("go") } }], [{ text: "ok" }]])
    const first = (await connectNative(pod.socket)).client
    const { run_id } = accepted(await first.run("go"))
    await first.next("tool_started")
    const late = await connectNative(pod.socket)
    expect(late.snapshot).toMatchObject({
      status: "running",
      waiting_on: { kind: "tool" },
      in_flight: { run_id, leg: 1, blocks: [{ kind: "tool_call", id: "c1", name: "Bash", state: "running" }] }
    })
    touch("go")
    expect((await late.client.next("tool_result")).data).toMatchObject({ id: "c1", output: "go\n" })
    await late.client.next("run_end")
  })

  it("again in the same epoch gives exactly the durable events that were missed, under their numbers", async () => {
    const pod = await start([
      [{ text: "one" }],
      [{ text: "two" }, { tool: "Bash", id: "c1", args: { command: until("go") } }],
      [{ text: "three" }]
    ])
    const all = (await connectNative(pod.socket)).client
    const away = await connectNative(pod.socket)
    await turn(away.client, "1")
    const last = Math.max(...numbers(away.client.lines))
    away.client.leave()
    await all.next("run_end")

    await all.run("2")
    await all.next("tool_started")
    const back = await hello(pod.socket, { resume_from: { epoch: away.welcome.epoch, seq: last } })
    expect(back.welcome).toMatchObject({ resumed: true, epoch: away.welcome.epoch })
    const missed = await back.client.until("in_flight")
    expect(missed.at(-1)).toMatchObject({ data: { blocks: [{ kind: "tool_call", id: "c1", state: "running" }] } })
    const expected = durable(all.lines).filter((line) => {
      const seq = seqOf(line) ?? 0
      return seq > last && seq <= back.welcome.seq
    })
    expect(missed.slice(0, -1)).toEqual(expected)
    expect(expected.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["user_message", "run_start", "tool_started"])
    )
    touch("go")
    await back.client.next("run_end")
    const live = numbers(back.client.lines.slice(back.client.lines.findIndex(({ event }) => event === "in_flight")))
    expect(live).toEqual(live.map((_, index) => back.welcome.seq + 1 + index))
  })

  it("from another epoch, or from a number that never was, gives a whole snapshot", async () => {
    const pod = await start([[{ text: "one" }]])
    const first = await connectNative(pod.socket)
    await turn(first.client, "1")
    await pod.kill("SIGTERM")
    const again = await start([[{ text: "two" }]])
    for (const resume_from of [
      { epoch: first.welcome.epoch, seq: 3 },
      { epoch: first.welcome.epoch, seq: 1_000_000 }
    ]) {
      const back = await connectNative(again.socket, { resume_from })
      expect(back.welcome.resumed).toBe(false)
      expect(back.snapshot.entries.filter(({ kind }) => kind === "user_input")).toHaveLength(1)
    }
  })

  it("numbers what is broadcast without a hole, and marks as durable what the journal has", async () => {
    const pod = await start([
      [{ thinking: "t" }, { text: "a" }, { tool: "Glob", id: "c1", args: { pattern: "*" } }],
      [{ text: "b" }]
    ])
    const { client, welcome } = await connectNative(pod.socket)
    await turn(client, "go")
    await client.next("status", ({ data }) => data.status === "idle")
    const seen = numbers(client.lines)
    expect(seen).toEqual(seen.map((_, index) => welcome.seq + 1 + index))
    const kept = durable(client.lines).map(({ event }) => event)
    expect(kept).toEqual(
      client.lines
        .map(({ event }) => event)
        .filter((event) =>
          "user_message invoke_start run_start assistant_item tool_started tool_result run_end segment_rotated"
            .split(" ")
            .includes(event)
        )
    )
    const items = client.lines.flatMap((line) => (line.event === "assistant_item" ? [line.data.item] : []))
    expect(items).toEqual(readJournal(place).flatMap((entry) => (entry.kind === "assistant_item" ? [entry.item] : [])))
  })
})

describe("a client that does not read", () => {
  /** A reader keeps up with one of these; all three are more than a connection may have waiting. */
  const flood = (n: number) => [
    ...Array.from({ length: 2_500 }, (_, word) => ({ text: `${word} ${"x".repeat(300)}` })),
    { tool: "Bash", id: `c${n}`, args: { command: until(`go${n}`) } }
  ]

  it("holds nobody up, and is told what it missed when it reads again", async () => {
    const pod = await start([flood(1), flood(2), flood(3), [{ text: "the end" }], [{ text: "well" }]])
    const stalled = (await connectNative(pod.socket)).client
    const reader = (await connectNative(pod.socket)).client
    const seed = await connectSeed(pod.socket)
    await seed.next("snapshot")
    stalled.pause()
    seed.pause()
    await reader.run("go")
    for (const n of [1, 2, 3]) {
      await reader.next("tool_started")
      touch(`go${n}`)
    }
    expect((await reader.next("run_end")).data.result).toBe("finished")
    expect(reader.lines.filter(({ event }) => event === "text_delta")).toHaveLength(7_501)

    stalled.resume()
    const { data: lagged } = await stalled.next("lagged")
    const { data: snapshot } = await stalled.next("snapshot")
    expect(lagged.missed_from).toBe(Math.max(...numbers(stalled.lines)) + 1)
    expect(snapshot.seq).toBe(lagged.resume_seq)
    expect(JSON.stringify(snapshot.entries.slice(-4))).toContain("the end")
    // The seed protocol has no word for it: such a client comes back by itself.
    seed.resume()
    await seed.closed
    expect(seed.lines.some(({ event }) => event === "run_end")).toBe(false)
    expect(await turn(stalled, "still there?")).toMatchObject({ result: "finished" })
  })
})
