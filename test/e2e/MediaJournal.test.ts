/** Many large images and documents in one conversation: what they cost, and that nothing of it loses or doubles them. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Shown from "../../src/llm/Shown.ts"
import type { RewindTarget } from "../../src/protocol/Rewind.ts"
import { strictSeedEntry } from "../protocol/strictSeedReader.ts"
import { makePlace, type Place, run as cli, serve } from "../support/cli.ts"
import { dice } from "../support/dice.ts"
import { accepted, connectNative, connectSeed, type NativeClient, turn } from "../support/e2eClient.ts"
import { journalFile } from "../support/e2eJournal.ts"
import { keys, urlOf, vendorManifest } from "../support/e2eManifest.ts"
import { pdf } from "../support/pdf.ts"
import { say, VendorServer } from "../support/VendorServer.ts"

let place: Place
let server: VendorServer

beforeEach(async () => {
  place = makePlace(keys)
  server = await VendorServer.start()
})
afterEach(async () => {
  await server.stop()
  await place.remove()
})

const count = 20
const megabyte = 1_000_000
const upTo = dice(11)
/** In base64, where it looks like a key. */
const keyLike = `+AIza${"Sy".repeat(17)}AA+AA`
const png = (): Uint8Array =>
  Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0]),
    Buffer.from(keyLike, "base64"),
    Buffer.from(Array.from({ length: megabyte }, () => upTo(256)))
  ])
/** Every fourth is a document. In base64, by name. */
const files = Array.from({ length: count }, (_, n) => {
  const isDocument = n % 4 === 3
  const bytes = isDocument ? pdf([`Page of ${n}`], { ballast: megabyte + n }) : png()
  return { name: `f${n}.${isDocument ? "pdf" : "png"}`, bytes, data: Buffer.from(bytes).toString("base64") }
})
const names = files.map(({ name }) => name)
const weight = files.reduce((sum, { data }) => sum + data.length, 0)

const calls = () =>
  files.map(({ name }) => ({ tool: "Read", id: `c-${name}`, args: { file_path: join(place.cwd, name) } }))

/** The files that a text holds whole, each as often as it does. */
const within = (text: string): ReadonlyArray<string> =>
  files.flatMap(({ data, name }) => Array.from({ length: text.split(data).length - 1 }, () => name))

/** What the model was shown with the n-th request. */
const shown = async (n: number) => within(JSON.stringify((await server.request(n)).body))
const last = () => shown(server.requests.length - 1)

const manifest = () =>
  vendorManifest(place, "anthropic", urlOf(server, "anthropic"), "[model.capability]\nvision = true\ndocuments = true")

const started = async (name = "pod") => {
  const pod = await serve(place, ["--pod", name, "--manifest", join(place.cwd, "pod.toml")])
  return { pod, ...(await connectNative(pod.socket)) }
}

/** A pod whose model has looked at all of them at once. */
const looked = async () => {
  for (const { bytes, name } of files) writeFileSync(join(place.cwd, name), bytes)
  manifest()
  const made = await started()
  server.reply(say(calls()), say([{ text: "seen" }]))
  expect((await turn(made.client, "look")).result).toBe("finished")
  return made
}

const again = async (client: NativeClient) => {
  server.reply(say([{ text: "still there" }]))
  expect((await turn(client, "again")).result).toBe("finished")
  return last()
}

/** To before the last input; what is left of the log. */
const goBack = async (client: NativeClient) => {
  const { head_entries, targets } = accepted(await client.request("list_rewind_targets")) as unknown as {
    readonly head_entries: number
    readonly targets: ReadonlyArray<RewindTarget>
  }
  accepted(await client.request("rewind_to", { target: targets[0]?.id, expected_head_entries: head_entries }))
  return (await client.next("rewind_applied")).data.entries
}

interface Entry {
  readonly kind: string
  readonly media?: ReadonlyArray<{ readonly data: string; readonly name: string; readonly type: string }>
}

/** The media of these entries, which must be exactly what was read; results come as they are ready. */
const expectAll = (entries: ReadonlyArray<unknown>) => {
  const media = (entries as ReadonlyArray<Entry>).flatMap((entry) => entry.media ?? [])
  expect(media.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
  const other = media.filter(({ data, name }) => files.find((file) => file.name === name)?.data !== data)
  expect(other.map(({ name }) => name)).toEqual([])
}

const entriesOf = (text: string) =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry)

const sessions = () => join(place.home, "data", "sessions")
/** Of all files below, each counted once whatever its names. */
const onDisk = (directory: string): number => {
  const seen = new Map<number, number>()
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const { ino, size } = statSync(join(directory, name))
    seen.set(ino, size)
  }
  return Array.from(seen.values()).reduce((sum, size) => sum + size, 0)
}

describe("twenty images and documents of a megabyte", { timeout: 120_000 }, () => {
  it("weigh once in the journal, stand whole in every snapshot, and are shown the same after a restart", async () => {
    const { client, pod } = await looked()
    const first = await last()
    expect(first).toEqual(names.slice(-first.length))
    expect(first.length).toBeGreaterThan(4)
    expect(first.length * (files[0]?.data.length ?? 0)).toBeLessThanOrEqual(Shown.maxCharacters)
    expect(await again(client)).toEqual(first)
    const journal = readFileSync(journalFile(place), "utf8")
    expect(within(journal)).toEqual(names)
    expect(journal.length).toBeLessThan(weight + 100_000)
    const other = await connectNative(pod.socket)
    expectAll(other.snapshot.entries)
    const seed = await connectSeed(pod.socket)
    expect((await seed.next("snapshot")).data.entries).toHaveLength(other.snapshot.entries.length)
    await pod.kill("SIGKILL")
    const back = await started()
    expectAll(back.snapshot.entries)
    expect(await again(back.client)).toEqual(first)
    expect(within(readFileSync(journalFile(place), "utf8"))).toEqual(names)
    await back.pod.kill("SIGTERM")
  })

  it("go with a rewind, and cost a fork nothing, which shows them as before", async () => {
    const { client, pod } = await looked()
    const first = await last()
    const before = onDisk(sessions())
    const forked = accepted(await client.request("fork", { pod_name: "copy" }))
    expect(onDisk(sessions()) - before).toBeLessThan(100_000)
    expect(JSON.stringify(await goBack(client)).length).toBeLessThan(100_000)
    expect(await again(client)).toEqual([])
    expect(onDisk(sessions()) - before).toBeLessThan(200_000)
    await pod.kill("SIGTERM")

    const copy = await started("copy")
    const own = join(sessions(), String(forked["session_id"]), `${String(forked["segment_id"])}.jsonl`)
    expect(await again(copy.client)).toEqual(first)
    expect(statSync(own).size).toBeLessThan(100_000)
    await copy.pod.kill("SIGKILL")
    const back = await started("copy")
    expect(await again(back.client)).toEqual(first)
    await back.pod.kill("SIGTERM")
  })

  it("come back to the model when the rewind is undone", async () => {
    const { client, pod } = await looked()
    const first = await last()
    await goBack(client)
    await client.request("undo_rewind")
    expectAll((await client.next("rewind_applied")).data.entries)
    expect(await again(client)).toEqual(first)
    await pod.kill("SIGTERM")
  })

  it("are in the log and in an export, not on the screen, and an import shows them as before", async () => {
    const { pod } = await looked()
    const first = await last()
    for (const state of ["live", "stopped"]) {
      const text = await cli(place, ["log", "pod"])
      expect(text.code, state + text.stderr).toBe(0)
      expect(text.stdout).toContain("f19.pdf")
      expect(text.stdout.length).toBeLessThan(20_000)
      const json = await cli(place, ["log", "pod", "--json"])
      expect(json.code, state + json.stderr).toBe(0)
      expectAll(entriesOf(json.stdout))
      const inspected = await cli(place, ["inspect", "pod"])
      expect(inspected.code, state + inspected.stderr).toBe(0)
      expect(inspected.stdout.length).toBeLessThan(20_000)
      if (state === "live") await pod.kill("SIGTERM")
    }
    const exported = await cli(place, ["export", "pod", "native.jsonl"])
    expect(exported.code, exported.stderr).toBe(0)
    expect(files[0]?.data).toContain(keyLike)
    expectAll(entriesOf(readFileSync(join(place.cwd, "native.jsonl"), "utf8")))
    expect((await cli(place, ["import", "native.jsonl", "--pod", "copy"])).code).toBe(0)
    const copy = await started("copy")
    expectAll(copy.snapshot.entries)
    expect(await again(copy.client)).toEqual(first)
    await copy.pod.kill("SIGTERM")
  })

  it("are left out of an export for the seed, whose import has the words of the results", async () => {
    const { pod } = await looked()
    await pod.kill("SIGTERM")
    const exported = await cli(place, ["export", "pod", "seed.jsonl", "--format", "seed"])
    expect(exported.code, exported.stderr).toBe(0)
    const text = readFileSync(join(place.cwd, "seed.jsonl"), "utf8")
    expect(text.length).toBeLessThan(100_000)
    for (const entry of entriesOf(text)) Schema.decodeUnknownSync(strictSeedEntry)(entry)
    expect((await cli(place, ["import", "seed.jsonl", "--pod", "copy"])).code).toBe(0)
    const copy = await started("copy")
    expect(await again(copy.client)).toEqual([])
    expect(JSON.stringify(server.requests.at(-1)?.body)).toContain("f19.pdf: a PDF document")
    await copy.pod.kill("SIGTERM")
  })
})
