/** The pods that forks have made: each that was promised is there, and each that is there starts with the past of its source. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type LogEntry } from "../src/protocol/LogEntry.ts"
import { connectNative } from "../test/support/e2eClient.ts"
import * as Journal from "./JournalFile.ts"
import * as Place from "./Place.ts"
import * as Segments from "./Segments.ts"
import * as Service from "./Service.ts"
import type { Told } from "./Told.ts"

const linesOf = (path: string | undefined): ReadonlyArray<Journal.Line> =>
  path === undefined ? [] : Journal.read(readFileSync(path)).lines

/** Forks of one story that are started; each costs as much as a round. */
const most = 2

/** What the fork says of where it comes from, and what its first entry is filled in with, beside what its source says. */
export const past = (
  name: string,
  own: ReadonlyArray<Journal.Line>,
  source: ReadonlyArray<Journal.Line>,
  first: LogEntry | undefined,
  /** The inputs that the source itself has from what it goes on behind. */
  before: ReadonlyArray<number> = []
): ReadonlyArray<string> => {
  if (first?.kind !== "segment_start") return [`the fork ${name} does not begin with its segment`]
  const base = Segments.baseOf(own)
  if (base === undefined) return [`the fork ${name} does not say what it goes on behind`]
  const count = source.findIndex(({ end }) => end === base.bytes) + 1
  if (count === 0) return [`the fork ${name} goes on behind byte ${base.bytes}, where no line of its source ends`]
  const log = Journal.log(source, count)
  const expected = [...before, ...log.flatMap((entry) => Journal.delivered(entry) ?? [])].join(" ")
  const found = Journal.inherited(first).join(" ")
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
  told: Told,
  unnamed: ReadonlySet<string>
): Promise<ReadonlyArray<string>> => {
  const pods = join(place.home, "data", "pods")
  const made = readdirSync(pods).filter(
    (name) => name.startsWith("fork-") && existsSync(join(pods, name, "metadata.json"))
  )
  const claims = told.forks.filter((name) => !made.includes(name)).map((name) => `the fork ${name} is lost`)
  for (const name of made.slice(-most)) {
    const service = Service.start(place, program, ["--manifest", Place.manifest(place, modelUrl, name)])
    const { client, snapshot } = await connectNative(await service.ready)
    const path = Place.segmentPath(place, name)
    const own = linesOf(path)
    const under = Segments.baseOf(own)
    // The fork has the segment under the same name; what the source has is what counts.
    const source = Segments.read(under === undefined ? undefined : Place.siblingPath(place, under.segment), unnamed)
    const before = Journal.log(source.lines, source.from, source.hidden).flatMap(
      (entry) => Journal.delivered(entry) ?? []
    )
    claims.push(...past(name, own, source.own.lines, snapshot.entries[0], before))
    client.leave()
    service.signal("SIGTERM")
    const how = await service.ended
    if (how !== 0) claims.push(`a stop ended the fork ${name} with ${how}: ${service.said()}`)
  }
  return claims
}
