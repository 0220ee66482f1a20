/** The disk fails at every call that a pod's life makes to it, in every way; the journal must not lie about any of it. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { PodRefused } from "../../src/pod/PodHandle.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { type SegmentRef, SessionStore } from "../../src/session/SessionStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import * as FaultyStore from "../support/FaultyStore.ts"
import { fileOf, open } from "../support/podBench.ts"
import type { ProbeModel } from "../support/ProbeModel.ts"
import { plain, restarted } from "../support/sessionState.ts"

/** Until nothing moves any more: the stores are in memory and the clock stands. */
const rest = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })

/** What the pod is told, what it says, and what its tools do; over all its starts. */
class Witness {
  readonly accepted: Array<string> = []
  readonly refused: Array<string> = []
  readonly effects: Array<string> = []
  readonly lies: Array<string> = []
  readonly events: Array<Envelope> = []
}

/** Calls of one response: both have an effect that can be counted. */
const effectful = (witness: Witness, isStarted: (id: string) => boolean) =>
  Tool.make({
    name: "Effect",
    description: "does something that can be seen",
    parameters: Schema.Struct({}),
    idempotent: false,
    run: (_, { callId }) =>
      Effect.sync(() => {
        if (!isStarted(callId)) witness.lies.push(`${callId} runs, and the store does not know`)
        witness.effects.push(callId)
        return { summary: "did it" }
      })
  })

/** Answers every call by what it is asked; "slowly" waits for `go`. */
const answering = (model: ProbeModel, go: Deferred.Deferred<void>) => {
  let calls = 0
  return Effect.forever(
    Effect.flatMap(model.next, (call) => {
      const last = JSON.stringify(call.request.messages.at(-1))
      if (last.includes("use tools")) {
        calls += 2
        const names = [calls - 1, calls]
        return call.callTools(...names.map((n) => ({ id: `c${n}`, name: "Effect", args: {} })))
      }
      if (!last.includes("slowly")) return call.answer("ok")
      return Effect.andThen(
        call.push(
          { type: "text_start", index: 0 },
          { type: "delta", index: 0, text: "w" },
          { type: "block_stop", index: 0 }
        ),
        Effect.forkScoped(Effect.andThen(Deferred.await(go), call.answer("ell")))
      )
    })
  )
}

const startedIn = (memory: MemoryStore.MemoryStore) => (id: string) =>
  memory
    .segments()
    .some((ref) => memory.lines(ref).some((line) => line.includes('"pod.tool"') && line.includes(`"call_id":"${id}"`)))

/** Starts the pod; an error must be a typed one, and then the store is mended and it is started again. */
const start = Effect.fnUntraced(function* (
  memory: MemoryStore.MemoryStore,
  stores: FaultyStore.FaultyStore,
  witness: Witness
) {
  const tools = [effectful(witness, startedIn(memory))]
  const first = yield* Effect.exit(open(memory, { stores: stores.layer, tools }))
  if (Exit.isSuccess(first)) return first.value
  const error = Cause.findErrorOption(first.cause)
  if (error._tag === "None" || (error.value as { readonly _tag: string })._tag !== "StorageError") {
    witness.lies.push(`the start broke: ${Cause.pretty(first.cause)}`)
  }
  stores.mend()
  return yield* open(memory, { stores: stores.layer, tools })
})

/** Only the store is at fault here, and a refusal says so. */
const tell = <A>(witness: Witness, name: string, ask: Effect.Effect<A, PodRefused>) =>
  Effect.match(ask, {
    onSuccess: () => {
      witness.accepted.push(name)
    },
    onFailure: ({ code }) => {
      witness.refused.push(name)
      if (code !== "storage_error" && code !== "not_running" && code !== "not_paused") {
        witness.lies.push(`${name} was refused as ${code}`)
      }
    }
  })

/** A run with tools, a queued one, a pause, a resume, notifications, and at the end a run on a store that is mended. */
const life = Effect.fnUntraced(function* (
  memory: MemoryStore.MemoryStore,
  stores: FaultyStore.FaultyStore,
  witness: Witness
) {
  const go = yield* Deferred.make<void>()
  const { handle, journal, model, ref } = yield* start(memory, stores, witness)
  const { take } = yield* handle.attach
  yield* Effect.forkScoped(Effect.forever(Effect.map(take, (events) => void witness.events.push(...events))))
  yield* Effect.forkScoped(answering(model, go))
  yield* tell(witness, "first", handle.run("first: use tools", { key: "k1" }))
  yield* tell(witness, "second", handle.run("second: slowly", { delivery: "queue", key: "k2" }))
  yield* rest
  yield* tell(witness, "news", handle.notify("news", { key: "k3" }))
  yield* Effect.ignore(handle.pause)
  yield* rest
  yield* tell(witness, "third", handle.run("third: use tools", { delivery: "queue", key: "k4" }))
  yield* Effect.ignore(handle.resume)
  yield* rest
  yield* Effect.ignore(handle.cancel)
  yield* rest
  stores.mend()
  yield* tell(witness, "last", handle.run("last: use tools", { key: "k5" }))
  yield* Deferred.succeed(go, undefined)
  yield* rest
  expect(witness.accepted, "the pod goes on when the store does").toContain("last")
  for (let tries = 0; tries < 20 && (yield* handle.status) !== "idle"; tries++) yield* rest
  expect(yield* handle.status).toBe("idle")
  return { handle, journal, ref }
})

const words = { first: "first:", second: "second:", news: "news", third: "third:", last: "last:" } as const

const textsOf = (entry: LogEntry): string =>
  entry.kind === "user_input" || entry.kind === "system_item" ? JSON.stringify(entry) : ""

/** What is in the file says the same as the pod, and nothing that was promised is missing in it. */
const audit = Effect.fnUntraced(function* (
  memory: MemoryStore.MemoryStore,
  ref: SegmentRef,
  witness: Witness,
  live: unknown
) {
  const lies = [...witness.lies]
  const file = yield* Effect.flatMap(SessionStore, (store) => store.open(ref))
  const { index, state } = yield* restarted(file)
  if (live !== undefined && JSON.stringify(live) !== JSON.stringify(stateOf(state))) lies.push("replay is not the pod")
  const entries = fileOf(memory, ref)
  const shown = new Set(
    index
      .view()
      .ranges(0, index.entries, 1)
      .map(({ from }) => from)
  )
  const texts = memory.lines(ref).reduce<{ readonly at: number; readonly texts: ReadonlyArray<string> }>(
    ({ at, texts: before }, line, n) => ({
      at: at + new TextEncoder().encode(line).length + 1,
      texts: [...before, shown.has(at) ? textsOf(entries[n] as LogEntry) : ""]
    }),
    { at: 0, texts: [] }
  ).texts
  for (const [name, word] of Object.entries(words)) {
    const waiting = Array.from(state.inbox.values()).filter((item) => JSON.stringify(item).includes(word)).length
    const count = texts.filter((text) => text.includes(word)).length + waiting
    if (witness.accepted.includes(name) && count !== 1) lies.push(`${name} was accepted and is there ${count} times`)
    if (count > 1) lies.push(`${name} is there ${count} times`)
  }
  const legs = entries.flatMap((entry) => (isRecord(entry, "pod.run") ? [legOf(entry.payload)] : []))
  for (const leg of legs) {
    const ends = entries.flatMap((entry) => (endOf(entry) === leg ? [resultOf(entry)] : []))
    // A run that is paused may be given up: its leg then has one end more.
    if (ends.length !== 1 && ends.join() !== "paused,abandoned") lies.push(`leg ${leg} has the ends ${ends.join()}`)
  }
  const effects = new Set(witness.effects)
  if (effects.size !== witness.effects.length) lies.push(`effects: ${witness.effects.join(" ")}`)
  for (const event of witness.events) {
    if (event.event !== "run_end" || event.data.result !== "failed") continue
    const { code, phase } = event.data.error ?? {}
    if (code !== "storage_error" || phase !== "store") lies.push(`run_end says ${code} in ${phase}`)
  }
  return lies
})

interface Named {
  readonly run_id: string
  readonly leg: number
}

const isRecord = (entry: LogEntry, domain: string): entry is Extract<LogEntry, { readonly kind: "extension" }> =>
  entry.kind === "extension" && entry.domain === domain

const legOf = (payload: unknown) => `${(payload as Named).run_id}/${(payload as Named).leg}`

/** The leg that the entry ends, if it ends one. */
const endOf = (entry: LogEntry): string | undefined => {
  if (entry.kind === "run_completed" || entry.kind === "run_errored") return legOf(entry)
  return isRecord(entry, "pod.mark") ? legOf(entry.payload) : undefined
}

const resultOf = (entry: LogEntry): string =>
  entry.kind === "run_completed" || entry.kind === "run_errored" ? String(entry.outcome?.result) : "rolled_back"

const stateOf = (state: object) =>
  Object.fromEntries(Object.entries(state).map(([key, value]) => [key, value instanceof Map ? [...value] : value]))

const codes = ["ENOSPC", "EIO", "EROFS"] as const
const ways = [
  ["before", "once"],
  ["before", "for good"],
  ["after", "once"],
  ["after", "for good"]
] as const

const faultsOver = (calls: number): ReadonlyArray<FaultyStore.Fault> =>
  Array.from({ length: calls }, (_, at) => at).flatMap((at) =>
    ways.map(([when, lasts], n): FaultyStore.Fault => ({ at, when, lasts, code: codes[(at + n) % 3] ?? "EIO" }))
  )

const name = ({ at, code, lasts, when }: FaultyStore.Fault, call: string | undefined) =>
  `call ${at} (${call}) fails ${lasts} with ${code}, ${when} it happened`

/** The whole life, a stop, and a restart on the mended store. */
const wholeLife = (fault: FaultyStore.Fault | undefined) =>
  Effect.gen(function* () {
    const memory = MemoryStore.make()
    const stores = FaultyStore.make(memory.layer, fault)
    const witness = new Witness()
    const { live, ref } = yield* Effect.scoped(
      Effect.gen(function* () {
        const pod = yield* life(memory, stores, witness)
        const state = stateOf(yield* plain(pod.journal.state))
        const found = yield* Effect.provide(Effect.scoped(audit(memory, pod.ref, witness, state)), memory.layer)
        yield* pod.handle.shutdown
        return { live: found, ref: pod.ref }
      })
    )
    const again = new Witness()
    again.accepted.push(...witness.accepted)
    again.effects.push(...witness.effects)
    const later = yield* Effect.scoped(
      Effect.gen(function* () {
        const { journal } = yield* start(memory, FaultyStore.make(memory.layer), again)
        yield* rest
        const state = stateOf(yield* plain(journal.state))
        return yield* Effect.provide(Effect.scoped(audit(memory, ref, again, state)), memory.layer)
      })
    )
    return { lies: [...live, ...later], calls: stores.calls, witness }
  })

/** What a killed pod has left: a copy of the first `lines` lines, and half a line behind them. */
const killedAt = Effect.fnUntraced(function* (whole: MemoryStore.MemoryStore, ref: SegmentRef, lines: number) {
  const memory = MemoryStore.make()
  const kept = whole.lines(ref).slice(0, lines)
  yield* Effect.gen(function* () {
    const file = yield* (yield* SessionStore).create(ref)
    const text = kept.map((line) => `${line}\n`).join("")
    yield* file.append(new TextEncoder().encode(`${text}{"kind":"user_in`), { at: 0, sync: true })
    const active = { session_id: ref.sessionId, segment_id: ref.segmentId }
    yield* (yield* PodStore).update("bench", { active, cwd: "/w" })
  }).pipe(Effect.scoped, Effect.provide(memory.layer))
  return memory
})

/** A start on what a killed pod has left, on a disk with a fault, and a second one when it is mended. */
const restartOn = (whole: MemoryStore.MemoryStore, ref: SegmentRef, lines: number, fault?: FaultyStore.Fault) =>
  Effect.gen(function* () {
    const memory = yield* killedAt(whole, ref, lines)
    const stores = FaultyStore.make(memory.layer, fault)
    const witness = new Witness()
    const lies = yield* Effect.scoped(
      Effect.gen(function* () {
        const { handle, journal, model } = yield* start(memory, stores, witness)
        const go = yield* Deferred.make<void>()
        yield* Deferred.succeed(go, undefined)
        yield* Effect.forkScoped(answering(model, go))
        stores.mend()
        yield* tell(witness, "last", handle.run("last: go on", { delivery: "queue", key: "k5" }))
        for (let tries = 0; tries < 20 && (yield* handle.status) !== "idle"; tries++) yield* rest
        const state = stateOf(yield* plain(journal.state))
        return yield* Effect.provide(Effect.scoped(audit(memory, ref, witness, state)), memory.layer)
      })
    )
    const torn = Array.from(memory.cutTails().values(), (bytes) => new TextDecoder().decode(bytes))
    const isKept = torn.some((text) => text.endsWith('{"kind":"user_in'))
    return { calls: stores.calls, lies: isKept ? lies : [...lies, "the torn tail is nowhere"] }
  })

describe("a disk that fails", () => {
  it.effect(
    "at any call of a pod's life: nothing accepted is lost, nothing runs that is not recorded",
    () =>
      Effect.gen(function* () {
        const sound = yield* wholeLife(undefined)
        expect(sound.lies).toEqual([])
        expect(sound.witness.accepted).toEqual(["first", "second", "news", "third", "last"])
        expect(sound.witness.effects).toHaveLength(6)
        const found: Array<string> = []
        const faults = faultsOver(sound.calls.length)
        for (const fault of faults) {
          const { calls, lies } = yield* wholeLife(fault)
          found.push(...lies.map((lie) => `${name(fault, calls[fault.at])}: ${lie}`))
        }
        expect(found).toEqual([])
        expect(faults.length).toBeGreaterThan(80)
      }),
    120_000
  )

  it.effect("at any call of a start behind a kill: it is refused or done, and the next one does it", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const { ref } = yield* Effect.scoped(life(memory, FaultyStore.make(memory.layer), new Witness()))
      const cut = memory.lines(ref).findIndex((line) => line.includes('"pod.tool"')) + 1
      const sound = yield* restartOn(memory, ref, cut)
      expect(sound.lies).toEqual([])
      const found: Array<string> = []
      for (const fault of faultsOver(sound.calls.length)) {
        const { calls, lies } = yield* restartOn(memory, ref, cut, fault)
        found.push(...lies.map((lie) => `${name(fault, calls[fault.at])}: ${lie}`))
      }
      expect(found).toEqual([])
    })
  )
})
