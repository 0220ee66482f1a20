/** What every `Lease` promises within one process. Each layer runs the same suite. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { ScopeRule, ScopeRules } from "../../../src/protocol/ScopeRule.ts"
import { Lease } from "../../../src/runtime/Lease.ts"

export const writes = (target: string, recursive = true): ScopeRule => ({ target, permission: "write", recursive })
export const reads = (target: string): ScopeRule => ({ target, permission: "read", recursive: true })
export const scopeOf = (allow: ReadonlyArray<ScopeRule>, deny: ReadonlyArray<ScopeRule> = []): ScopeRules => ({
  allow,
  deny
})

export const leaseContract = (name: string, make: () => Layer.Layer<Lease>): void => {
  // The clock is real: a refusal that found nobody behind a lock would wait for another look.
  const test = <A, E>(title: string, body: Effect.Effect<A, E, Lease | Scope.Scope>) =>
    it.live(title, () => Effect.suspend(() => body.pipe(Effect.scoped, Effect.provide(make()))))

  const acquire = (podName: string, sessionId = `session-of-${podName}`) =>
    Effect.flatMap(Lease, (lease) => lease.acquire({ podName, sessionId, socket: `/run/${podName}/sock` }))
  const claimed = (podName: string, scope: ScopeRules) => Effect.flatMap(acquire(podName), ({ claim }) => claim(scope))

  describe(`${name}: Lease`, () => {
    test(
      "one pod of a name, and the refusal says whose it is",
      Effect.gen(function* () {
        yield* acquire("agent")
        const error = yield* Effect.flip(acquire("agent", "another-session"))
        assert.strictEqual(error.reason, "PodHeld")
        assert.deepStrictEqual(error.owner, {
          pod_name: "agent",
          pid: process.pid,
          socket: "/run/agent/sock",
          stopped: false
        })
        assert.strictEqual(
          error.message,
          `The pod "agent" is already live: process ${process.pid} owns it and listens on /run/agent/sock.`
        )
      })
    )

    test(
      "one pod per session",
      Effect.gen(function* () {
        yield* acquire("one", "shared")
        const error = yield* Effect.flip(acquire("two", "shared"))
        assert.strictEqual(error.reason, "SessionHeld")
        assert.strictEqual(error.pod, "two")
        assert.strictEqual(error.owner?.pod_name, "one")
        assert.include(error.message, `The session shared is being written by the pod "one": process ${process.pid}`)
      })
    )

    test(
      "a name alone is held like a pod's, and as many of them as there are",
      Effect.gen(function* () {
        const lease = yield* Lease
        const reserve = (podName: string) => lease.acquire({ podName, sessionId: null, socket: null })
        const scope = yield* Scope.make()
        yield* Scope.provide(reserve("one"), scope)
        yield* reserve("two")
        assert.strictEqual((yield* Effect.flip(acquire("one"))).reason, "PodHeld")
        assert.strictEqual((yield* Effect.flip(reserve("one"))).reason, "PodHeld")
        yield* Scope.close(scope, Exit.void)
        yield* acquire("one")
        assert.strictEqual((yield* Effect.flip(reserve("one"))).reason, "PodHeld")
      })
    )

    test(
      "a refused pod holds nothing",
      Effect.gen(function* () {
        yield* acquire("one", "shared")
        yield* Effect.flip(acquire("two", "shared"))
        yield* acquire("two")
      })
    )

    test(
      "it is free again when its scope closes, and not before",
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Scope.provide(claimed("agent", scopeOf([writes("/w")])), scope)
        assert.strictEqual((yield* Effect.flip(claimed("other", scopeOf([writes("/w/sub")])))).reason, "ScopeOverlap")
        yield* Scope.close(scope, Exit.void)
        yield* claimed("agent", scopeOf([writes("/w")]))
      })
    )

    test(
      "no two live pods write the same place, and the refusal names it",
      Effect.gen(function* () {
        yield* claimed("one", scopeOf([reads("/"), writes("/w/a"), writes("/w/b")]))
        const two = yield* acquire("two")
        const error = yield* Effect.flip(two.claim(scopeOf([writes("/x"), writes("/w/b/sub")])))
        assert.strictEqual(error.reason, "ScopeOverlap")
        assert.strictEqual(error.pod, "two")
        assert.strictEqual(error.owner?.pod_name, "one")
        assert.deepStrictEqual(error.rules, ["/w/b"])
        assert.strictEqual(
          error.message,
          `The pod "two" may write where the live pod "one" may write: /w/b/sub (there: /w/b). ` +
            `There process ${process.pid} owns it and listens on /run/one/sock.`
        )
        yield* two.claim(scopeOf([writes("/w/bb"), reads("/w/b")]))
      })
    )

    test(
      "a later claim replaces an earlier one; one that is refused does not",
      Effect.gen(function* () {
        const parent = yield* acquire("parent")
        const child = yield* acquire("child")
        yield* parent.claim(scopeOf([writes("/w")]))
        assert.strictEqual((yield* Effect.flip(child.claim(scopeOf([writes("/w/lent")])))).reason, "ScopeOverlap")
        yield* parent.claim(scopeOf([writes("/w")], [writes("/w/lent")]))
        yield* child.claim(scopeOf([writes("/w/lent")]))
        assert.strictEqual((yield* Effect.flip(parent.claim(scopeOf([writes("/w")])))).reason, "ScopeOverlap")
        assert.strictEqual((yield* Effect.flip(child.claim(scopeOf([writes("/w/other")])))).reason, "ScopeOverlap")
        yield* child.claim(scopeOf([]))
        yield* parent.claim(scopeOf([writes("/w")]))
      })
    )

    test(
      "of pods that start at once with the same name exactly one lives",
      Effect.gen(function* () {
        const results = yield* Effect.forEach(
          ["s1", "s2", "s3", "s4"],
          (session) =>
            Effect.match(acquire("agent", session), { onSuccess: () => "held", onFailure: ({ reason }) => reason }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results.toSorted(), ["PodHeld", "PodHeld", "PodHeld", "held"])
      })
    )

    test(
      "of pods that claim one place at once exactly one gets it",
      Effect.gen(function* () {
        const held = yield* Effect.forEach(["a", "b", "c"], (pod) => acquire(pod))
        const results = yield* Effect.forEach(
          held,
          ({ claim }) =>
            Effect.match(claim(scopeOf([writes("/w")])), {
              onSuccess: () => "held",
              onFailure: ({ reason }) => reason
            }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results.toSorted(), ["ScopeOverlap", "ScopeOverlap", "held"])
      })
    )

    test(
      "a name that is none is refused",
      Effect.gen(function* () {
        for (const bad of ["../agent", "", ".agent", "a/b"]) {
          const error = yield* Effect.flip(acquire(bad, "session"))
          assert.strictEqual(error.reason, "Unavailable")
          assert.include(error.message, "pod name")
        }
      })
    )

    test(
      "a claim after the end is refused",
      Effect.gen(function* () {
        const ended = yield* Effect.scoped(acquire("agent"))
        assert.strictEqual((yield* Effect.flip(ended.claim(scopeOf([writes("/w")])))).reason, "Unavailable")
      })
    )
  })
}
