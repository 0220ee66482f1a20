/** SIGKILL at any moment: what was accepted is there once, nothing is done twice, and the pod goes on. */
import { execFileSync } from "node:child_process"
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs"
import { open } from "node:fs/promises"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, type Place, serve } from "../support/cli.ts"
import { accepted, connectNative, type NativeLine, turn } from "../support/e2eClient.ts"
import { answers, expectSound, inputs, journalFile, readJournal, terminals } from "../support/e2eJournal.ts"
import { keys, vendorManifest } from "../support/e2eManifest.ts"
import { Gate, say, VendorServer } from "../support/VendorServer.ts"

let place: Place
let server: VendorServer

beforeEach(async () => {
  place = makePlace(keys)
  server = await VendorServer.start()
})
afterEach(async () => {
  await place.remove()
  await server.stop()
})

const start = async () => {
  const pod = await serve(place, ["--manifest", vendorManifest(place, "anthropic", server.anthropicUrl)])
  return { pod, ...(await connectNative(pod.socket)) }
}

const lastRequest = () => JSON.stringify(server.requests.at(-1)?.body["messages"])

const lines = (name: string): ReadonlyArray<string> => {
  const path = join(place.cwd, name)
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : []
}

describe("after kill -9", () => {
  it("in the middle of an answer: the run is closed as interrupted, what was half said is nowhere", async () => {
    const first = await start()
    const gate = new Gate()
    server.reply(say([{ text: "half of it" }, { gate }]))
    const { run_id } = accepted(await first.client.run("tell me", { key: "k1" }))
    await first.client.next("text_delta")
    await first.pod.kill("SIGKILL")
    expect(await (await server.request(0)).closed).toBe("client")
    gate.open()
    const cut = readJournal(place)
    expect(inputs(cut)).toEqual(["tell me"])
    expect(terminals(cut)).toEqual([])

    const second = await start()
    expect(second.snapshot).toMatchObject({ status: "idle", in_flight: null, waiting_on: null })
    expect(second.welcome.epoch).not.toBe(first.welcome.epoch)
    const entries = readJournal(place)
    expectSound(entries)
    expect(entries.slice(0, cut.length)).toEqual(cut)
    expect(terminals(entries)).toMatchObject([{ run_id, leg: 1, outcome: { result: "interrupted" } }])

    // The client never saw how its run ended and sends it again: it gets the same receipt, and nothing is run.
    expect(accepted(await second.client.run("tell me", { key: "k1" }))).toMatchObject({ run_id })
    expect((await second.client.run("something else", { key: "k1" })).data).toMatchObject({
      ok: false,
      error: { code: "conflict" }
    })
    server.reply(say([{ text: "the whole" }]))
    expect(await turn(second.client, "again")).toMatchObject({ result: "finished" })
    expect(server.requests).toHaveLength(2)
    expect(lastRequest()).not.toContain("half of it")
    expect(lastRequest().split("tell me")).toHaveLength(2)
    expect(answers(readJournal(place))).toEqual(["the whole"])
  })

  it("in a tool: its processes are gone, its effect is there once, the call is answered as unknown", async () => {
    const first = await start()
    // A pipe that every process of the command holds: it ends when the last of them has.
    const canary = join(place.cwd, "canary")
    execFileSync("mkfifo", [canary])
    const command = [
      "exec 9>canary",
      "echo done >> effects.txt",
      "(trap '' TERM HUP INT; sleep 120; sleep 120) &",
      "setsid sleep 120 &",
      "sleep 120 | sleep 120 &",
      "echo alive",
      "sleep 120"
    ].join("\n")
    server.reply(say([{ text: "I will." }, { tool: "Bash", id: "c1", args: { command, timeout: 120 } }]))
    const held = open(canary, "r")
    const { run_id } = accepted(await first.client.run("do it once"))
    await first.client.next("tool_output")
    const file = await held
    await first.pod.kill("SIGKILL")
    // Resolves at the end of the pipe; a survivor would keep it open for two minutes.
    expect(await file.readFile("utf8")).toBe("")
    await file.close()

    const second = await start()
    const entries = readJournal(place)
    expectSound(entries)
    expect(entries.filter((entry) => entry.kind === "tool_result")).toMatchObject([
      { run_id, item: { call_id: "c1", is_error: true, summary: expect.stringContaining("[Outcome unknown]") } }
    ])
    server.reply(say([{ text: "I shall look first." }]))
    expect(await turn(second.client, "go on")).toMatchObject({ result: "finished" })
    expect(lastRequest()).toContain("[Outcome unknown]")
    expect(lines("effects.txt")).toEqual(["done"])
    expectSound(readJournal(place))
  })

  it("with input in the queue and notifications waiting: all of it is delivered, once, in order", async () => {
    const first = await start()
    const gate = new Gate()
    server.reply(say([{ text: "busy" }, { gate }]))
    await first.client.run("one")
    await first.client.next("text_delta")
    const two = accepted(await first.client.run("two", { delivery: "queue", key: "q2" }))
    const three = accepted(await first.client.run("three", { delivery: "queue" }))
    accepted(await first.client.request("notify", { message: "the build is done" }))
    await first.pod.kill("SIGKILL")
    gate.open()

    const second = await start()
    expect(second.snapshot.inbox).toMatchObject([
      { run_id: two["run_id"], preview: "two" },
      { run_id: three["run_id"], preview: "three" },
      { kind: "notify" }
    ])
    expect(second.snapshot.waiting_on).toMatchObject({ kind: "inbox_held" })
    expect(accepted(await second.client.run("two", { delivery: "queue", key: "q2" }))).toMatchObject({
      run_id: two["run_id"]
    })
    server.reply(say([{ text: "to four" }]), say([{ text: "to two" }]), say([{ text: "to three" }]))
    await turn(second.client, "four")
    await second.client.next("run_end", ({ data }) => data.run_id === three["run_id"])
    await second.pod.kill("SIGTERM")
    const entries = readJournal(place)
    expectSound(entries)
    expect(inputs(entries)).toEqual(["one", "four", "two", "three"])
    expect(answers(entries)).toEqual(["to four", "to two", "to three"])
    expect(entries.filter(({ kind }) => kind === "system_item").map((entry) => JSON.stringify(entry))).toEqual([
      expect.stringContaining("interrupt"),
      expect.stringContaining("the build is done")
    ])
  })

  it("while paused: it is still paused, and resumes as the next leg of the same run", async () => {
    const first = await start()
    const gate = new Gate()
    server.reply(say([{ text: "half" }, { gate }]))
    const { run_id } = accepted(await first.client.run("slowly"))
    await first.client.next("text_delta")
    accepted(await first.client.request("pause"))
    await first.client.next("status", ({ data }) => data.status === "paused")
    await first.pod.kill("SIGKILL")
    gate.open()

    const second = await start()
    expect(second.snapshot.status).toBe("paused")
    server.reply(say([{ text: "whole" }]))
    expect(accepted(await second.client.request("resume"))).toEqual({ run_id, leg: 2 })
    expect((await second.client.next("run_end")).data).toMatchObject({ run_id, leg: 2, result: "finished" })
    const entries = readJournal(place)
    expectSound(entries)
    expect(terminals(entries).map(({ leg, outcome }) => [leg, outcome?.result])).toEqual([
      [1, "paused"],
      [2, "finished"]
    ])
  })

  it("with a line half written: it is cut off, kept aside and reported", async () => {
    const first = await start()
    server.reply(say([{ text: "ok" }]))
    await turn(first.client, "one")
    await first.pod.kill("SIGKILL")
    const before = readJournal(place)
    const torn = '{"kind":"user_input","segm'
    appendFileSync(journalFile(place), torn)

    const second = await start()
    const entries = readJournal(place)
    expect(entries.slice(0, before.length)).toEqual(before)
    expect(entries.at(-1)).toMatchObject({
      domain: "pod.repair",
      payload: { bytes_dropped: torn.length, line: before.length }
    })
    const beside = dirname(journalFile(place))
    const saved = readdirSync(beside).find((name) => !name.endsWith(".jsonl")) ?? "nothing is saved"
    expect(readFileSync(join(beside, saved), "utf8")).toBe(torn)
    expect(JSON.stringify(second.snapshot.entries)).not.toContain("pod.repair")
    server.reply(say([{ text: "on we go" }]))
    expect(await turn(second.client, "two")).toMatchObject({ result: "finished" })
  })

  it("at each step of a turn, over and over: each input is there once, each effect at most once", async () => {
    const steps = [
      "user_message",
      "run_start",
      "llm_call_start",
      "text_delta",
      "tool_call_done",
      "assistant_item",
      "tool_started",
      "tool_output",
      "tool_result",
      "run_end"
    ] as const satisfies ReadonlyArray<NativeLine["event"]>
    let { client, pod } = await start()
    for (const step of steps) {
      // Where a pod was killed decides how many requests it has sent, so the answers are given anew.
      server.forget()
      server.reply(
        say([
          { text: `about to ${step}` },
          { tool: "Bash", id: `call-${step}`, args: { command: `echo ${step} >> effects.txt; echo done` } }
        ]),
        say([{ text: `did ${step}` }])
      )
      client.send({ method: "run", params: { key: step, input: [{ kind: "text", content: step }] } })
      const seen = await client.until(step)
      await pod.kill("SIGKILL")
      const effects = lines("effects.txt").filter((line) => line === step)
      expect(effects.length).toBeLessThanOrEqual(1)
      if (step === "tool_output" || step === "tool_result" || step === "run_end") expect(effects).toEqual([step])
      ;({ client, pod } = await start())
      const entries = readJournal(place)
      expectSound(entries)
      expect(inputs(entries)).toEqual(steps.slice(0, steps.indexOf(step) + 1))
      // What a client has seen as durable is in the journal of whoever comes after.
      const told = seen.flatMap((line) => (line.event === "assistant_item" ? [line.data.item] : []))
      expect(entries.flatMap((entry) => (entry.kind === "assistant_item" ? [entry.item] : []))).toEqual(
        expect.arrayContaining(told)
      )
    }
    expect(lines("effects.txt").filter((line, index, all) => all.indexOf(line) !== index)).toEqual([])
    expect(terminals(readJournal(place)).map(({ outcome }) => outcome?.result)).toEqual([
      ...steps.slice(1).map(() => "interrupted"),
      "finished"
    ])
    server.forget()
    server.reply(say([{ text: "all is well" }]))
    expect(await turn(client, "how are you?")).toMatchObject({ result: "finished" })
    await pod.kill("SIGTERM")
    expect(readdirSync(join(place.home, "run")).filter((name) => name === "pod")).toEqual([])
  })
})

describe("before anything was accepted", () => {
  it("kill -9 leaves a pod by its name, and nothing else", async () => {
    const first = await start()
    await first.pod.kill("SIGKILL")
    const second = await start()
    expect(second.snapshot).toMatchObject({ entries: [], total: 0, status: "idle" })
    expect((await second.pod.kill("SIGTERM")).code).toBe(0)
  })
})
