import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { interruptNote } from "../../src/knowledge/Wrappers.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fileOf, fresh, isStatus, names, open, until, metadataOf } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { entriesOf, inputs, say, target, texts } from "../support/talk.ts"

describe("fork", () => {
  it.effect("goes on from here with the same past, and neither sees what the other says", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const forked = yield* bench.handle.fork("copy")
      expect(Option.getOrThrow(yield* metadataOf(bench.memory, "copy")).active).toEqual({
        session_id: forked.session_id,
        segment_id: forked.segment_id
      })
      const copy = yield* open(bench.memory, { name: "copy" })
      expect((yield* plain(copy.journal.state)).history).toEqual((yield* plain(bench.journal.state)).history)
      yield* say(bench, "only here")
      const request = yield* say(copy, "only there")
      expect(request.system).toBe("be good")
      expect(texts(request.messages)).toEqual(["one", "assistant", "two", "assistant", "only there"])
      expect(JSON.stringify(yield* entriesOf(bench.handle))).not.toContain("only there")
      // Restarted, it is still what it was.
      const again = yield* open(bench.memory, { name: "copy" })
      const words = texts((yield* say(again, "later")).messages).filter((text) => text !== "assistant")
      expect(words).toEqual(["one", "two", "only there", "later"])
    }).pipe(Effect.scoped)
  )

  it.effect("copies nothing: its first segment names the bytes that it goes on behind", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const { segment_id, session_id } = yield* bench.handle.fork("copy")
      const own = { sessionId: session_id, segmentId: segment_id }
      const lines = fileOf(bench.memory, own)
      expect(names(lines)).toEqual(["segment_start", "pod.scope", "pod.format", "pod.base"])
      expect(lines[0]).toMatchObject({ history: [], forked_from: { segment_id: bench.ref.segmentId } })
      const bytes = bench.memory.bytes(bench.ref)?.length
      expect(lines[3]).toMatchObject({ payload: { segment: bench.ref.segmentId, bytes } })
    }).pipe(Effect.scoped)
  )

  it.effect("shows on the wire the history that it does not copy", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      const [first, ...others] = yield* entriesOf(copy.handle)
      expect(others.map(({ kind }) => kind)).toEqual(["extension"])
      expect(first).toMatchObject({
        kind: "segment_start",
        history: [
          { kind: "message", role: "user", content: [{ kind: "text", text: "one" }] },
          { kind: "message", role: "assistant", content: [{ kind: "text", text: "answer to one" }] }
        ]
      })
    }).pipe(Effect.scoped)
  )

  it.effect("from an earlier place has what was said before it", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      for (const text of ["one", "two", "three"]) yield* say(bench, text)
      const { id } = yield* target(bench.handle, "two")
      yield* bench.handle.fork("copy", id)
      const copy = yield* open(bench.memory, { name: "copy" })
      expect(texts((yield* say(copy, "other")).messages)).toEqual(["one", "assistant", "other"])
      expect(inputs(yield* entriesOf(bench.handle))).toEqual(["one", "two", "three"])
    }).pipe(Effect.scoped)
  )

  it.effect("of a fork of a fork still reads, when both sources are deleted", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.fork("second")
      const second = yield* open(bench.memory, { name: "second" })
      yield* say(second, "two")
      yield* second.handle.fork("third")
      const sessions = yield* Effect.provide(SessionStore, bench.memory.layer)
      for (const ref of bench.memory.segments()) {
        if (ref.sessionId === bench.ref.sessionId || ref.sessionId === second.ref.sessionId) yield* sessions.remove(ref)
      }
      const third = yield* open(bench.memory, { name: "third" })
      expect(texts((yield* say(third, "three")).messages)).toEqual(["one", "assistant", "two", "assistant", "three"])
    }).pipe(Effect.scoped)
  )

  it.effect("in the middle of a run has neither the run nor what waits; its next run closes what was open", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const bench = yield* fresh({ tools: [tool] })
      yield* bench.handle.run("go", { key: "k" })
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      yield* bench.handle.notify("for the first alone")
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      expect([yield* copy.handle.status, yield* copy.handle.inboxSize]).toEqual(["idle", 0])
      const request = yield* say(copy, "next")
      expect(request.messages.find(({ role }) => role === "tool")).toMatchObject({ results: [{ isError: true }] })
      expect(JSON.stringify(request)).not.toContain("for the first alone")
      // Keys belong to a session: the same key is a new input there.
      expect((yield* copy.handle.run("go", { key: "k" })).accepted_seq).toBeGreaterThan(0)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a name that is taken, a name that is none, a place that is none, and a pod without a past", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      const codes = <A>(effect: Effect.Effect<A, { readonly code: string }>) =>
        Effect.map(Effect.flip(effect), ({ code }) => code)
      expect(yield* codes(bench.handle.fork("copy"))).toBe("invalid_request")
      yield* say(bench, "one")
      expect(yield* codes(bench.handle.fork("bench"))).toBe("conflict")
      expect(yield* codes(bench.handle.fork("a/b"))).toBe("invalid_request")
      const nowhere = { segment_id: bench.ref.segmentId, user_input_entry_index: 0 }
      expect(yield* codes(bench.handle.fork("copy", nowhere))).toBe("not_found")
      expect(bench.memory.segments()).toEqual([bench.ref])
    }).pipe(Effect.scoped)
  )

  it.effect("that the store refuses leaves nothing", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const bench = yield* fresh({ wrap: disk.wrap })
      yield* say(bench, "one")
      disk.set("full")
      expect((yield* Effect.flip(bench.handle.fork("copy"))).code).toBe("storage_error")
      expect(bench.memory.segments()).toEqual([bench.ref])
      disk.set("fine")
      yield* bench.handle.fork("copy")
      expect(bench.memory.segments()).toHaveLength(3)
    }).pipe(Effect.scoped)
  )
})

describe("a fork", () => {
  it.effect("of a run that goes on tells its model that the run was cut", () =>
    Effect.gen(function* () {
      const { begun, tool } = yield* stuck()
      const bench = yield* fresh({ tools: [tool] })
      yield* bench.handle.run("go")
      yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: "c1", name: "Stuck", args: {} }))
      yield* Deferred.await(begun)
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      const { messages } = yield* say(copy, "next")
      expect(messages.map((message) => ("text" in message ? message.text : message.role))).toEqual([
        "go",
        "assistant",
        "tool",
        expect.stringContaining(interruptNote("user")),
        "next"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("works where its source does, with the settings that are recorded for it", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      const pods = yield* Effect.provide(PodStore, bench.memory.layer)
      yield* pods.update("bench", { cwd: "/elsewhere", resolved_manifest_snapshot: { some: "settings" } })
      yield* bench.handle.fork("copy")
      expect(Option.getOrThrow(yield* metadataOf(bench.memory, "copy"))).toMatchObject({
        pod_name: "copy",
        cwd: "/elsewhere",
        resolved_manifest_snapshot: { some: "settings" }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("cannot begin at an input that was sent into a turn", () =>
    Effect.gen(function* () {
      const bench = yield* fresh({ tools: [counting("Act").tool] })
      yield* bench.handle.run("one")
      const call = yield* bench.model.next
      yield* bench.handle.run("steer", { delivery: "steer" })
      yield* call.callTools({ id: "c", name: "Act", args: {} })
      yield* Effect.flatMap(bench.model.next, (next) => next.answer("done"))
      yield* until(bench.take, isStatus("idle"))
      const { id } = yield* target(bench.handle, "steer")
      expect((yield* Effect.flip(bench.handle.fork("copy", id))).code).toBe("not_found")
      expect(Option.isSome(yield* metadataOf(bench.memory, "copy"))).toBe(false)
    }).pipe(Effect.scoped)
  )
})

describe("a fork of a pod whose first input was refused by the store", () => {
  it.effect("is refused like that of one that was never asked anything", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const bench = yield* fresh({ wrap: disk.wrap })
      disk.set("full")
      yield* Effect.flip(bench.handle.run("one"))
      disk.set("fine")
      expect((yield* Effect.flip(bench.handle.fork("copy"))).code).toBe("invalid_request")
      expect(Option.isSome(yield* metadataOf(bench.memory, "copy"))).toBe(false)
      yield* say(bench, "one")
      yield* bench.handle.fork("copy")
    }).pipe(Effect.scoped)
  )
})
