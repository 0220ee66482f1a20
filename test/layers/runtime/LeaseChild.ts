/**
 * A process that takes a lease, for tests to kill, stop and ask: its arguments in, one JSON line per step out.
 *
 * It holds the lease until its stdin ends, then releases it and says so.
 */
import * as Effect from "effect/Effect"
import * as Lease from "../../../layers/runtime/Lease.ts"
import type { ScopeRules } from "../../../src/protocol/ScopeRule.ts"
import { Lease as Service, type LeaseRequest } from "../../../src/runtime/Lease.ts"

export interface Arguments {
  readonly options: Lease.LeaseOptions
  readonly request: LeaseRequest
  readonly scope?: ScopeRules
  /** Never comes back to its event loop once it holds the lease, and is deaf to SIGTERM. */
  readonly hangs?: boolean
}

const say = (value: object) => Effect.sync(() => void process.stdout.write(`${JSON.stringify(value)}\n`))

const stdinEnds = Effect.callback<void>((resume) => {
  process.stdin.resume().on("end", () => resume(Effect.void))
})

const hang = Effect.callback<never>(() => {
  process.on("SIGTERM", () => {})
  // After the line that was said has left.
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
})

const main = ({ hangs, options, request, scope }: Arguments) =>
  Effect.gen(function* () {
    const held = yield* (yield* Service).acquire(request)
    if (scope !== undefined) yield* held.claim(scope)
    yield* say({ held: true, pid: process.pid })
    if (hangs === true) return yield* hang
    yield* stdinEnds
  }).pipe(
    Effect.scoped,
    Effect.andThen(say({ released: true })),
    Effect.catch(({ message, reason }) => say({ reason, message })),
    Effect.provide(Lease.layer(options))
  )

await Effect.runPromise(main(JSON.parse(process.argv[2] as string)))
