/** What every `PodStore` promises. Each layer runs the same suite. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { PodStore } from "../../../src/session/PodStore.ts"

export const podStoreContract = (name: string, make: () => Layer.Layer<PodStore>): void => {
  const test = <A, E>(title: string, body: Effect.Effect<A, E, PodStore>) =>
    it.effect(title, () => Effect.suspend(() => Effect.provide(body, make())))

  describe(`${name}: PodStore`, () => {
    test(
      "an unknown pod is none, and a look at it makes nothing",
      Effect.gen(function* () {
        const store = yield* PodStore
        assert.isTrue(Option.isNone(yield* store.get("agent")))
        assert.deepStrictEqual(yield* store.list, [])
      })
    )

    test(
      "an update changes the fields that it names and keeps the others",
      Effect.gen(function* () {
        const store = yield* PodStore
        yield* store.update("agent", { active: { session_id: "s" }, cwd: "/w" })
        yield* store.update("agent", { spawned_children: [{ pod_name: "child", anything: [1] }] })
        yield* store.update("agent", { active: { session_id: "s", segment_id: "g" } })
        assert.deepStrictEqual(
          yield* store.get("agent"),
          Option.some({
            pod_name: "agent",
            active: { session_id: "s", segment_id: "g" },
            cwd: "/w",
            spawned_children: [{ pod_name: "child", anything: [1] }]
          })
        )
        yield* store.update("agent", { resolved_manifest_snapshot: { pod: { name: "agent" } }, spawned_children: [] })
        assert.deepStrictEqual(
          yield* store.get("agent"),
          Option.some({
            pod_name: "agent",
            active: { session_id: "s", segment_id: "g" },
            cwd: "/w",
            resolved_manifest_snapshot: { pod: { name: "agent" } }
          })
        )
      })
    )

    test(
      "updates at once lose nothing",
      Effect.gen(function* () {
        const store = yield* PodStore
        yield* Effect.all(
          [
            store.update("agent", { cwd: "/w" }),
            store.update("agent", { active: { session_id: "s" } }),
            store.update("agent", { spawned_children: [1] }),
            store.update("agent", { resolved_manifest_snapshot: 2 }),
            store.update("other", { cwd: "/o" })
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(yield* store.list, [
          {
            name: "agent",
            metadata: {
              pod_name: "agent",
              cwd: "/w",
              active: { session_id: "s" },
              spawned_children: [1],
              resolved_manifest_snapshot: 2
            }
          },
          { name: "other", metadata: { pod_name: "other", cwd: "/o" } }
        ])
      })
    )

    test(
      "a name is given once, to one of many that want it",
      Effect.gen(function* () {
        const store = yield* PodStore
        const done = yield* Effect.forEach(
          ["/a", "/b", "/c", "/d"],
          (cwd) =>
            Effect.match(store.create("agent", { cwd }), {
              onSuccess: () => cwd,
              onFailure: (error) => error.reason
            }),
          { concurrency: "unbounded" }
        )
        const winners = done.filter((result) => result !== "Exists")
        assert.strictEqual(winners.length, 1)
        assert.deepStrictEqual(yield* store.get("agent"), Option.some({ pod_name: "agent", cwd: winners[0]! }))
        const again = yield* Effect.flip(store.create("agent", { cwd: "/again" }))
        assert.strictEqual(again.reason, "Exists")
        assert.include(again.message, "agent")
      })
    )

    test(
      "a removed pod is none, and its name is free",
      Effect.gen(function* () {
        const store = yield* PodStore
        yield* store.update("other", { cwd: "/o" })
        yield* store.create("agent", { cwd: "/w" })
        yield* store.remove("agent")
        yield* store.remove("agent")
        assert.isTrue(Option.isNone(yield* store.get("agent")))
        assert.deepStrictEqual(yield* store.list, [{ name: "other", metadata: { pod_name: "other", cwd: "/o" } }])
        yield* store.create("agent", { active: { session_id: "s" } })
        assert.deepStrictEqual(
          yield* store.get("agent"),
          Option.some({ pod_name: "agent", active: { session_id: "s" } })
        )
      })
    )

    test(
      "a name that is not one is refused before anything is made",
      Effect.gen(function* () {
        const store = yield* PodStore
        for (const bad of ["", ".", "..", ".hidden", "a/b", "/abs", "a\0b", "x".repeat(65), "scopes.json"]) {
          const error = yield* Effect.flip(store.update(bad, { cwd: "/w" }))
          assert.include(error.message, "pod name")
          assert.include((yield* Effect.flip(store.get(bad))).message, "pod name")
          assert.include((yield* Effect.flip(store.create(bad, {}))).message, "pod name")
          assert.include((yield* Effect.flip(store.remove(bad))).message, "pod name")
        }
        assert.deepStrictEqual(yield* store.list, [])
      })
    )
  })
}
