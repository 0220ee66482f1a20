/** The built program on a journal that was cut or changed: it goes on from what is whole, or says where it cannot. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Journal from "../../crash/JournalFile.ts"
import { makePlace, type Place, run, serve } from "../support/cli.ts"
import { accepted, connectNative } from "../support/e2eClient.ts"
import { journalFile } from "../support/e2eJournal.ts"
import { scriptedManifest } from "../support/script.ts"

const fixture = readFileSync(fileURLToPath(new URL("../fixtures/format1/repaired.jsonl", import.meta.url)), "utf8")

let place: Place
/** The fixture, at home in the place. */
let log: Buffer

beforeEach(() => {
  place = makePlace()
  log = Buffer.from(fixture.replace('"target":"/w"', `"target":"${place.cwd}"`))
})
afterEach(() => place.remove())

/** Makes the bytes the journal of the pod; returns the arguments to serve it. */
const lay = (bytes: Uint8Array): ReadonlyArray<string> => {
  const sessionId = "019e7044-8800-7ec4-b10d-850fe84ce626"
  const segmentId = "019e7044-8800-7000-8000-000000000001"
  const path = join(place.home, "data", "sessions", sessionId, `${segmentId}.jsonl`)
  const metadata = join(place.home, "data", "pods", "scripted", "metadata.json")
  for (const file of [path, metadata]) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(path, bytes, { mode: 0o600 })
  writeFileSync(
    metadata,
    JSON.stringify({ pod_name: "scripted", active: { session_id: sessionId, segment_id: segmentId }, cwd: place.cwd })
  )
  // The fixture has runs that wait; one answer each, and one for the test's own.
  return [
    "--manifest",
    scriptedManifest(
      place.cwd,
      Array.from({ length: 6 }, () => [{ text: "ok" }])
    )
  ]
}

const torn = (): ReadonlyArray<Buffer> => {
  const beside = dirname(journalFile(place))
  return readdirSync(beside)
    .filter((name) => name.includes(".torn-"))
    .map((name) => readFileSync(join(beside, name)))
}

/** It starts on the longest run of whole batches, with the rest put aside, and goes on. */
const expectRestored = async (bytes: Uint8Array): Promise<void> => {
  const { whole } = Journal.read(bytes)
  const pod = await serve(place, lay(bytes))
  const { client } = await connectNative(pod.socket)
  // It may be about to do what has waited.
  const { run_id } = accepted(await client.run("still there?", { delivery: "queue" }))
  await client.next("run_end", ({ data }) => data.run_id === run_id)
  await pod.kill("SIGTERM")
  const after = readFileSync(journalFile(place))
  expect(after.subarray(0, whole).equals(bytes.subarray(0, whole)), "what was whole").toBe(true)
  expect(torn()).toEqual(whole < bytes.length ? [Buffer.from(bytes.subarray(whole))] : [])
  const { lines, unreadable } = Journal.read(after)
  expect(unreadable).toEqual([])
  expect(lines.filter(({ record }) => record?.domain === "pod.repair")).toHaveLength(
    Journal.read(bytes).lines.filter(({ record }) => record?.domain === "pod.repair").length +
      (whole < bytes.length && whole > 0 ? 1 : 0)
  )
}

describe("a journal that was cut", () => {
  it.each([0, 0.001, 0.21, 0.527, 0.63, 0.968, 0.981, 0.9999])(
    "to %d of its length: the pod goes on from what is whole",
    (part) => expectRestored(log.subarray(0, Math.floor(part * log.length)))
  )
})

describe("a journal in which a byte has changed", () => {
  const lines = fixture.split("\n")
  const added = lines.findIndex((line) => line.includes('"op":"add"'))
  const places = [
    ["that is no JSON", 20, () => 0],
    ["that is no text", 14, (line: string) => line.indexOf("Ich")],
    ["of a record that makes no sense", added, (line: string) => line.indexOf('"add"') + 1],
    ["that runs into the next one", 30, (line: string) => Buffer.byteLength(line)]
  ] as const

  it.each(places)("in a line %s: it is refused with file, line and byte", async (_, line, position) => {
    const before = log.toString("utf8").split("\n").slice(0, line)
    const start = before.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0)
    const changed = Buffer.from(log)
    const at = start + position(lines[line] ?? "")
    changed[at] = line === added ? 0x62 : 0xff
    const { code, stderr } = await run(place, ["serve", ...lay(changed)])
    expect([code, stderr]).toEqual([
      5,
      expect.stringContaining(`${journalFile(place)}, line ${line + 1}, byte ${start}: `)
    ])
    expect(readFileSync(journalFile(place)).equals(changed), "the file is as it was").toBe(true)
    expect(torn()).toEqual([])
  })
})
