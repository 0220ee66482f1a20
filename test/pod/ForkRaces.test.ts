/** Forks beside one another, beside starts, and beside the end of their pod: each one is answered once, as it is. */
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
import { layerMemory } from "../../layers/runtime/Lease.ts"
import { Lease } from "../../src/runtime/Lease.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { faultyDisk } from "../support/faultyDisk.ts"
import { fileOf, fresh, open, rest, metadataOf } from "../support/podBench.ts"
import { say, texts } from "../support/talk.ts"
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
      expect(Option.isSome(yield* metadataOf(memory, "copy"))).toBe(false)
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
      expect(Option.isSome(yield* metadataOf(memory, "copy"))).toBe(false)
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

  it.effect("has failed after 30 seconds; when the store comes what it made is gone", () =>
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
      expect(Option.isSome(yield* metadataOf(memory, "copy"))).toBe(false)
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
      expect(Option.getOrThrow(yield* metadataOf(memory, "copy")).active?.session_id).toBe(forked.session_id)
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
      expect(Option.getOrThrow(yield* metadataOf(memory, "copy")).active?.session_id).toBe(forked.session_id)
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
