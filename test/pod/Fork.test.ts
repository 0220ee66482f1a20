import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import type { Answer, PodHandle } from "../../src/pod/PodHandle.ts"
import { interruptNote } from "../../src/knowledge/Wrappers.ts"
import { layerMemory } from "../../layers/runtime/Lease.ts"
import { Lease } from "../../src/runtime/Lease.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { counting, stuck } from "../support/benchTools.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fileOf, fresh, isStatus, names, open, rest, until } from "../support/podBench.ts"
import { plain } from "../support/sessionState.ts"
import { back, entriesOf, inputs, say, target } from "../support/talk.ts"

const texts = (messages: ReadonlyArray<{ readonly role: string; readonly text?: string }>) =>
  messages.map((message) => message.text ?? message.role)

const metadataOf = (memory: MemoryStore.MemoryStore, name: string) =>
  Effect.flatMap(PodStore, (pods) => pods.get(name)).pipe(Effect.provide(memory.layer), Effect.map(Option.getOrThrow))

describe("fork", () => {
  it.effect("goes on from here with the same past, and neither sees what the other says", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const forked = yield* bench.handle.fork("copy")
      expect((yield* metadataOf(bench.memory, "copy")).active).toEqual({
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
      expect(yield* metadataOf(bench.memory, "copy")).toMatchObject({
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
      expect(yield* isPod(bench.memory, "copy")).toBe(false)
    }).pipe(Effect.scoped)
  )
})

/** Stores whose calls a test may bend. */
const bent = (
  memory: MemoryStore.MemoryStore,
  bend: {
    readonly pods?: (pods: PodStore["Service"]) => Partial<PodStore["Service"]>
    readonly sessions?: (sessions: SessionStore["Service"]) => Partial<SessionStore["Service"]>
  }
): Layer.Layer<SessionStore | PodStore> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const pods = yield* PodStore
      const sessions = yield* SessionStore
      return Context.make(SessionStore, SessionStore.of({ ...sessions, ...bend.sessions?.(sessions) })).pipe(
        Context.add(PodStore, PodStore.of({ ...pods, ...bend.pods?.(pods) }))
      )
    })
  ).pipe(Layer.provide(memory.layer))

const isPod = (memory: MemoryStore.MemoryStore, name: string) =>
  Effect.flatMap(PodStore, (pods) => pods.get(name)).pipe(Effect.provide(memory.layer), Effect.map(Option.isSome))

/** A step of a store that stands still until it is let go, and says when it has been reached. */
const gate = Effect.gen(function* () {
  const reached = yield* Deferred.make<void>()
  const opened = yield* Deferred.make<void>()
  return {
    reached: Deferred.await(reached),
    open: Deferred.succeed(opened, undefined),
    pass: Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(opened))
  }
})

const eio = new StorageError({ reason: "Io", operation: "sync directory", path: "pods/copy", message: "EIO" })

/** A fork by its method: how often it was answered, and with what. */
const asked = Effect.fnUntraced(function* (handle: PodHandle, podName: string) {
  const answers: Array<Answer> = []
  yield* handle.submit({ method: "fork", params: { pod_name: podName } }, (answer) => answers.push(answer))
  return answers
})

const codeOf = (answers: ReadonlyArray<Answer>) => answers.map((answer) => (answer.ok ? "ok" : answer.error.code))

describe("a fork that ends late", () => {
  it.effect("is told as it is, when the pod ends while its name is given", () =>
    Effect.gen(function* () {
      const name = yield* gate
      const memory = MemoryStore.make()
      const stores = bent(memory, {
        pods: (pods) => ({
          create: (...args) => Effect.uninterruptible(Effect.tap(pods.create(...args), () => name.pass))
        })
      })
      const life = yield* Scope.make()
      const bench = yield* Scope.provide(open(memory, { stores }), life)
      yield* say(bench, "one")
      const answers = yield* asked(bench.handle, "copy")
      yield* name.reached
      const closing = yield* Effect.forkChild(Scope.close(life, Exit.void))
      yield* rest
      yield* name.open
      yield* Fiber.join(closing)
      expect(codeOf(answers)).toEqual(["ok"])
      const copy = yield* open(memory, { name: "copy" })
      expect(texts((yield* say(copy, "two")).messages)).toEqual(["one", "assistant", "two"])
    }).pipe(Effect.scoped)
  )

  it.effect("leaves nothing and is answered once, when the pod ends before", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const memory = MemoryStore.make()
      const life = yield* Scope.make()
      const bench = yield* Scope.provide(open(memory, { wrap: disk.wrap }), life)
      yield* say(bench, "one")
      disk.set("still")
      const answers = yield* asked(bench.handle, "copy")
      yield* disk.asked
      yield* Scope.close(life, Exit.void)
      expect(codeOf(answers)).toEqual(["not_running"])
      expect(memory.segments()).toEqual([bench.ref])
      expect(yield* isPod(memory, "copy")).toBe(false)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves nothing when its name is there and the store says that it is not", () =>
    Effect.gen(function* () {
      let fails = true
      const memory = MemoryStore.make()
      const stores = bent(memory, {
        pods: (pods) => ({
          create: (...args) => Effect.andThen(pods.create(...args), () => (fails ? Effect.fail(eio) : Effect.void))
        })
      })
      const bench = yield* open(memory, { stores })
      yield* say(bench, "one")
      expect((yield* Effect.flip(bench.handle.fork("copy"))).code).toBe("storage_error")
      expect(memory.segments()).toEqual([bench.ref])
      expect(yield* isPod(memory, "copy")).toBe(false)
      fails = false
      yield* bench.handle.fork("copy")
    }).pipe(Effect.scoped)
  )

  it.effect("keeps its past when its name cannot be taken back: no name leads nowhere", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const stores = bent(memory, {
        pods: (pods) => ({
          create: (...args) => Effect.andThen(pods.create(...args), eio),
          remove: () => Effect.fail(eio)
        })
      })
      const bench = yield* open(memory, { stores })
      yield* say(bench, "one")
      expect((yield* Effect.flip(bench.handle.fork("copy"))).code).toBe("storage_error")
      const copy = yield* open(memory, { name: "copy" })
      expect(texts((yield* say(copy, "two")).messages)).toEqual(["one", "assistant", "two"])
    }).pipe(Effect.scoped)
  )

  it.effect("has failed after 30 seconds; when the store comes back, what it made is gone", () =>
    Effect.gen(function* () {
      const name = yield* gate
      const memory = MemoryStore.make()
      const stores = bent(memory, {
        pods: (pods) => ({
          create: (...args) => Effect.uninterruptible(Effect.andThen(name.pass, pods.create(...args)))
        })
      })
      const bench = yield* open(memory, { stores })
      yield* say(bench, "one")
      const answers = yield* asked(bench.handle, "copy")
      yield* name.reached
      yield* TestClock.adjust("29 seconds")
      expect(codeOf(answers)).toEqual([])
      yield* TestClock.adjust("1 second")
      expect(codeOf(answers)).toEqual(["storage_error"])
      yield* name.open
      yield* rest
      expect(memory.segments()).toEqual([bench.ref])
      expect(yield* isPod(memory, "copy")).toBe(false)
      expect((yield* bench.handle.fork("copy")).pod_name).toBe("copy")
      expect(codeOf(answers)).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("that breaks the store is answered too", () =>
    Effect.gen(function* () {
      const disk = faultyDisk()
      const bench = yield* fresh({ wrap: disk.wrap })
      yield* say(bench, "one")
      disk.set("broken")
      expect((yield* Effect.flip(bench.handle.fork("copy"))).code).toBe("storage_error")
      expect(bench.memory.segments()).toEqual([bench.ref])
    }).pipe(Effect.scoped)
  )
})

describe("forks at once", () => {
  it.effect("to one name: one is made, the other is a conflict and leaves nothing", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const name = yield* gate
      const slow = bent(memory, {
        pods: (pods) => ({ create: (...args) => Effect.andThen(name.pass, pods.create(...args)) })
      })
      const bench = yield* open(memory, { stores: slow })
      yield* say(bench, "one")
      const other = yield* open(memory, { name: "other" })
      yield* say(other, "two")
      // The first has seen that the name is free, the second of the same pod waits, and another pod takes the name.
      const first = yield* asked(bench.handle, "copy")
      yield* name.reached
      const second = yield* asked(bench.handle, "copy")
      const forked = yield* other.handle.fork("copy")
      yield* name.open
      yield* rest
      expect([codeOf(first), codeOf(second)]).toEqual([["conflict"], ["conflict"]])
      expect((yield* metadataOf(memory, "copy")).active?.session_id).toBe(forked.session_id)
      expect(memory.segments()).toHaveLength(4)
      const copy = yield* open(memory, { name: "copy" })
      expect(texts((yield* say(copy, "three")).messages)).toEqual(["two", "assistant", "three"])
    }).pipe(Effect.scoped)
  )

  it.effect("and a start of the same name: who has its lease has the name, and the other leaves nothing", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const leases = yield* Effect.provide(Lease, layerMemory)
      const link = yield* gate
      const slow = bent(memory, {
        sessions: (sessions) => ({ link: (...args) => Effect.andThen(link.pass, sessions.link(...args)) })
      })
      const bench = yield* open(memory, { stores: slow, leases })
      yield* say(bench, "one")
      const start = leases.acquire({ podName: "copy", sessionId: "of-a-pod-that-starts", socket: null })
      // A start begins with the lease, long before anything of the pod can be read.
      const starting = yield* Scope.make()
      yield* Scope.provide(start, starting)
      const { code, message } = yield* Effect.flip(bench.handle.fork("copy"))
      expect([code, message]).toEqual(["conflict", expect.stringContaining('"copy"')])
      expect(memory.segments()).toEqual([bench.ref])
      yield* Scope.close(starting, Exit.void)
      const forking = yield* Effect.forkChild(bench.handle.fork("copy"))
      yield* link.reached
      expect((yield* Effect.flip(start)).reason).toBe("PodHeld")
      yield* link.open
      const forked = yield* Fiber.join(forking)
      yield* start
      expect((yield* metadataOf(memory, "copy")).active?.session_id).toBe(forked.session_id)
    }).pipe(Effect.scoped)
  )

  it.effect("are made one after the other, as the journal was when each was asked for, and 16 may wait", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const link = yield* gate
      let links = 0
      const stores = bent(memory, {
        sessions: (sessions) => ({
          link: (...args) =>
            Effect.suspend(() => {
              links += 1
              return Effect.andThen(link.pass, sessions.link(...args))
            })
        })
      })
      const bench = yield* open(memory, { stores })
      yield* say(bench, "one")
      const answers = yield* Effect.forEach(Array.from({ length: 17 }), (_, i) => asked(bench.handle, `copy${i}`))
      yield* link.reached
      yield* rest
      expect(links).toBe(1)
      expect(answers.flatMap(codeOf)).toEqual(["overloaded"])
      const later = { allow: [{ target: "/w/narrow", permission: "read", recursive: true }], deny: [] }
      yield* bench.journal.commit([{ kind: "extension", domain: "pod.scope", payload: later }], true)
      yield* say(bench, "too late")
      yield* link.open
      yield* rest
      expect(answers.map((each) => codeOf(each)[0])).toEqual([...Array(16).fill("ok"), "overloaded"])
      const copy = yield* open(memory, { name: "copy15" })
      expect(texts((yield* say(copy, "two")).messages)).toEqual(["one", "assistant", "two"])
      const scopes = fileOf(memory, copy.ref).flatMap((entry) =>
        entry.kind === "extension" && entry.domain === "pod.scope" ? [entry.payload] : []
      )
      expect(scopes[0]).toMatchObject({ allow: [{ target: "/w", permission: "write" }] })
      // There is room again.
      yield* bench.handle.fork("copy16")
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
      expect(yield* isPod(bench.memory, "copy")).toBe(false)
      yield* say(bench, "one")
      yield* bench.handle.fork("copy")
    }).pipe(Effect.scoped)
  )
})

describe("rewind over segments", () => {
  it.effect("numbers inputs anew in each segment, and counts what goes in all of them", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      const below = (yield* entriesOf(bench.handle)).length
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      yield* say(copy, "three")
      const own = (yield* entriesOf(copy.handle)).length
      const { head_entries, targets } = yield* copy.handle.rewindTargets
      expect(targets.map(({ preview, turn_index }) => [preview, turn_index])).toEqual([
        ["three", 1],
        ["two", 2],
        ["one", 1]
      ])
      const two = targets.find(({ preview }) => preview === "two")
      if (two === undefined) throw new Error("no target")
      expect(yield* copy.handle.rewindTo(two.id, head_entries)).toMatchObject({
        truncated_to_entries: two.truncate_entries,
        discarded_entries: own + below - two.truncate_entries
      })
    }).pipe(Effect.scoped)
  )

  it.effect(
    "2,000 times back and forward again make the way to the past no longer",
    () =>
      Effect.gen(function* () {
        const bench = yield* fresh()
        yield* say(bench, "one")
        yield* bench.handle.fork("copy")
        const copy = yield* open(bench.memory, { name: "copy" })
        yield* say(copy, "two")
        const { history } = yield* plain(copy.journal.state)
        for (let i = 0; i < 2_000; i++) {
          yield* back(copy.handle, "one")
          yield* copy.handle.undoRewind
        }
        expect(copy.journal.files()).toHaveLength(3)
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
        const again = yield* open(bench.memory, { name: "copy" })
        expect(again.journal.files()).toHaveLength(3)
        expect((yield* plain(again.journal.state)).history).toEqual(history)
        expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["two", "one"])
        yield* back(again.handle, "two")
        expect((yield* plain(again.journal.state)).history).toEqual(history.slice(0, 2))
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect("forks of forks that say nothing stand behind what was said, not behind one another", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* bench.handle.fork("copy")
      const { history } = yield* plain(bench.journal.state)
      let copy = yield* open(bench.memory, { name: "copy" })
      for (const name of ["second", "third"]) {
        yield* copy.handle.fork(name)
        copy = yield* open(bench.memory, { name })
        expect(copy.journal.files().map(({ ref }) => ref.segmentId)).toEqual([
          copy.journal.segmentId(),
          bench.ref.segmentId
        ])
        expect((yield* plain(copy.journal.state)).history).toEqual(history)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a fork can be taken back into the past that it shares, and forward again", () =>
    Effect.gen(function* () {
      const bench = yield* fresh()
      yield* say(bench, "one")
      yield* say(bench, "two")
      yield* bench.handle.fork("copy")
      const copy = yield* open(bench.memory, { name: "copy" })
      yield* say(copy, "three")
      yield* copy.handle.notify("waits", { wake: false })
      const history = (yield* plain(copy.journal.state)).history
      expect((yield* copy.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["three", "two", "one"])
      const { take } = yield* copy.handle.attach
      yield* back(copy.handle, "two")
      const seen = yield* until(take, isStatus("idle"))
      expect(seen.map(({ event }) => event)).toEqual(["segment_rotated", "rewind_applied", "status"])
      expect(seen[1]).toMatchObject({ data: { input: [{ kind: "text", content: "two" }] } })
      expect((yield* copy.handle.inbox).map(({ preview }) => preview)).toEqual(["waits"])
      const again = yield* open(bench.memory, { name: "copy" })
      expect((yield* again.handle.rewindTargets).targets.map(({ preview }) => preview)).toEqual(["one"])
      yield* again.handle.undoRewind
      expect((yield* plain(again.journal.state)).history).toEqual(history)
      const last = yield* open(bench.memory, { name: "copy" })
      expect((yield* plain(last.journal.state)).history).toEqual(history)
      expect((yield* last.handle.inbox).map(({ preview }) => preview)).toEqual(["waits"])
      yield* back(last.handle, "one")
      const request = yield* say(last, "from the start")
      expect(texts(request.messages).filter((text) => !text.includes("waits"))).toEqual(["from the start"])
    }).pipe(Effect.scoped)
  )
})
