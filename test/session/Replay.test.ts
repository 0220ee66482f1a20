import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { encodeLine } from "../../src/protocol/Wire.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { replay } from "../../src/session/Replay.ts"
import { plain, restarted } from "../support/sessionState.ts"

const ref = {
  sessionId: "0197a1c2-0000-7000-8000-000000000001",
  segmentId: "0197a1c2-0000-7000-8000-000000000002"
}
const ts = 1_780_000_000_000
const config = { max_tokens: null, temperature: null, top_p: null, top_k: null, stop_sequences: [], reasoning: null }
const user = (text: string): LogEntry => ({ kind: "user_input", ts, segments: [{ kind: "text", content: text }] })
const said = (text: string) => ({ kind: "message", role: "user", content: [{ kind: "text", text }] })
const mark = (payload: object): LogEntry => ({ kind: "extension", ts, domain: "pod.mark", payload: payload as never })

const entries: ReadonlyArray<LogEntry> = [
  { kind: "segment_start", ts, session_id: ref.sessionId, system_prompt: "prömpt", config, history: [] },
  { kind: "extension", ts, domain: "pod.scope", payload: { allow: [], deny: [] } },
  { kind: "extension", ts, domain: "pod.format", payload: { version: 1 } },
  { kind: "extension", ts, domain: "pod.run", payload: { op: "start", run_id: "r1", leg: 1, kind: "run" } },
  { kind: "invoke", ts, trigger: "user_send", run_id: "r1", leg: 1 },
  user("héllo 👋"),
  {
    kind: "assistant_item",
    ts,
    turn: 0,
    block: 0,
    run_id: "r1",
    leg: 1,
    item: { kind: "tool_call", call_id: "c1", name: "Bash", arguments: "{}" }
  },
  { kind: "extension", ts, domain: "pod.tool", payload: { op: "started", call_id: "c1", name: "Bash", run_id: "r1" } }
]

const bytesOf = (log: ReadonlyArray<LogEntry>) => new TextEncoder().encode(log.map(encodeLine).join(""))

const replayBytes = (bytes: Uint8Array) =>
  Effect.gen(function* () {
    const file = yield* (yield* SessionStore).create(ref)
    yield* file.append(bytes, { at: 0, sync: false })
    return yield* restarted(file)
  }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))

const errorOf = <A, E>(exit: Exit.Exit<A, E>) => (Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : undefined)

describe("Replay", () => {
  it.effect("folds what was committed: a leg without an end is open, its call is started and unanswered", () =>
    Effect.gen(function* () {
      const { index, state, tornBytes } = yield* replayBytes(bytesOf(entries))
      expect(tornBytes).toBe(0)
      expect(state.run).toMatchObject({ runId: "r1", leg: 1, kind: "run", state: "open", turns: 1 })
      expect(Array.from(state.openCalls.values(), ({ call, started }) => [call.call_id, started])).toEqual([
        ["c1", true]
      ])
      expect(state.systemPrompt).toBe("prömpt")
      expect(state.turnCount).toBe(1)
      // Control records are in the file and not in the log; the scope record is the log's own.
      expect([index.lines, index.entries]).toEqual([8, 5])
    })
  )

  it.effect("cut at any byte, the file yields exactly its complete lines and says how much is torn", () =>
    Effect.gen(function* () {
      const bytes = bytesOf(entries)
      for (let cut = 0; cut <= bytes.length; cut++) {
        const part = bytes.subarray(0, cut)
        const committed = part.lastIndexOf(0x0a) + 1
        const { index, tornBytes } = yield* replayBytes(part)
        expect(index.bytes).toBe(committed)
        expect(tornBytes).toBe(cut - committed)
      }
    })
  )

  it.effect("a committed line that cannot be read is refused with its line and byte", () =>
    Effect.gen(function* () {
      const good = bytesOf(entries.slice(0, 2))
      for (const bad of ["{nope}\n", "\xff\xfe\n", '{"kind":"surprise","ts":1}\n', "[]\n"]) {
        const badBytes = bad.startsWith("\xff") ? new Uint8Array([0xff, 0xfe, 0x0a]) : new TextEncoder().encode(bad)
        const bytes = new Uint8Array([...good, ...badBytes, ...bytesOf(entries.slice(2))])
        const failure = errorOf(yield* Effect.exit(replayBytes(bytes)))
        expect(failure).toMatchObject({ value: { reason: "Corrupt", line: 2, byte: good.length } })
      }
    })
  )

  it.effect("a newer format is refused with its version", () =>
    Effect.gen(function* () {
      const log: ReadonlyArray<LogEntry> = [
        ...entries.slice(0, 2),
        { kind: "extension", ts, domain: "pod.format", payload: { version: 7 } }
      ]
      const failure = errorOf(yield* Effect.exit(replayBytes(bytesOf(log))))
      expect(failure).toMatchObject({ value: { reason: "Newer" } })
      expect(String(failure?._tag === "Some" ? failure.value.message : "")).toContain("format 7")
    })
  )

  it.effect("what a mark hides is not in the log, and is back when the mark is lifted", () =>
    Effect.gen(function* () {
      const log = [...entries.slice(0, 3), user("a"), user("b"), mark({ op: "rewind", from: 4, to: 5 }), user("c")]
      const hidden = yield* replayBytes(bytesOf(log))
      expect(hidden.state.history).toHaveLength(2)
      expect(hidden.index.entries).toBe(4)
      const undone = yield* replayBytes(bytesOf([...log, mark({ op: "undo", mark: 5 })]))
      expect(undone.state.history).toHaveLength(3)
      expect(undone.index.entries).toBe(5)
    })
  )

  it.effect("runs that were undone are taken back on the way: the file is read once", () =>
    Effect.gen(function* () {
      const run = (id: string): ReadonlyArray<LogEntry> => [
        { kind: "invoke", ts, trigger: "user_send", run_id: id, leg: 1, more: 2 },
        { ...user(id), more: 1 } as LogEntry,
        { kind: "extension", ts, domain: "pod.run", payload: { op: "start", run_id: id, leg: 1, kind: "run" } }
      ]
      const undone = (from: number, to: number) => mark({ op: "rollback", from, to, run_id: "r", leg: 1 })
      const opening = entries.slice(0, 3).map((entry, i) => ({ ...entry, more: 5 - i }) as LogEntry)
      const log = [...opening, ...run("a"), undone(3, 6), ...run("b"), user("kept"), ...run("c"), undone(11, 14)]
      const file = yield* (yield* SessionStore).create(ref)
      yield* file.append(bytesOf(log), { at: 0, sync: false })
      let reads = 0
      const counted = {
        ...file,
        read: (from: number, to: number) => Effect.suspend(() => (reads++, file.read(from, to)))
      }
      const { content } = yield* replay(counted, { sessions: yield* SessionStore })
      expect(reads).toBe(1)
      const { history, held, run: open } = yield* plain(content.state)
      expect(history.map(({ item }) => item)).toEqual([said("b"), said("kept")])
      expect([content.index.entries, held, open]).toEqual([5, true, undefined])
      expect(content.points.list(5).map(({ preview }) => preview)).toEqual(["kept", "b"])
    }).pipe(Effect.scoped, Effect.provide(MemoryStore.layer))
  )

  it.effect("a line longer than the reading window is read whole", () =>
    Effect.gen(function* () {
      const long = "x".repeat(3 << 20)
      const { state } = yield* replayBytes(bytesOf([...entries.slice(0, 3), user(long), user("after")]))
      expect(state.history).toHaveLength(2)
    })
  )

  it.effect("a log of the seed, without records of ours, is readable, and its cut run is seen", () =>
    Effect.gen(function* () {
      const seed: ReadonlyArray<LogEntry> = [
        entries[0] as LogEntry,
        { kind: "invoke", ts, trigger: "user_send" },
        user("hi")
      ]
      expect((yield* replayBytes(bytesOf(seed))).state.run?.state).toBe("open")
      const ended = [...seed, { kind: "run_completed", ts, interrupted: false, result: "finished" } as const]
      expect((yield* replayBytes(bytesOf(ended))).state.run).toBeUndefined()
    })
  )
})
