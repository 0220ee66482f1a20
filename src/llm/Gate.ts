/**
 * The way to one endpoint, shared by all pods of a process.
 *
 * Open, everybody passes. A server that asks to wait shuts it for everybody; then they go one after the other, in the
 * order in which they came, closer together with each answer that begins. An endpoint that fails again and again
 * (no connection, 5xx, overload) is left alone for a back-off; then one request is tried, and the others wait for
 * what becomes of it. Times are monotonic milliseconds; a wait ends with its fiber and leaves its place to the next.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { seconds } from "./Backoff.ts"
import type { Limits } from "./Limits.ts"
import { LlmError } from "./LlmError.ts"

/** Somebody has to wait. `waitMs` is unknown for who waits behind others. */
export interface GateNotice {
  readonly waitMs: number | undefined
  readonly message: string
}

export interface Visitor {
  readonly limits: Pick<Limits, "max_retry_after">
  /** There is another model to turn to: an endpoint that fails is not waited for. */
  readonly hasElsewhere: boolean
  /** Runs before a wait. */
  readonly onWait: (notice: GateNotice) => Effect.Effect<void>
}

/** A request that may be sent. What becomes of it is told once; without a word it counts as never sent. */
export interface Pass {
  readonly succeeded: () => void
  readonly failed: (error: LlmError) => void
}

export interface Gate {
  /** Fails with `Connect` where the visitor will not wait for so long. */
  readonly enter: (visitor: Visitor) => Effect.Effect<Pass, LlmError, Scope.Scope>
}

export interface GateSettings {
  /** Failures in a row after which the endpoint is left alone. */
  readonly failures: number
  /** The first back-off, and the longest: each is twice the one before. */
  readonly restBase: number
  readonly restCap: number
  /** Between two that go one after the other, on average, at first. */
  readonly spacing: number
}

export const defaultSettings: GateSettings = { failures: 5, restBase: 2_000, restCap: 60_000, spacing: 200 }

/** `endpoint` is for messages. */
export const make = (endpoint: string, settings: GateSettings = defaultSettings): Gate => {
  const line = Semaphore.makeUnsafe(1)
  let shutUntil = 0
  /** Why it is shut, or was until now; undefined while everybody passes. */
  let trouble: "asked" | "failing" | undefined
  let failures = 0
  let rests = 0
  let spacing = settings.spacing
  let waiting = 0
  /** Counts how often it was shut: what was sent before says nothing about after. */
  let era = 0
  let probe: Deferred.Deferred<void> | undefined

  const shut = (until: number, why: "asked" | "failing") => {
    shutUntil = Math.max(shutUntil, until)
    trouble = why
    spacing = settings.spacing
    era++
  }

  const succeeded = () => {
    failures = 0
    rests = 0
    spacing = Math.max(1, spacing / 2)
    if (trouble === "failing") trouble = "asked"
    if (waiting === 0) trouble = undefined
  }

  const failed = (error: LlmError, isNews: boolean, now: number, jitter: number) => {
    if (error.retryAfterMs !== undefined && isOverload(error)) return shut(now + error.retryAfterMs, "asked")
    if (!isNews || error.reason === "Timeout") return
    if (!isOutage(error)) {
      // It has answered: whatever is wrong, it is not the endpoint.
      failures = 0
      if (trouble === "failing") trouble = "asked"
      return
    }
    failures++
    if (failures < settings.failures && trouble !== "failing") return
    const rest = Math.min(settings.restCap, settings.restBase * 2 ** rests)
    rests++
    shut(now + rest / 2 + Math.round((rest / 2) * jitter), "failing")
  }

  const message = (left: number): string =>
    trouble === "failing"
      ? `${endpoint} has failed ${failures} times in a row; it is left alone${left > 0 ? ` for ${seconds(left)}` : ""}, then tried with one request`
      : `${endpoint} asks to wait${left > 0 ? ` ${seconds(left)}` : ""}; requests go one after the other`

  const refuse = ({ hasElsewhere, limits }: Visitor, left: number): LlmError | undefined => {
    const most = Duration.toMillis(limits.max_retry_after)
    const isBusy = left > elsewhereAfter || (trouble === "failing" && (left > 0 || probe !== undefined))
    if (left <= most && !(hasElsewhere && isBusy)) return undefined
    return new LlmError({
      reason: "Connect",
      provider: endpoint,
      message: left > most ? `${message(left)}; model.limits.max_retry_after is ${seconds(most)}` : message(left)
    })
  }

  /** Until it is this one's turn. Holds the line, so that the others stay behind it. */
  const turn = Effect.fnUntraced(function* (clock: Clock.Clock, visitor: Visitor) {
    for (;;) {
      const left = Math.max(0, shutUntil - millis(clock))
      if (left === 0 && probe === undefined) break
      const refused = refuse(visitor, left)
      if (refused !== undefined) return yield* refused
      yield* probe === undefined ? Effect.sleep(left) : Deferred.await(probe)
    }
    if (trouble === undefined) return undefined
    if (trouble === "failing") {
      probe = Deferred.makeUnsafe<void>()
      return probe
    }
    shutUntil = millis(clock) + Math.max(1, Math.round(spacing * (0.5 + (yield* Random.next))))
    return undefined
  })

  const enter = Effect.fnUntraced(function* (visitor: Visitor): Effect.fn.Return<Pass, LlmError, Scope.Scope> {
    const clock = yield* Clock.Clock
    let mine: Deferred.Deferred<void> | undefined
    if (trouble !== undefined) {
      const left = Math.max(0, shutUntil - millis(clock))
      const refused = refuse(visitor, left)
      if (refused !== undefined) return yield* refused
      const waits = left > 0 || waiting > 0 || probe !== undefined
      waiting++
      mine = yield* Effect.andThen(
        waits ? visitor.onWait({ waitMs: left === 0 ? undefined : left, message: message(left) }) : Effect.void,
        line.withPermit(turn(clock, visitor))
      ).pipe(Effect.ensuring(Effect.sync(() => waiting--)))
    }
    const jitter = yield* Random.next
    const sent = era
    const release = () => {
      if (mine === undefined) return
      if (probe === mine) probe = undefined
      Deferred.doneUnsafe(mine, Exit.void)
      mine = undefined
    }
    yield* Effect.addFinalizer(() => Effect.sync(release))
    return {
      succeeded: () => {
        if (sent === era) succeeded()
        release()
      },
      failed: (error) => {
        failed(error, sent === era, millis(clock), jitter)
        release()
      }
    }
  })

  return { enter }
}

/** Who has another model does not wait longer than this for one that is busy. */
const elsewhereAfter = 30_000

const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

const isOverload = ({ status }: LlmError): boolean => status === 429 || status === 529 || status === 503

const isOutage = ({ reason, status }: LlmError): boolean =>
  reason === "Connect" ||
  ((reason === "Status" || reason === "Refused") && (status === 429 || (status !== undefined && status >= 500)))
