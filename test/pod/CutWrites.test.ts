import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { PodWorld } from "../../layers/PodLive.ts"
import * as PodTest from "../../layers/PodTest.ts"
import * as LeaseLive from "../../layers/runtime/Lease.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { LlmClient } from "../../src/llm/LlmClient.ts"
import * as Pod from "../../src/pod/Pod.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { Lease } from "../../src/runtime/Lease.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { type SegmentRef, SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { fileOf, isEvent, isStatus, names, open, rest, until } from "../support/podBench.ts"
import { badRequest } from "../support/ProbeModel.ts"
import { directory, manifestFor } from "../support/workspace.ts"

const ts = 1_780_000_000_000
const config = { max_tokens: null, temperature: null, top_p: null, top_k: null, stop_sequences: [], reasoning: null }

/** A store that holds one segment of the pod "bench": the first `lines` lines of what another one has written. */
const cutAt = Effect.fnUntraced(function* (whole: MemoryStore.MemoryStore, ref: SegmentRef, lines: number) {
  const memory = MemoryStore.make()
  const text = whole
    .lines(ref)
    .slice(0, lines)
    .map((line) => `${line}\n`)
    .join("")
  yield* write(memory, ref, text)
  return memory
})

const write = (memory: MemoryStore.MemoryStore, ref: SegmentRef, text: string, podName = "bench") =>
  Effect.gen(function* () {
    const file = yield* (yield* SessionStore).create(ref)
    yield* file.append(new TextEncoder().encode(text), { at: 0, sync: true })
    yield* (yield* PodStore).update(podName, {
      active: { session_id: ref.sessionId, segment_id: ref.segmentId },
      cwd: "/w"
    })
  }).pipe(Effect.scoped, Effect.provide(memory.layer))

/** A run with a tool, a notification that it takes, one that is rolled back, and a queued one. */
const history = Effect.fnUntraced(function* () {
  const memory = MemoryStore.make()
  const echo = Tool.make({
    name: "Echo",
    description: "says it again",
    parameters: Schema.Struct({}),
    idempotent: true,
    run: () => Effect.succeed({ summary: "echo" })
  })
  const { handle, model, ref } = yield* open(memory, { tools: [echo] })
  const { take } = yield* handle.attach
  yield* handle.run("alpha", { key: "ka" })
  const first = yield* model.next
  yield* handle.notify("bravo", { key: "kb" })
  yield* handle.run("charlie", { delivery: "queue", key: "kc" })
  yield* first.callTools({ id: "c1", name: "Echo", args: {} })
  yield* Effect.flatMap(model.next, (call) => call.answer("ok"))
  yield* Effect.flatMap(model.next, (call) => call.answer("ok too"))
  yield* until(take, isStatus("idle"))
  yield* until(take, isStatus("idle"))
  yield* handle.notify("delta", { wake: false })
  yield* handle.run("echo")
  yield* model.next
  yield* handle.cancel
  yield* until(take, isEvent("run_end"))
  yield* handle.shutdown
  return { memory, ref }
})

const places = (log: ReadonlyArray<string>, inbox: ReadonlyArray<{ readonly preview: string }>, word: string) =>
  log.filter((line) => line.includes(`"${word}"`)).length + inbox.filter((item) => item.preview === word).length

describe("a write that was cut between two lines of one batch", () => {
  it.effect("loses no accepted input and keeps none twice, wherever it was cut", () =>
    Effect.gen(function* () {
      const { memory: whole, ref } = yield* history()
      const lines = whole.lines(ref)
      const wrong: Array<string> = []
      for (let cut = 1; cut <= lines.length; cut++) {
        yield* Effect.gen(function* () {
          const kept = lines.slice(0, cut)
          // A batch without its last line was never acknowledged.
          while (kept.at(-1)?.includes('"more":') === true) kept.pop()
          const { handle, journal, model } = yield* open(yield* cutAt(whole, ref, cut))
          // Nothing flows by itself here, so that what was restored can be looked at.
          expect(model.open()).toBeLessThanOrEqual(1)
          const { entries } = yield* handle.readEntries(0, 1_000)
          const inbox = Array.from(journal.state.inbox.values())
          for (const word of ["bravo", "charlie", "delta"]) {
            const added = kept.some((line) => line.includes('"op":"add"') && line.includes(`"preview":"${word}"`))
            const count = places(entries, inbox, word)
            if (added && count !== 1) wrong.push(`line ${cut}: ${word} ${count} times`)
          }
        }).pipe(Effect.scoped)
      }
      expect(wrong).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("leaves no run without an end, and no input of a run that never was", () =>
    Effect.gen(function* () {
      const { memory: whole, ref } = yield* history()
      const wrong: Array<string> = []
      for (let cut = 1; cut <= whole.lines(ref).length; cut++) {
        yield* Effect.gen(function* () {
          const memory = yield* cutAt(whole, ref, cut)
          yield* open(memory)
          const file = fileOf(memory, ref)
          const invoked = file.flatMap((entry) => (entry.kind === "invoke" ? [entry.run_id] : []))
          const ended = new Set(
            file.flatMap((entry) =>
              entry.kind === "run_completed" || entry.kind === "run_errored"
                ? [entry.run_id]
                : entry.kind === "extension" && entry.domain === "pod.mark"
                  ? [(entry.payload as { readonly run_id?: string }).run_id]
                  : []
            )
          )
          // A pod that flows on by itself has started the last one just now.
          for (const runId of invoked.slice(0, -1)) if (!ended.has(runId)) wrong.push(`line ${cut}: ${runId}`)
          const last = file.at(-1)
          if (last !== undefined && (last.kind === "invoke" || last.kind === "user_input")) {
            wrong.push(`line ${cut}: ends with ${last.kind}`)
          }
        }).pipe(Effect.scoped)
      }
      expect(wrong).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("of the opening: the segment gets its scope and its format all the same", () =>
    Effect.gen(function* () {
      const { memory: whole, ref } = yield* history()
      for (const cut of [1, 2]) {
        yield* Effect.gen(function* () {
          const memory = yield* cutAt(whole, ref, cut)
          const { handle, model } = yield* open(memory)
          yield* handle.run("go")
          yield* model.next
          const file = names(fileOf(memory, ref))
          expect(file.slice(0, 3), `cut behind line ${cut}`).toEqual(["segment_start", "pod.scope", "pod.format"])
        }).pipe(Effect.scoped)
      }
    }).pipe(Effect.scoped)
  )
})

describe("a session of the seed", () => {
  const ref = {
    sessionId: "0197a1c2-0000-7000-8000-000000000001",
    segmentId: "0197a1c2-0000-7000-8000-000000000002"
  }
  const seed: ReadonlyArray<LogEntry> = [
    { kind: "segment_start", ts, session_id: ref.sessionId, system_prompt: "be good", config, history: [] },
    {
      kind: "extension",
      ts,
      domain: "pod.scope",
      payload: { allow: [{ target: "/w", permission: "write", recursive: true }], deny: [] }
    },
    { kind: "invoke", ts, trigger: "user_send" },
    { kind: "user_input", ts, segments: [{ kind: "text", content: "hi" }] },
    { kind: "turn_end", ts, turn_count: 1 },
    { kind: "run_completed", ts, interrupted: false, result: "finished" }
  ]
  const textOf = (entries: ReadonlyArray<LogEntry>) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")

  it.effect("that gets records of ours says of which format they are", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      yield* write(memory, ref, textOf(seed))
      const { handle, model } = yield* open(memory)
      yield* handle.run("go")
      yield* model.next
      const file = names(fileOf(memory, ref)).slice(seed.length)
      expect(file.indexOf("pod.format")).toBeGreaterThanOrEqual(0)
      expect(file.indexOf("pod.format")).toBeLessThan(file.indexOf("pod.run start"))
    }).pipe(Effect.scoped)
  )

  it.effect("that was cut in a run is closed without inventing an empty run id", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      yield* write(memory, ref, textOf(seed.slice(0, 4)))
      yield* open(memory)
      const terminal = fileOf(memory, ref).at(-1)
      expect(terminal).toMatchObject({ kind: "run_errored", outcome: { result: "interrupted" } })
      expect((terminal as { readonly run_id?: string }).run_id).not.toBe("")
    }).pipe(Effect.scoped)
  )
})

describe("what a start finds", () => {
  it.effect("a receipt of a session that is not synced does not say that it was", () => {
    const store = MemoryStore.make()
    return Effect.gen(function* () {
      const manifest = yield* manifestFor(yield* directory, "loose", { session: { durability: "os" } })
      const start = Effect.scoped(
        Effect.flatMap(Pod.make(manifest), (pod) => pod.notify("n", { key: "k", wake: false }))
      )
      const given = yield* start
      expect(given).toMatchObject({ synced: false })
      expect(yield* start).toEqual({ ...given, accepted_seq: 0 })
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([], store)))
  })

  it.effect("a queue that waited for a person still waits, whatever turned by itself in between", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const first = yield* open(memory)
      const { take } = yield* first.handle.attach
      yield* first.handle.run("one")
      const call = yield* first.model.next
      yield* first.handle.run("queued", { delivery: "queue" })
      yield* call.fail(badRequest)
      yield* until(take, isStatus("idle"))
      yield* first.handle.notify("a turn of its own")
      yield* Effect.flatMap(first.model.next, (next) => next.answer("noted"))
      yield* until(take, isStatus("idle"))
      yield* rest
      expect(yield* first.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      yield* first.handle.shutdown
      const second = yield* open(memory)
      yield* rest
      expect(yield* second.handle.waitingOn).toMatchObject({ kind: "inbox_held" })
      expect(second.model.open()).toBe(0)
    }).pipe(Effect.scoped)
  )
})

describe("the name of a session", () => {
  const named = Effect.flatMap(directory, (cwd) => manifestFor(cwd, "named"))

  it.effect("is read again once the lease is held: another owner may have made it meanwhile", () => {
    const store = MemoryStore.make()
    return Effect.gen(function* () {
      const manifest = yield* named
      const real = yield* Lease
      let raced = false
      const context = yield* Effect.context<PodWorld | LlmClient>()
      // Between looking for the session and getting the lease, another owner of the name lives and ends.
      const racing = Lease.of({
        acquire: (request) =>
          Effect.gen(function* () {
            if (!raced) {
              raced = true
              const ended = yield* Effect.scoped(
                Effect.flatMap(Pod.make(manifest), (pod) => Effect.as(pod.runToEnd("from the other"), pod.sessionId))
              ).pipe(Effect.provide(context), Effect.provideService(Lease, real), Effect.orDie)
              expect(ended).toBeDefined()
            }
            return yield* real.acquire(request)
          })
      })
      const pod = yield* Pod.make(manifest).pipe(Effect.provideService(Lease, racing))
      yield* pod.runToEnd("mine")
      expect(store.segments()).toHaveLength(1)
      const [segment] = store.segments()
      const lines = segment === undefined ? [] : store.lines(segment)
      expect(lines.filter((line) => line.includes("from the other") || line.includes('"mine"'))).toHaveLength(2)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.merge(
          PodTest.layer([{ steps: [{ text: "ok" }] }, { steps: [{ text: "ok" }] }], store),
          LeaseLive.layerMemory
        )
      )
    )
  })

  it.effect("that a start names is remembered before anything is accepted into it, or the start fails", () => {
    const store = MemoryStore.make()
    return Effect.gen(function* () {
      const manifest = yield* named
      const other = {
        sessionId: "0197a1c2-0000-7000-8000-00000000000a",
        segmentId: "0197a1c2-0000-7000-8000-00000000000b"
      }
      const segmentStart = JSON.stringify({
        kind: "segment_start",
        ts,
        session_id: other.sessionId,
        system_prompt: "p",
        config,
        history: []
      })
      const scope = JSON.stringify({
        kind: "extension",
        ts,
        domain: "pod.scope",
        payload: { allow: manifest.scope.allow, deny: [] }
      })
      yield* write(store, other, `${segmentStart}\n${scope}\n`, "somebody-else")
      const pods = yield* PodStore
      const failing = PodStore.of({
        ...pods,
        update: (name) =>
          Effect.fail(
            new StorageError({ reason: "Io", operation: "update", path: name, message: "read-only file system" })
          )
      })
      const started = yield* Effect.exit(
        Effect.scoped(Effect.flatMap(Pod.make(manifest, { session: other }), (pod) => pod.runToEnd("accepted"))).pipe(
          Effect.provideService(PodStore, failing)
        )
      )
      const remembered = yield* pods.get("named")
      const points = remembered._tag === "Some" && remembered.value.active?.segment_id === other.segmentId
      // Either the input was not accepted, or the next start of that name finds it.
      expect(started._tag === "Failure" || points).toBe(true)
    }).pipe(Effect.scoped, Effect.provide(PodTest.layer([{ steps: [{ text: "ok" }] }], store)))
  })
})
