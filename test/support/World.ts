/**
 * One seeded world for an Effect program: the next runnable task is chosen at random, fibers are preempted at random,
 * and virtual time jumps to the next timer when nothing can run. The same seed gives the same schedule.
 *
 * Only what goes through Effect is under its control: real input and output must stay behind services.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"

/** Mulberry32: small, fast, and good enough to pick a task. */
export const generator = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

export class World implements Scheduler.Scheduler {
  readonly executionMode = "async" as const
  readonly random: () => number
  /** Which task was chosen at each step: equal traces mean equal schedules. */
  readonly trace: Array<number> = []
  now = 0
  private readonly tasks: Array<() => void> = []
  private readonly timers: Array<Timer> = []
  private order = 0
  private armed = false
  private readonly preempt: number

  constructor(seed: number, preempt = 0.1) {
    this.random = generator(seed)
    this.preempt = preempt
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount > 2048 || this.random() < this.preempt
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => {
        this.tasks.push(task)
        this.arm()
      },
      flush: () => this.drain()
    }
  }

  private arm(): void {
    if (this.armed) return
    this.armed = true
    setImmediate(() => {
      this.armed = false
      this.drain()
    })
  }

  private drain(): void {
    for (;;) {
      if (this.tasks.length > 0) {
        const i = Math.floor(this.random() * this.tasks.length)
        this.trace.push(i)
        this.tasks.splice(i, 1)[0]?.()
        continue
      }
      const next = this.timers.shift()
      if (next === undefined) return
      this.now = next.at
      next.wake()
    }
  }

  get clock(): Clock.Clock {
    const millis = () => this.now
    const nanos = () => BigInt(Math.round(this.now)) * 1_000_000n
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration: Duration.Duration) =>
        Effect.callback<void>((resume) => {
          const timer: Timer = {
            at: this.now + Duration.toMillis(duration),
            order: this.order++,
            wake: () => resume(Effect.void)
          }
          this.timers.push(timer)
          this.timers.sort((a, b) => a.at - b.at || a.order - b.order)
          this.arm()
          return Effect.sync(() => {
            const i = this.timers.indexOf(timer)
            if (i >= 0) this.timers.splice(i, 1)
          })
        })
    }
  }
}

export const simulate = async <A, E>(
  seed: number,
  effect: Effect.Effect<A, E>
): Promise<{ readonly exit: Exit.Exit<A, E>; readonly world: World }> => {
  const world = new World(seed)
  const exit = await Effect.runPromiseExit(
    effect.pipe(Effect.provideService(Clock.Clock, world.clock), Random.withSeed(seed)),
    { scheduler: world }
  )
  return { exit, world }
}
