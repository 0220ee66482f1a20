/**
 * The three things that are done with a fresh process, from outside: started and put to work at once; lived with for a
 * while; started again where there is a past. Nothing in here looks into it.
 */
import type { Client } from "./Client.ts"
import { sleep } from "./Clock.ts"
import type { Answer, ModelServer, Record } from "./ModelServer.ts"
import * as Proc from "./Proc.ts"
import { median, type Key, type Values } from "./Rows.ts"
import * as Subject from "./Subject.ts"

export interface Bench {
  readonly subject: Subject.Subject
  readonly model: ModelServer
  readonly place: Subject.Place
}

/** What is repeated in one process is measured after a few that are not: the first ones are Node's compiler at work. */
const turnsPerProcess = { first: 10, measured: 20 }
const callsPerProcess = { first: 3, measured: 7 }
const cancelsPerProcess = { first: 2, measured: 5 }
const deltaCount = 2000

/** Until a process has stopped doing things that nobody asked for. */
const settling = 500

const say = (text: string) => ({ input: [{ kind: "text", content: text }] })

const time = (record: Record | undefined, field: "firstByte" | "lastByte" | "closed"): number => {
  const at = record?.[field]
  if (at === undefined) throw new Error(`the model server did not see ${field} of a request`)
  return at
}

const first = (records: ReadonlyArray<Record>): Record => {
  const record = records[0]
  if (record === undefined) throw new Error("the model server saw no request")
  return record
}

interface Run {
  readonly sentAt: number
  readonly endedAt: number
  readonly records: ReadonlyArray<Record>
}

export const runOnce = async (model: ModelServer, client: Client, answers: ReadonlyArray<Answer>): Promise<Run> => {
  await model.play(answers)
  const ended = client.next("run_end")
  const sentAt = client.send("run", say("Is all well?"), "run")
  const { at, data } = await ended
  if (data.result !== "finished") throw new Error(`a run ended ${JSON.stringify(data)}`)
  return { sentAt, endedAt: at, records: await model.take(answers.length) }
}

interface Repeats {
  readonly first: number
  readonly measured: number
}

/** In the order in which they came, without the first ones. */
const repeat = async <A>({ first: skipped, measured }: Repeats, once: (index: number) => Promise<A>) => {
  const results: Array<A> = []
  for (let index = 0; index < skipped + measured; index++) results.push(await once(index))
  return results.slice(skipped)
}

export const withStarted = async <A>(
  { model, place, subject }: Bench,
  use: (started: Subject.Started) => Promise<A>
): Promise<A> => {
  const started = await Subject.start(subject, place, model.url)
  try {
    return await use(started)
  } finally {
    await started.stop()
  }
}

export const withClient = async <A>(started: Subject.Started, use: (client: Client) => Promise<A>): Promise<A> => {
  const client = await started.connect()
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** Work is waiting when it becomes ready. */
export const start = (bench: Bench): Promise<Values> =>
  withStarted(bench, (started) =>
    withClient(started, async (client) => {
      const { records } = await runOnce(bench.model, client, [{ kind: "text" }])
      return { ready: started.readyAfter, "first-request": first(records).arrived - started.spawnedAt }
    })
  )

const turns = async ({ model }: Bench, client: Client): Promise<Values> => {
  const took = await repeat(turnsPerProcess, async () => {
    const { endedAt, records, sentAt } = await runOnce(model, client, [{ kind: "text" }])
    return { request: first(records).arrived - sentAt, end: endedAt - time(records[0], "lastByte") }
  })
  return {
    turn: median(took.map(({ end, request }) => request + end)),
    "turn-request": median(took.map(({ request }) => request)),
    "turn-end": median(took.map(({ end }) => end))
  }
}

/** The median of several calls. */
export const toolCalls = async ({ model }: Bench, client: Client, name: string, args: object): Promise<number> =>
  median(
    await repeat(callsPerProcess, async (index) => {
      const tool: Answer = { kind: "tool", id: `call_${name}_${index}`, name, args }
      const { records } = await runOnce(model, client, [tool, { kind: "text" }])
      return (records[1]?.arrived ?? Number.NaN) - time(records[0], "lastByte")
    })
  )

const deltas = async ({ model }: Bench, client: Client, pid: number): Promise<Values> => {
  const before = { cpu: Proc.cpuSeconds(pid), deltas: client.deltas() }
  const { endedAt, records } = await runOnce(model, client, [{ kind: "deltas", count: deltaCount }])
  const after = Proc.cpuSeconds(pid)
  const seen = client.deltas() - before.deltas
  // A pod may send neighbouring deltas as one; what it must not do is to send none.
  if (seen === 0) throw new Error(`of ${deltaCount} deltas none came`)
  return {
    deltas: endedAt - time(records[0], "firstByte"),
    ...(before.cpu === undefined || after === undefined ? {} : { "deltas-cpu": after - before.cpu })
  }
}

const cancels = async ({ model }: Bench, client: Client): Promise<Values> => {
  const took = await repeat(cancelsPerProcess, async () => {
    await model.play([{ kind: "hang" }])
    const streaming = client.next("text_delta")
    client.send("run", say("Go on."), "run")
    await streaming
    // What the start of the answer set off is over.
    await sleep(30)
    const ended = client.next("run_end")
    const sentAt = client.send("cancel", undefined, "cancel")
    const toClient = (await ended).at - sentAt
    return { toClient, toServer: time((await model.take(1))[0], "closed") - sentAt }
  })
  return {
    "cancel-client": median(took.map(({ toClient }) => toClient)),
    "cancel-closed": median(took.map(({ toServer }) => toServer))
  }
}

/** One process, in the order of a life: idle, a turn, more of them, tools, a long answer, changes of mind. */
export const life = (bench: Bench, wanted: (key: Key) => boolean): Promise<Values> =>
  withStarted(bench, async (started) => {
    const values: { [K in Key]?: number } = {}
    const memory = async (key: "memory-idle" | "memory-turn") => {
      if (!wanted(key) && !wanted(`${key}-own`)) return
      await sleep(settling)
      const used = Proc.memory(started.pid)
      if (used === undefined) return
      values[key] = used.proportional
      values[`${key}-own`] = used.own
    }
    await memory("memory-idle")
    await withClient(started, async (client) => {
      await runOnce(bench.model, client, [{ kind: "text" }])
      await memory("memory-turn")
      Object.assign(values, await turns(bench, client))
      if (wanted("read")) values.read = await toolCalls(bench, client, "Read", { file_path: bench.place.file })
      if (wanted("deltas") || wanted("deltas-cpu")) Object.assign(values, await deltas(bench, client, started.pid))
      if (wanted("cancel-client") || wanted("cancel-closed")) Object.assign(values, await cancels(bench, client))
    })
    return values
  })

/** Calls of Bash in a process of their own: with a sandbox and without are two settings of the same program. */
export const bash = (bench: Bench, ...keys: ReadonlyArray<"bash" | "bash-fenced">): Promise<Values> =>
  withStarted(bench, (started) =>
    withClient(started, async (client) => {
      await runOnce(bench.model, client, [{ kind: "text" }])
      const took = await toolCalls(bench, client, "Bash", { command: "true" })
      return Object.fromEntries(keys.map((key) => [key, took]))
    })
  )

/** Gives the place a past. Measures nothing. */
export const givePast = (bench: Bench, count: number): Promise<Values> =>
  withStarted(bench, (started) =>
    withClient(started, async (client) => {
      for (let turn = 0; turn < count; turn++) await runOnce(bench.model, client, [{ kind: "text" }])
      return {}
    })
  )

/** Nothing is asked of it. */
export const restart = (bench: Bench): Promise<Values> =>
  withStarted(bench, async (started) => ({ restart: started.readyAfter }))
