/**
 * One pod over many lives: it is started, spoken to, killed and started again, and after each start its journal is held
 * against everything that is known. At the end it is left in peace until nothing is open any more.
 */
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { sleep } from "../bench/Clock.ts"
import { Client, decodeNative, type NativeClient, type NativeLine, open } from "../test/support/e2eClient.ts"
import { VendorServer } from "../test/support/VendorServer.ts"
import type { Chance } from "./Chance.ts"
import * as Checks from "./Checks.ts"
import * as Forks from "./Forks.ts"
import * as Journal from "./JournalFile.ts"
import * as Killer from "./Killer.ts"
import * as Model from "./Model.ts"
import * as Place from "./Place.ts"
import * as Script from "./Script.ts"
import * as Segments from "./Segments.ts"
import * as Service from "./Service.ts"
import { Told } from "./Told.ts"

export interface Violation {
  readonly seed: number
  readonly story: number
  readonly round: number
  readonly claim: string
  /** A copy of the pod's durable state, as it was found. */
  readonly kept: string
}

export interface StoryOptions {
  readonly seed: number
  readonly story: number
  readonly rounds: number
  readonly program: string
  readonly unavailable: Set<string>
  /** Copies for violations go here. */
  readonly keepIn: string
}

export interface Tally {
  rounds: number
  restarts: number
  /** Kills before the service was ready. */
  startups: number
  accepted: number
  tools: number
  legs: number
  torn: number
  /** Rewinds, and rewinds that were undone. */
  rewinds: number
  forks: number
  /** Files that the sessions are in at their end. */
  segments: number
  readonly violations: Array<Violation>
}

interface Attached {
  readonly client: NativeClient
  readonly snapshot: Extract<NativeLine, { readonly event: "snapshot" }>["data"]
  readonly seen: Array<NativeLine>
}

/** `see` is told of every line from the welcome on, in the moment in which it is read. */
const attach = async (socket: string, see: (line: NativeLine) => void): Promise<Attached> => {
  const seen: Array<NativeLine> = []
  let welcomed = false
  const client: NativeClient = new Client(await open(socket), (json) => {
    const line = decodeNative(json)
    welcomed ||= line.event === "welcome"
    if (welcomed) {
      seen.push(line)
      see(line)
    }
    return line
  })
  client.send({ method: "hello", id: "hello", params: { protocol: 2, client: "crash/1" } })
  await client.next("welcome")
  return { client, seen, snapshot: (await client.next("snapshot")).data }
}

const torn = [
  `{"kind":"user_inp`,
  `{"kind":"turn_end","turn_count":1,"ts":1,"more":1}\n`,
  `{"kind":"turn_end","turn_count":1,"ts":1,"more":2}\n{"kind":"turn_end","turn_count":1,"ts":1,"more":1}\n{"ki`,
  Buffer.from(`{"kind":"user_input","segments":[{"kind":"text","content":"👋`).subarray(0, -2)
]

const byOthers = `{"kind":"extension","domain":"${Segments.foreign}","payload":{},"ts":0}\n`

export const play = async (options: StoryOptions, chance: Chance, tally: Tally): Promise<void> => {
  const place = Place.make()
  const told = new Told()
  const server = await VendorServer.start()
  const model = Model.make(chance.fork())
  server.otherwise = model.answer
  const manifest = Place.manifest(place, server.anthropicUrl)
  let round = 0
  /** The segments as the last life has left them, and which of them it was in. */
  let before: { readonly path: string | undefined; readonly segments: ReadonlyMap<string, Uint8Array> } | undefined
  /** Segments that were made when the pod was killed, and not named yet: it never was in them. */
  const unnamed = new Set<string>()
  /** Processes of those who were killed; none of them may go on. */
  let orphans: ReadonlyArray<number> = []

  const object = (claim: string): void => {
    const kept = join(options.keepIn, `story-${options.story}-round-${round}`)
    if (!existsSync(kept)) {
      mkdirSync(kept, { recursive: true })
      const data = join(place.home, "data")
      if (existsSync(data)) cpSync(data, join(kept, "data"), { recursive: true })
      for (const [path, bytes] of before?.segments ?? []) writeFileSync(join(kept, `before-${basename(path)}`), bytes)
      writeFileSync(join(kept, "told.json"), JSON.stringify([...told.inputs], undefined, 2))
      writeFileSync(join(kept, "effects.txt"), Place.effects(place).join("\n"))
    }
    tally.violations.push({ seed: options.seed, story: options.story, round, claim, kept })
  }

  /** What must hold of the file, whatever the pod does at the moment. `snapshot` may be older than the file. */
  const inspect = (snapshot: Attached["snapshot"] | undefined, isBusy: boolean): void => {
    const past = Segments.read(Place.segmentPath(place), unnamed)
    const left = before?.path === undefined ? undefined : before.segments.get(before.path)
    if (before !== undefined) {
      const after = Place.segments(place)
      for (const [path, bytes] of before.segments) {
        const now = after.get(path)
        // One that nothing ever named was only being made.
        if (now === undefined) {
          if (path === before.path) return object("the segment is gone")
          continue
        }
        for (const claim of Checks.growth(bytes, now)) object(claim)
      }
      const { whole } = Journal.read(left ?? new Uint8Array())
      if (before.path !== undefined && left !== undefined && whole < left.length) {
        tally.torn += 1
        const tail = left.subarray(whole)
        const copies = Place.sideFiles(before.path, whole)
        if (!copies.some((path) => readFileSync(path).equals(tail)))
          object(`no side file has the ${tail.length} torn bytes`)
      }
    }
    const { from, hidden, lines, own } = past
    const isOpen = isBusy || snapshot?.status === "paused"
    const same = before?.path === Place.segmentPath(place) ? left : undefined
    const claims = [
      ...past.claims,
      ...(own.isWhole || isBusy ? [] : ["the file ends in half a batch"]),
      ...Checks.inputs(lines, told, hidden),
      ...Checks.order(lines, told),
      ...Checks.legs(lines, told.ends, isBusy),
      ...Checks.tools(lines, told, Place.effects(place), isOpen, hidden),
      ...(snapshot === undefined
        ? []
        : Checks.snapshot(
            own.lines,
            Journal.read(same ?? new Uint8Array()).whole,
            snapshot,
            lines.slice(0, from),
            hidden
          ))
    ]
    for (const claim of claims) object(claim)
  }

  const launch = (): Service.Service => {
    if (round > 0) tally.restarts += 1
    return Service.start(place, options.program, ["--manifest", manifest])
  }

  const kill = async (service: Service.Service): Promise<void> => {
    orphans = [...orphans, ...Service.processesIn(place)]
    service.signal("SIGKILL")
    const how = await service.ended
    if (how !== "SIGKILL") object(`the service ended by itself (${how}): ${service.said()}`)
    if (chance.percent(15)) tear()
    before = { path: Place.segmentPath(place), segments: Place.segments(place) }
    const active = before.path === undefined ? "" : basename(before.path, ".jsonl")
    for (const path of before.segments.keys()) {
      const name = basename(path, ".jsonl")
      if (name > active) unnamed.add(name)
    }
    // Half of the time the next one is started while what the last one has started is still being ended.
    if (chance.percent(50)) await expectNoOrphans()
  }

  /** What a power cut may leave, and a kill never does: a write that stops in the middle. */
  const tear = (): void => {
    const path = Place.segmentPath(place)
    const here = path === undefined ? undefined : readFileSync(path)
    // Nobody writes behind a write that was cut.
    if (path === undefined || here === undefined || Journal.read(here).whole < here.length) return
    appendFileSync(path, chance.pick(torn))
  }

  const expectNoOrphans = async (): Promise<void> => {
    const left = await Service.survivors(place, orphans)
    if (left.length > 0) object(`processes of a killed pod run on: ${left.join(", ")}`)
    orphans = []
  }

  /** Killed before it is ready, or just then. */
  const killInStart = async (): Promise<void> => {
    const service = launch()
    await Promise.race([sleep(chance.below(450)), service.ended])
    tally.startups += 1
    await kill(service)
  }

  const live = async (): Promise<void> => {
    const service = launch()
    const socket = await service.ready
    const killer = Killer.make(chance, () => {
      orphans = [...orphans, ...Service.processesIn(place)]
      service.signal("SIGKILL")
    })
    const { client, seen, snapshot } = await attach(socket, (line) => {
      told.see(line)
      killer.see(line)
    })
    if (!service.hasEnded()) inspect(snapshot, true)
    const intrude = (): void => {
      const path = Place.segmentPath(place)
      if (path !== undefined && !service.hasEnded()) appendFileSync(path, byOthers)
    }
    const actor = { client, told, chance, unavailable: options.unavailable, intrude, object }
    killer.begin()
    let gone = false
    const acts: Array<Promise<unknown>> = []
    void killer.done.then(() => (gone = true))
    while (!gone) {
      // An answer that never comes says nothing: the pod is gone.
      const act = Script.act(actor).catch(() => undefined)
      acts.push(act)
      if (chance.percent(70)) await Promise.race([act, killer.done])
      await Promise.race([sleep(chance.below(chance.percent(60) ? 20 : 160)), killer.done])
    }
    await Promise.all([...acts, client.closed])
    const unknown = client.unreadable()
    if (unknown !== undefined) object(unknown)
    const welcome = seen[0]
    for (const claim of Checks.numbers(seen, welcome?.event === "welcome" ? welcome.data.seq : 0)) object(claim)
    await kill(service)
  }

  /** Everything that is open comes to its end, and then nothing may be left. */
  const settle = async (): Promise<void> => {
    model.calm()
    const service = launch()
    const { client, snapshot } = await attach(await service.ready, (line) => told.see(line))
    inspect(snapshot, true)
    await expectNoOrphans()
    const end = Date.now() + Service.patience
    for (;;) {
      const { data } = await client.request("list_inbox")
      const waiting = data.ok ? (data.result as { readonly items: ReadonlyArray<unknown> }).items.length : 0
      // The seed's way to ask: a run that is refused tells that one goes on, a resume that there is nothing to resume.
      const resumed = await client.request("resume")
      const isIdle = !resumed.data.ok && resumed.data.error.code === "not_paused"
      if (isIdle && waiting === 0) break
      if (isIdle) await client.run("let it flow")
      if (Date.now() > end) {
        object(`the pod does not come to rest: ${waiting} items wait`)
        break
      }
      await sleep(20)
    }
    const waiting = Journal.inbox(Segments.read(Place.segmentPath(place), unnamed).lines)
    if (waiting.length > 0) object(`an idle pod has ${waiting.length} items in its inbox`)
    service.signal("SIGTERM")
    const how = await service.ended
    if (how !== 0) object(`a stop ended the service with ${how}: ${service.said()}`)
    before = undefined
    inspect(undefined, false)
    for (const claim of await Forks.check(place, options.program, server.anthropicUrl, told, unnamed)) object(claim)
    const { lines } = Segments.read(Place.segmentPath(place), unnamed)
    tally.accepted += told.inputs.filter(({ outcome }) => outcome === "accepted").length
    tally.tools += Place.effects(place).length
    tally.rewinds += lines.filter(
      ({ record }) => record?.domain === "pod.mark" && record.payload.op !== "rollback"
    ).length
    tally.forks += told.forks.length
    tally.segments += Place.segments(place).size
    tally.legs += lines.filter(({ record }) => record?.domain === "pod.run").length
  }

  try {
    for (; round < options.rounds; round++) {
      tally.rounds += 1
      await (round > 0 && chance.percent(25) ? killInStart() : live())
    }
    await settle()
  } catch (error) {
    object(`it broke off: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    Service.endAll()
    await server.stop()
    Place.remove(place)
  }
}
