/** The pods that forks have made: each that was promised is there, and each that is there starts with the past of its source. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type LogEntry } from "../src/protocol/LogEntry.ts"
import { messageText } from "../src/protocol/Item.ts"
import { connectNative } from "../test/support/e2eClient.ts"
import * as Journal from "./JournalFile.ts"
import * as Place from "./Place.ts"
import * as Service from "./Service.ts"
import type { Told } from "./Told.ts"

const linesOf = (path: string | undefined): ReadonlyArray<Journal.Line> =>
  path === undefined ? [] : Journal.read(readFileSync(path)).lines

/** Forks of one story that are started; each costs as much as a round. */
const most = 2

/** The inputs that the first entry of a fork stands for, in their order. */
const inherited = (first: LogEntry | undefined): ReadonlyArray<number> =>
  first?.kind !== "segment_start"
    ? []
    : first.history.flatMap((item) =>
        item.kind === "message" && item.role !== "assistant" ? (Journal.numberIn(messageText(item)) ?? []) : []
      )

/** What the fork says of where it comes from, and what its first entry is filled in with, beside what its source says. */
export const past = (
  name: string,
  own: ReadonlyArray<Journal.Line>,
  source: ReadonlyArray<Journal.Line>,
  first: LogEntry | undefined
): ReadonlyArray<string> => {
  if (first?.kind !== "segment_start") return [`the fork ${name} does not begin with its segment`]
  const base = own.flatMap(({ record }) => (record?.domain === "pod.base" ? [record.payload] : []))[0]
  if (base === undefined) return [`the fork ${name} does not say what it goes on behind`]
  const count = source.findIndex(({ end }) => end === base.bytes) + 1
  if (count === 0) return [`the fork ${name} goes on behind byte ${base.bytes}, where no line of its source ends`]
  const log = Journal.log(source, count)
  const expected = log.flatMap((entry) => Journal.delivered(entry) ?? []).join(" ")
  const found = inherited(first).join(" ")
  return [
    ...(log.length === base.entries
      ? []
      : [`the fork ${name} counts ${base.entries} entries; there are ${log.length}`]),
    ...(found === expected ? [] : [`the fork ${name} has the inputs ${found} as its past; its source had ${expected}`])
  ]
}

/** What does not hold of them. */
export const check = async (
  place: Place.Place,
  program: string,
  modelUrl: string,
  told: Told
): Promise<ReadonlyArray<string>> => {
  const pods = join(place.home, "data", "pods")
  const made = readdirSync(pods).filter(
    (name) => name.startsWith("fork-") && existsSync(join(pods, name, "metadata.json"))
  )
  const source = linesOf(Place.segmentPath(place))
  const claims = told.forks.filter((name) => !made.includes(name)).map((name) => `the fork ${name} is lost`)
  for (const name of made.slice(-most)) {
    const service = Service.start(place, program, ["--manifest", Place.manifest(place, modelUrl, name)])
    const { client, snapshot } = await connectNative(await service.ready)
    claims.push(...past(name, linesOf(Place.segmentPath(place, name)), source, snapshot.entries[0]))
    client.leave()
    service.signal("SIGTERM")
    const how = await service.ended
    if (how !== 0) claims.push(`a stop ended the fork ${name} with ${how}: ${service.said()}`)
  }
  return claims
}
