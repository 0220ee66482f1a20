import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryStore from "../../../layers/store/MemoryStore.ts"
import { PodStore } from "../../../src/session/PodStore.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { podStoreContract } from "./PodStoreContract.ts"
import { bytesOf, refOf, sessionStoreContract, textOf } from "./SessionStoreContract.ts"

sessionStoreContract("MemoryStore", () => {
  const store = MemoryStore.make()
  return {
    layer: store.layer,
    foreign: (ref, text) => store.write(ref, bytesOf(text)),
    saved: (savedTo) => textOf(store.cutTails().get(savedTo) ?? new Uint8Array()),
    isSaved: (savedTo) => store.cutTails().has(savedTo)
  }
})

podStoreContract("MemoryStore", () => MemoryStore.layer)

describe("MemoryStore", () => {
  const ref = refOf(1, 2)

  it.effect("a copy of its bytes stays what it was", () => {
    const store = MemoryStore.make()
    return Effect.scoped(
      Effect.gen(function* () {
        const file = yield* (yield* SessionStore).create(ref)
        yield* file.append(bytesOf("one\n"), { at: 0, sync: true })
        const copy = store.bytes(ref)
        yield* file.append(bytesOf("two\n"), { at: 4, sync: true })
        assert.strictEqual(textOf(copy!), "one\n")
        assert.deepStrictEqual(store.lines(ref), ["one", "two"])
        assert.deepStrictEqual(store.segments(), [ref])
        assert.strictEqual(store.bytes(refOf(8, 9)), undefined)
      })
    ).pipe(Effect.provide(store.layer))
  })

  it.effect("two builds of the plain layer share nothing", () =>
    Effect.gen(function* () {
      const write = Effect.flatMap(PodStore, (store) => store.update("agent", { cwd: "/w" }))
      const names = Effect.flatMap(PodStore, (store) => store.list)
      yield* write.pipe(Effect.provide(MemoryStore.layer, { local: true }))
      assert.deepStrictEqual(yield* names.pipe(Effect.provide(MemoryStore.layer, { local: true })), [])
    })
  )

  it.effect("many small appends stay cheap: the room doubles", () => {
    const store = MemoryStore.make()
    return Effect.scoped(
      Effect.gen(function* () {
        const file = yield* (yield* SessionStore).create(ref)
        const line = bytesOf("a line of text\n")
        for (let n = 0; n < 20_000; n++) yield* file.append(line, { at: n * line.length, sync: false })
        assert.strictEqual(yield* file.size, 20_000 * line.length)
        assert.strictEqual(store.lines(ref).length, 20_000)
      })
    ).pipe(Effect.provide(store.layer))
  })
})
