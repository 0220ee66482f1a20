/** `Lease` among the pods of one program, with the contract of the files. Each build of the layer has its own pods. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ScopeRules } from "../../src/protocol/ScopeRule.ts"
import { Lease, type LeaseError, type LeaseOwner, type LeaseRequest } from "../../src/runtime/Lease.ts"
import { checkPodName } from "../../src/runtime/PodName.ts"
import { conflicts } from "./LeaseOverlap.ts"
import { podHeld, scopeOverlap, sessionHeld, unavailable } from "./LeaseRefusal.ts"

interface Live {
  readonly request: LeaseRequest
  scope: ScopeRules
}

export const layerMemory: Layer.Layer<Lease> = Layer.effect(
  Lease,
  Effect.sync(() => make())
)

const make = (): Lease["Service"] => {
  const live = new Set<Live>()

  const enter = ({ podName, sessionId, socket }: LeaseRequest): Effect.Effect<Live, LeaseError> => {
    for (const other of live) {
      if (other.request.podName === podName) return podHeld(podName, ownerOf(other))
      if (sessionId !== null && other.request.sessionId === sessionId) {
        return sessionHeld(podName, sessionId, ownerOf(other))
      }
    }
    const mine: Live = { request: { podName, sessionId, socket }, scope: { allow: [], deny: [] } }
    live.add(mine)
    return Effect.succeed(mine)
  }

  const claim = (mine: Live, scope: ScopeRules): Effect.Effect<void, LeaseError> => {
    const { podName } = mine.request
    if (!live.has(mine)) return unavailable(podName, "it has ended")
    for (const other of live) {
      const shared = other === mine ? [] : conflicts(scope, other.scope)
      if (shared.length > 0) return scopeOverlap(podName, ownerOf(other), shared)
    }
    mine.scope = scope
    return Effect.void
  }

  return {
    acquire: Effect.fnUntraced(function* (request) {
      yield* Effect.mapError(checkPodName(request.podName), ({ message }) => unavailable(request.podName, message))
      const mine = yield* Effect.acquireRelease(
        Effect.suspend(() => enter(request)),
        (entered) => Effect.sync(() => live.delete(entered))
      )
      return { claim: (scope) => Effect.suspend(() => claim(mine, scope)) }
    })
  }
}

const ownerOf = ({ request: { podName, socket } }: Live): LeaseOwner => ({
  pod_name: podName,
  pid: process.pid,
  socket,
  stopped: false
})
