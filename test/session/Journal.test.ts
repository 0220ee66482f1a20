import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { noUsage } from "../../src/protocol/LogEntry.ts"
import type { BroadcastEvent, Envelope } from "../../src/protocol/Event.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { checkpoint as checkpointOf } from "../../src/session/Checkpoint.ts"
import type * as Journal from "../../src/session/Journal.ts"
import type { Attachment } from "../../src/session/Attachment.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { delta, journalOn, ref, say } from "../support/journalBench.ts"
import { plain, restarted } from "../support/sessionState.ts"
import { simulate } from "../support/World.ts"

const rollback = { _tag: "Rollback", segmentId: ref.segmentId, otherwise: [] } as const

/** Everything from an attachment up to and including the event that says `last`. */
const collect = Effect.fnUntraced(function* (
  take: Effect.Effect<ReadonlyArray<Envelope>>,
  isLast: (event: Envelope) => boolean
) {
  const seen: Array<Envelope> = []
  while (!seen.some(isLast)) seen.push(...(yield* take))
  return seen
})
const isAlert = (event: Envelope) => event.event === "alert"
const theEnd: BroadcastEvent = {
  event: "alert",
  data: { level: "warn", source: "pod", message: "end", timestamp_ms: 0 }
}

const entriesOf = (attachment: { readonly entries: (from: number) => Stream.Stream<string, StorageError> }) =>
  Effect.map(
    Stream.runCollect(attachment.entries(0)),
    (pieces) => JSON.parse(`[${pieces.join("")}]`) as Array<LogEntry>
  )

describe("Journal", () => {
  it.effect("numbers events without a hole and marks the durable ones", () =>
    Effect.gen(function* () {
      const { journal } = yield* journalOn()
      const attachment = yield* journal.attach
      yield* journal.commit([say("one")], true)
      yield* journal.emit(delta("a"), delta("b"))
      yield* journal.commit([say("two")], true)
      yield* journal.emit(theEnd)
      const seen = yield* collect(attachment.take, isAlert)
      expect(seen.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
      expect(seen.map((event) => [event.event, event.durable ?? false])).toEqual([
        ["segment_rotated", true],
        ["status", false],
        ["user_message", true],
        ["text_delta", false],
        ["text_delta", false],
        ["user_message", true],
        ["alert", false]
      ])
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("what the store refuses has not happened, and the next commit goes on as if it was never tried", () =>
    Effect.gen(function* () {
      let broken = false
      const { file, journal } = yield* journalOn((real) => ({
        ...real,
        append: (bytes, options) =>
          broken
            ? Effect.fail(
                new StorageError({
                  reason: "Io",
                  operation: "append",
                  path: real.path,
                  message: "disk full",
                  code: "ENOSPC"
                })
              )
            : real.append(bytes, options)
      }))
      yield* journal.commit([say("one")], true)
      const attachment = yield* journal.attach
      broken = true
      const failed = yield* Effect.exit(journal.commit([say("lost")], true))
      expect(Exit.isFailure(failed)).toBe(true)
      expect(journal.state.history).toHaveLength(1)
      broken = false
      yield* journal.commit([say("two")], true)
      yield* journal.emit(theEnd)
      const seen = yield* collect(attachment.take, isAlert)
      expect(seen.map((event) => event.event)).toEqual(["user_message", "alert"])
      expect((yield* restarted(file())).state).toEqual(yield* plain(journal.state))
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("nothing is broadcast before the store has it", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      let gated = false
      const { journal } = yield* journalOn((file) => ({
        ...file,
        append: (bytes, options) =>
          gated
            ? Deferred.succeed(asked, undefined).pipe(
                Effect.andThen(Deferred.await(gate)),
                Effect.andThen(file.append(bytes, options))
              )
            : file.append(bytes, options)
      }))
      yield* journal.commit([say("one")], true)
      gated = true
      const fiber = yield* Effect.forkChild(journal.commit([say("two")], true))
      yield* Deferred.await(asked)
      const before = yield* journal.attach
      expect(before.total).toBe(2)
      expect(journal.state.history).toHaveLength(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      const after = yield* before.take
      expect(after.map((event) => event.event)).toEqual(["user_message"])
      expect(after[0]?.seq).toBe(before.seq + 1)
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("a rollback hides its lines from the log, keeps them in the file, and takes the state back", () =>
    Effect.gen(function* () {
      const { file, journal } = yield* journalOn()
      yield* journal.commit([say("kept")], true)
      const checkpoint = checkpointOf(journal.state)
      const before = JSON.stringify(yield* journal.state.history.items)
      const { line } = yield* journal.commit(
        [{ kind: "invoke", trigger: "user_send", run_id: "r", leg: 1 }, say("undone")],
        true
      )
      yield* journal.rollback(
        {
          ...rollback,
          from: line,
          checkpoint,
          runId: "r",
          leg: 1,
          outcome: { result: "rolled_back", usage: noUsage }
        },
        []
      )
      expect(JSON.stringify(yield* journal.state.history.items)).toBe(before)
      const attachment = yield* journal.attach
      expect((yield* entriesOf(attachment)).map((entry) => entry.kind)).toEqual(["segment_start", "user_input"])
      const replayed = yield* restarted(file())
      expect(replayed.index.lines).toBe(6)
      expect(replayed.state).toEqual(yield* plain(journal.state))
      expect(replayed.index.entries).toBe(2)
      // What is committed after a rollback is in the log again.
      yield* journal.commit([say("later")], true)
      expect((yield* restarted(file())).state).toEqual(yield* plain(journal.state))
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("the very first batch can be rolled back, and the lines that opened the segment stay", () =>
    Effect.gen(function* () {
      const { journal } = yield* journalOn()
      const checkpoint = checkpointOf(journal.state)
      const { line } = yield* journal.commit([say("undone")], true)
      const outcome = { result: "rolled_back", usage: noUsage } as const
      yield* journal.rollback({ ...rollback, from: line, checkpoint, runId: "r", leg: 1, outcome }, [])
      const attachment = yield* journal.attach
      expect((yield* entriesOf(attachment)).map((entry) => entry.kind)).toEqual(["segment_start"])
      expect(journal.state.history).toHaveLength(0)
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("a snapshot stays readable while the log grows and is rolled back", () =>
    Effect.gen(function* () {
      const { journal } = yield* journalOn()
      yield* journal.commit([say("one"), say("two")], true)
      const checkpoint = checkpointOf(journal.state)
      const { line } = yield* journal.commit([say("three")], true)
      const attachment = yield* journal.attach
      yield* journal.rollback(
        {
          ...rollback,
          from: line,
          checkpoint,
          runId: "r",
          leg: 1,
          outcome: { result: "rolled_back", usage: noUsage }
        },
        []
      )
      yield* journal.commit([say("four")], true)
      const texts = (yield* entriesOf(attachment)).flatMap((entry) =>
        entry.kind === "user_input" ? entry.segments : []
      )
      expect(texts).toEqual([
        { kind: "text", content: "one" },
        { kind: "text", content: "two" },
        { kind: "text", content: "three" }
      ])
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("a user's message is announced before its invoke, with what was put behind it", () =>
    Effect.gen(function* () {
      const { journal } = yield* journalOn()
      const attachment = yield* journal.attach
      const { seqs } = yield* journal.commit(
        [
          { kind: "invoke", trigger: "user_send", run_id: "r", leg: 1 },
          { ...say("hi"), run_id: "r" } as Journal.Step,
          { emit: { event: "status", data: { status: "running" } } },
          { kind: "extension", domain: "pod.run", payload: { op: "start", run_id: "r", leg: 1, kind: "run" } }
        ],
        true
      )
      const seen = yield* attachment.take
      expect(seen.map((event) => event.event)).toEqual([
        "segment_rotated",
        "status",
        "user_message",
        "status",
        "invoke_start",
        "run_start"
      ])
      expect(seqs).toEqual([5, 3, 4, 6])
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("durable events of this epoch are given again by number", () =>
    Effect.gen(function* () {
      const { journal } = yield* journalOn()
      yield* journal.commit([say("one")], true)
      const first = yield* journal.attach
      yield* journal.emit(delta("x"))
      yield* journal.commit([say("two")], true)
      const second = yield* journal.attach
      expect(second.replay(first.seq)?.map((event) => event.seq)).toEqual([first.seq + 2])
      expect(second.replay(second.seq)).toEqual([])
      expect(second.replay(second.seq + 1)).toBeNull()
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )
})

describe("attach, at any moment", () => {
  const words = ["a", "b", "c", "d", "e", "f", "g", "h"]

  /** A writer that streams two answers and commits them, and clients that attach whenever they happen to run. */
  const scenario = Effect.scoped(
    Effect.gen(function* () {
      const { journal } = yield* journalOn()
      yield* journal.commit(
        [{ kind: "extension", domain: "pod.run", payload: { op: "start", run_id: "r", leg: 1, kind: "run" } }],
        true
      )
      const follow = Effect.fnUntraced(function* (attachment: Attachment) {
        const entries = yield* entriesOf(attachment)
        return { attachment, entries, seen: yield* collect(attachment.take, isAlert) }
      })
      const watch = Effect.scoped(Effect.flatMap(journal.attach, follow))
      const reference = yield* journal.attach
      const writer = Effect.gen(function* () {
        for (let turn = 0; turn < 2; turn++) {
          for (const word of words) yield* journal.emit(delta(word))
          yield* journal.emit({ event: "text_done", data: { text: words.join("") } })
          const item = { kind: "message", role: "assistant", content: [{ kind: "text", text: `${turn}` }] } as const
          yield* journal.commit([{ kind: "assistant_item", item, turn, run_id: "r", leg: 1, block: 0 }], true)
        }
        yield* journal.emit(theEnd)
      })
      const late = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
        Effect.forkChild(
          Effect.andThen(
            Effect.forEach(Array.from({ length: n * 3 }), () => Effect.yieldNow, { discard: true }),
            watch
          )
        )
      )
      // The writer must not end before everybody has attached, or a late one would wait for an end it cannot see.
      yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.yieldNow, { discard: true })
      yield* writer
      yield* Effect.yieldNow
      yield* journal.emit(theEnd)
      const all = yield* follow(reference)
      return { all, late: yield* Effect.forEach(late, (fiber) => Effect.timeoutOption(Fiber.join(fiber), "1 second")) }
    })
  ).pipe(Effect.provide(MemoryStore.layer))

  it("the snapshot and what follows it are what a client from the start has seen, on 300 schedules", async () => {
    let compared = 0
    for (let seed = 0; seed < 300; seed++) {
      const { exit } = await simulate(seed, scenario)
      if (Exit.isFailure(exit)) throw new Error(`seed ${seed}: ${String(exit.cause)}`)
      const { all, late } = exit.value
      const reference = all.seen
      expect(reference.map((event) => event.seq)).toEqual(reference.map((_, i) => all.attachment.seq + 1 + i))
      for (const result of late) {
        if (result._tag === "None") continue
        const { attachment, entries, seen } = result.value
        compared += 1
        const expected = reference.filter((event) => event.seq > attachment.seq).slice(0, seen.length)
        expect(seen.slice(0, expected.length), `seed ${seed}`).toEqual(expected)
        const committed = reference.filter(
          (event) => event.event === "assistant_item" && event.seq <= attachment.seq
        ).length
        expect(
          entries.filter((entry) => entry.kind === "assistant_item"),
          `seed ${seed}`
        ).toHaveLength(committed)
        const deltas = reference.filter((event) => event.seq <= attachment.seq && event.event === "text_delta")
        const open = deltas
          .slice(committed * words.length)
          .map((event) => (event.event === "text_delta" ? event.data.text : ""))
        expect(attachment.inFlight?.blocks.map((block) => block.text).join("") ?? "", `seed ${seed}`).toBe(
          open.join("")
        )
      }
    }
    expect(compared).toBeGreaterThan(600)
  })
})
