/**
 * How long a disk may take. One that hangs, such as a network file system that is away, answers never, and nobody can
 * call back what it was asked.
 *
 * Whoever waits is told after a limit. What was asked goes on by itself, and a thread of the process with it: so only a
 * few operations are asked for at the same time, and the rest of the pod has threads left, for its journal too.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { scopeError, type ScopeError } from "./ScopeError.ts"

/** For one operation, with what it waits for those before it. */
const limit = "60 seconds"

/** Operations at the same time. Node has four threads for all disks. */
const concurrent = 2

/** How long a closing Scope waits for what was asked. */
const lastWait = "1 second"

/** What is done as a part of an operation has its limit and its place. */
const Inside = Context.Reference<boolean>("effect-pod/scope/Patience/Inside", { defaultValue: () => false })

/** `what` is for the message, as in "could not be read". */
export type Patience = (
  path: string,
  what: string
) => <A, E, R>(operation: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ScopeError, R>

const tooLate = (path: string, what: string): ScopeError =>
  scopeError(
    "TimedOut",
    path,
    `${path} could not be ${what}: its disk has not answered within ${limit}. It may be a network file system that is ` +
      `away.${what === "written" ? " Whether it was written is not known: Read it before you try again." : " Try again later."}`
  )

export const make = Effect.gen(function* () {
  const places = yield* Semaphore.make(concurrent)
  // A Scope of its own: the one that is closed must not wait for a disk that hangs.
  const owner = yield* Effect.acquireRelease(Scope.make(), (made, exit) =>
    Effect.timeoutOption(Effect.interruptible(Scope.close(made, exit)), lastWait)
  )
  const patiently: Patience = (path, what) => (operation) =>
    Effect.gen(function* () {
      if (yield* Inside) return yield* operation
      const work = places.withPermit(Effect.provideService(operation, Inside, true))
      const asked = yield* Effect.forkIn(work, owner, { startImmediately: true })
      const leave = Effect.timeoutOption(Effect.interruptible(Fiber.interrupt(asked)), limit)
      const exit = yield* Effect.onInterrupt(Effect.timeoutOption(Fiber.await(asked), limit), () => leave)
      if (exit._tag === "Some") return yield* exit.value
      asked.interruptUnsafe()
      return yield* tooLate(path, what)
    })
  return patiently
})
