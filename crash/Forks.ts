/** The pods that forks have made: each that was promised is there, and each that is there starts with a past that is whole. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { connectNative } from "../test/support/e2eClient.ts"
import { delivered } from "./JournalFile.ts"
import * as Place from "./Place.ts"
import * as Service from "./Service.ts"
import type { Told } from "./Told.ts"

/** Forks of one story that are started; each costs as much as a round. */
const most = 2

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
  const claims = told.forks.filter((name) => !made.includes(name)).map((name) => `the fork ${name} is lost`)
  for (const name of made.slice(-most)) {
    const service = Service.start(place, program, ["--manifest", Place.manifest(place, modelUrl, name)])
    const { client, snapshot } = await connectNative(await service.ready)
    const numbers = snapshot.entries.flatMap((entry) => delivered(entry) ?? [])
    const twice = numbers.filter((number, at) => numbers.indexOf(number) !== at)
    if (twice.length > 0) claims.push(`the fork ${name} has inputs twice: ${twice.join(", ")}`)
    if (snapshot.entries.length === 0) claims.push(`the fork ${name} has no past`)
    if (snapshot.entries[0]?.kind !== "segment_start") claims.push(`the fork ${name} does not begin with its segment`)
    client.leave()
    service.signal("SIGTERM")
    const how = await service.ended
    if (how !== 0) claims.push(`a stop ended the fork ${name} with ${how}: ${service.said()}`)
  }
  return claims
}
