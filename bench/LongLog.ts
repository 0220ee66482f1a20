/**
 * Sessions with a long past: made by turns of a real pod, started again, attached to, read from, forked.
 */
import { appendFileSync, readdirSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import type { Client } from "./Client.ts"
import { now, sleep, within } from "./Clock.ts"
import * as Disk from "./Disk.ts"
import * as Measure from "./Measure.ts"
import * as Proc from "./Proc.ts"
import { median, type Values } from "./Rows.ts"
import type * as Subject from "./Subject.ts"

interface Past {
  readonly turns: number
  /** Texts with a tool call in one turn: each makes three entries. */
  readonly steps: number
  /** Of each text, and of the arguments of each call. */
  readonly bytes: number
}

/** 1,500 entries, 2 KB each. */
const past: Past = { turns: 15, steps: 31, bytes: 2_700 }

/** Gives the place such a past. Measures nothing. */
export const give = (bench: Measure.Bench): Promise<Values> =>
  Measure.withStarted(bench, (started) =>
    Measure.withClient(started, async (client) => {
      for (let turn = 0; turn < past.turns; turn++) {
        const { bytes, steps } = past
        const work = { kind: "work", id: `call_${turn}`, steps, bytes } as const
        await Measure.runOnce(bench.model, client, [work, { kind: "text" }])
      }
      return {}
    })
  )

/** Makes 100,000 entries of 1,500. */
const times = 67

/**
 * The same with 100,000 entries and 200 MB. The turns that the pod has written are written again and again, under other
 * names: to have it write them all, the whole past would be sent to the model hundreds of times.
 */
export const giveLong = async (bench: Measure.Bench): Promise<Values> => {
  await give(bench)
  const home = join(bench.place.root, "home")
  const segment = readdirSync(home, { recursive: true, encoding: "utf8" }).find((name) => name.endsWith(".jsonl"))
  if (segment === undefined) throw new Error(`there is no segment in ${home}`)
  const path = join(home, segment)
  const lines = readFileSync(path, "utf8").trimEnd().split("\n")
  const turns = lines.slice(lines.findIndex((line) => line.includes('"pod.run"')))
  for (let copy = 1; copy < times; copy++)
    appendFileSync(path, turns.map((line) => `${renamed(line, copy)}\n`).join(""))
  return {}
}

/** A line as it would stand in a later copy of its turn: no run, call or generation is there twice. */
const renamed = (line: string, copy: number): string =>
  JSON.stringify(JSON.parse(line), (key, value: unknown) => {
    if (key === "run_id") return `${copy.toString(16).padStart(8, "0")}${String(value).slice(8)}`
    if (key === "call_id") return `${String(value)}_${copy}`
    // Two generations for each turn.
    if (key === "turn" || key === "turn_count") return Number(value) + 2 * past.turns * copy
    return value
  })

/** Nothing is asked of it. */
export const restore = (bench: Measure.Bench): Promise<Values> =>
  Measure.withStarted(bench, async (started) => ({ "restore-1500": started.readyAfter }))

/** Started, read from by clients of both kinds, forked. The peak counts what came before, too. */
export const restoreLong = (bench: Measure.Bench): Promise<Values> =>
  Measure.withStarted(bench, async (started) => {
    const restored = { "restore-long": started.readyAfter, ...peak("restore-long-peak", started) }
    const attached = { "attach-long": await attachFast(started.socket) }
    const slow = attachSlowly(started.socket)
    try {
      await slow.reading
      return await Measure.withClient(started, async (client) => ({
        ...restored,
        ...attached,
        ...(await readEntries(client)),
        ...(await fork(client, bench.place)),
        ...peak("attach-long-peak", started)
      }))
    } finally {
      slow.close()
    }
  })

const peak = (key: "restore-long-peak" | "attach-long-peak", { pid }: Subject.Started): Values => {
  const megabytes = Proc.peakMemory(pid)
  return megabytes === undefined ? {} : { [key]: megabytes }
}

const newline = 0x0a

/** Milliseconds from the connect until the whole snapshot is here: the first line. */
const attachFast = (path: string): Promise<number> =>
  within(
    new Promise((resolve, reject) => {
      const connectedAt = now()
      const socket = connect(path)
      socket.on("data", (piece: Buffer) => {
        if (!piece.includes(newline)) return
        resolve(now() - connectedAt)
        socket.destroy()
      })
      socket.once("error", reject)
      socket.once("close", () => reject(new Error("the connection was closed")))
    }),
    () => "waiting for the snapshot of a long log"
  )

/** Between two pieces that a slow client reads. */
const slowness = 20
/** For so long before the pod's memory is looked at. */
const slowFor = 2_000

/** A client that takes the snapshot at a few megabytes a second. */
const attachSlowly = (path: string) => {
  const socket = connect(path)
  socket.on("data", () => {
    socket.pause()
    setTimeout(() => socket.resume(), slowness)
  })
  socket.on("error", () => {})
  return { reading: sleep(slowFor), close: () => socket.destroy() }
}

const samples = 9

/** Milliseconds of one reply. */
const ask = async (client: Client, method: string, params: object): Promise<number> => {
  const answered = client.next("reply")
  const sentAt = client.send(method, params, method)
  return (await answered).at - sentAt
}

const repeated = async (once: (index: number) => Promise<number>): Promise<number> => {
  const took: Array<number> = []
  for (let index = 0; index < samples; index++) took.push(await once(index))
  return median(took)
}

/** 100 entries in the middle of the log. */
const readEntries = async (client: Client): Promise<Values> => ({
  "read-entries": await repeated(() => ask(client, "read_entries", { from: 50_000, limit: 100 }))
})

/** The first one loads what a start does not. */
const fork = async (client: Client, { root }: Subject.Place): Promise<Values> => {
  const forkAs = (name: string) => ask(client, "fork", { pod_name: name })
  const unique = `${process.pid}-${Math.round(now())}`
  const home = join(root, "home")
  const took = await forkAs(`first-${unique}`)
  const before = Disk.blocks(home)
  await forkAs(`second-${unique}`)
  return { fork: took, "fork-disk": (Disk.blocks(home) - before) / 1024 }
}

const notifications = { first: 20, measured: 100 }

/**
 * Something is recorded, synced and acknowledged, and nothing else happens; beside it the disk alone, with as many
 * bytes and in the same moment.
 */
export const append = (bench: Measure.Bench): Promise<{ readonly floor: Values; readonly pod: Values }> =>
  Measure.withStarted(bench, (started) =>
    Measure.withClient(started, async (client) => {
      await Measure.runOnce(bench.model, client, [{ kind: "text" }])
      const home = join(bench.place.root, "home")
      const notify = () => ask(client, "notify", { message: "The build has finished.", wake: false })
      for (let index = 0; index < notifications.first; index++) await notify()
      const before = Disk.bytes(home)
      const first = await notify()
      const bare = Disk.open(bench.place.root, Disk.bytes(home) - before)
      const took = [first]
      const alone: Array<number> = []
      try {
        for (let index = 1; index < notifications.measured; index++) {
          alone.push(bare.append())
          took.push(await notify())
        }
      } finally {
        bare.close()
      }
      return { floor: { append: median(alone) }, pod: { append: median(took) } }
    })
  )
