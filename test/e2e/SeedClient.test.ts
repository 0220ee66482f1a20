/** Clients of the seed protocol: the order of what they see, and what they may rely on. Each line is read strictly. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, serve } from "../support/cli.ts"
import { connectNative, connectSeed, turn } from "../support/e2eClient.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

type Calls = Parameters<typeof scriptedManifest>[1]

const start = (calls: Calls, more = "") => serve(place, ["--manifest", scriptedManifest(place.cwd, calls, more)])

const names = (lines: ReadonlyArray<{ readonly event: string }>) => lines.map(({ event }) => event)
const run = (text: string) => ({ method: "run", params: { input: [{ kind: "text", content: text }] } })
const until = { command: "until [ -e go ]; do sleep 0.02; done; echo ok" }

describe("a client of the seed protocol", () => {
  it("gets a snapshot first, and then the events of a run in their order", async () => {
    const pod = await start([
      [{ thinking: "hm" }, { text: "Hel" }, { text: "lo." }, { usage: { input: 10, output: 2 } }],
      [{ text: "Look:" }, { tool: "Glob", id: "c1", args: { pattern: "*.toml" } }],
      [{ text: "One." }]
    ])
    const client = await connectSeed(pod.socket)
    const snapshot = await client.next("snapshot")
    expect(client.lines).toHaveLength(1)
    expect(Object.keys(snapshot.data).toSorted()).toEqual(["entries", "greeting", "status"])
    expect(snapshot.data).toMatchObject({ entries: [], status: "idle", greeting: { pod_name: "scripted" } })

    client.send(run("hi"))
    const first = await client.until("status", ({ data }) => data.status === "idle")
    expect(names(first)).toEqual([
      "segment_rotated",
      "user_message",
      "status",
      "invoke_start",
      "turn_start",
      "llm_call_start",
      "thinking_start",
      "thinking_delta",
      "thinking_done",
      "text_delta",
      "text_delta",
      "text_done",
      "usage",
      "llm_call_end",
      "turn_end",
      "run_end",
      "status"
    ])
    expect(first.find(({ event }) => event === "text_done")).toMatchObject({ data: { text: "Hello." } })

    client.send(run("and now?"))
    const second = await client.until("status", ({ data }) => data.status === "idle")
    const tools = [
      "tool_call_start",
      "tool_call_args_delta",
      "tool_call_done",
      "llm_call_end",
      "turn_end",
      "tool_result"
    ]
    expect(names(second).filter((name) => tools.includes(name))).toEqual([...tools, "llm_call_end", "turn_end"])
    expect(second.flatMap((line) => (line.event === "turn_start" ? [line.data.turn] : []))).toEqual([1, 2])
    // A model that reports no tokens is not made to.
    expect(names(second)).not.toContain("usage")

    const late = await connectSeed(pod.socket)
    const { data } = await late.next("snapshot")
    expect(data.entries.map(({ kind }) => kind)).toEqual([
      "segment_start",
      "extension",
      "invoke",
      "user_input",
      "assistant_item",
      "assistant_item",
      "llm_usage",
      "turn_end",
      "run_completed",
      "invoke",
      "user_input",
      "assistant_item",
      "assistant_item",
      "tool_result",
      "assistant_item",
      "turn_end",
      "run_completed"
    ])
  })

  it("may send its next run in reaction to run_end", async () => {
    const pod = await start([[{ text: "one" }], [{ text: "two" }], [{ text: "three" }]])
    const client = await connectSeed(pod.socket)
    for (const text of ["1", "2", "3"]) {
      client.send(run(text))
      await client.next("run_end")
    }
    expect(client.lines.filter(({ event }) => event === "error")).toEqual([])
    expect(client.lines.flatMap((line) => (line.event === "text_done" ? [line.data.text] : []))).toEqual([
      "one",
      "two",
      "three"
    ])
  })

  it("sees refusals of everybody's methods, and of its own bad lines only its own", async () => {
    const pod = await start([[{ tool: "Bash", id: "c1", args: until }], [{ text: "done" }]])
    const [one, two] = [await connectSeed(pod.socket), await connectSeed(pod.socket)]
    for (const client of [one, two]) await client.next("snapshot")
    one.send({ method: "resume" })
    for (const client of [one, two]) expect((await client.next("error")).data.code).toBe("not_paused")
    one.send("{nonsense")
    expect((await one.next("error")).data).toMatchObject({ code: "invalid_request" })
    one.send(run("go"))
    for (const client of [one, two]) await client.next("user_message")
    two.send(run("me too"))
    for (const client of [one, two]) expect((await client.next("error")).data.code).toBe("already_running")
    writeFileSync(join(place.cwd, "go"), "")
    for (const client of [one, two]) await client.next("run_end")
    expect(two.lines.filter(({ event }) => event === "error")).toHaveLength(2)
    expect(names(two.lines).filter((name) => name === "user_message")).toHaveLength(1)
  })

  it("sees a cancelled run as an error, a pause as run_end, and what comes before any output as rolled back", async () => {
    const hang = { wait: "10 minutes" }
    const pod = await start([[{ text: "half" }, hang], [hang], [{ text: "half" }, hang], [{ text: "whole" }]])
    const client = await connectSeed(pod.socket)
    client.send(run("one"))
    await client.next("text_delta")
    client.send({ method: "cancel" })
    const cancelled = await client.until("status")
    expect(names(cancelled)).toEqual(["error", "status"])
    expect(cancelled[0]).toMatchObject({ data: { code: "internal", message: expect.stringContaining("Cancelled") } })

    client.send(run("two"))
    await client.next("llm_call_start")
    client.send({ method: "cancel" })
    expect((await client.next("run_end")).data.result).toBe("rolled_back")

    client.send(run("three"))
    await client.next("text_delta")
    client.send({ method: "pause" })
    expect((await client.next("run_end")).data.result).toBe("paused")
    expect((await client.next("status")).data.status).toBe("paused")
    client.send({ method: "resume" })
    const resumed = await client.until("run_end")
    expect(names(resumed)).not.toContain("user_message")
    expect(resumed.at(-1)).toMatchObject({ data: { result: "finished" } })
    const late = await (await connectSeed(pod.socket)).next("snapshot")
    expect(late.data.entries.filter(({ kind }) => kind === "user_input")).toHaveLength(2)
  })

  it("gets completions alone, also while a run is busy", async () => {
    mkdirSync(join(place.cwd, "src"))
    for (const name of ["src/b.ts", "src/a.ts", "other.txt"]) writeFileSync(join(place.cwd, name), "")
    const pod = await start([[{ tool: "Bash", id: "c1", args: until }], [{ text: "done" }]])
    const [one, two] = [await connectSeed(pod.socket), await connectSeed(pod.socket)]
    one.send(run("go"))
    await one.next("tool_call_done")
    two.send({ method: "list_completions", params: { kind: "file", prefix: "src/" } })
    expect((await two.next("completions")).data.entries).toEqual([
      { value: "src/a.ts", is_dir: false },
      { value: "src/b.ts", is_dir: false }
    ])
    writeFileSync(join(place.cwd, "go"), "")
    await one.next("run_end")
    expect(names(one.lines)).not.toContain("completions")
  })

  it("is told of a notification as a system item of a turn that starts by itself", async () => {
    const pod = await start([[{ text: "noted" }]])
    const client = await connectSeed(pod.socket)
    client.send({ method: "notify", params: { message: "the build is done" } })
    const seen = await client.until("run_end")
    expect(names(seen)).not.toContain("user_message")
    expect(seen.find(({ event }) => event === "invoke_start")).toMatchObject({ data: { kind: "notify" } })
    expect(seen.find(({ event }) => event === "system_item")).toMatchObject({
      data: {
        item: { kind: "notification", message: "the build is done", body: expect.stringContaining("[Notification]") }
      }
    })
  })

  it("that half-closes has its line obeyed and is let go", async () => {
    const pod = await start([[{ text: "ok" }], [{ text: "ok" }]])
    const watcher = await connectSeed(pod.socket)
    const sender = await connectSeed(pod.socket)
    await sender.next("snapshot")
    sender.send(run("from a script"))
    sender.half()
    await sender.closed
    expect((await watcher.next("user_message")).data.segments).toEqual([{ kind: "text", content: "from a script" }])
    await watcher.next("run_end")
    // The last line needs no newline, and a sender that does not wait is heard as well.
    const hasty = await connectSeed(pod.socket)
    hasty.write(JSON.stringify(run("without a newline")))
    hasty.half()
    await hasty.closed
    expect((await watcher.next("user_message")).data.segments).toEqual([{ kind: "text", content: "without a newline" }])
    await watcher.next("run_end")
    // Probes that connect and vanish are routine.
    for (let n = 0; n < 5; n++) (await connectSeed(pod.socket)).leave()
    expect((await (await connectSeed(pod.socket)).next("snapshot")).data.status).toBe("idle")
  })

  it("is told of a shutdown, and its connection ends", async () => {
    const pod = await start([[{ text: "half" }, { wait: "10 minutes" }]])
    const client = await connectSeed(pod.socket)
    client.send(run("go"))
    await client.next("text_delta")
    client.send({ method: "shutdown" })
    const last = await client.rest()
    expect(names(last).slice(0, 1)).toEqual(["error"])
    expect(names(last).at(-1)).toBe("shutdown")
    expect((await pod.ended).code).toBe(0)
  })

  it("sees the same as a native client beside it", async () => {
    const pod = await start([[{ text: "a" }, { tool: "Glob", id: "c1", args: { pattern: "*" } }], [{ text: "b" }]])
    const seed = await connectSeed(pod.socket)
    const { client } = await connectNative(pod.socket)
    await turn(client, "go")
    await client.next("status")
    await seed.until("status", ({ data }) => data.status === "idle")
    const known = new Set(names(seed.lines))
    expect(names(client.lines).filter((name) => known.has(name) && name !== "snapshot")).toEqual(
      names(seed.lines).filter((name) => name !== "snapshot")
    )
  })
})
