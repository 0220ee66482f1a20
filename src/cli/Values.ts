/** Values of flags: text into what is meant, or a usage error that says what was expected. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { isPodName, podNameRule } from "../manifest/PodName.ts"
import { type Flags, quote } from "./Args.ts"
import { type CliError, usage } from "./CliError.ts"

/** The value of a flag that takes one. */
export const text = (flags: Flags, name: string): string | undefined => {
  const value = flags[name]
  return typeof value === "string" ? value : undefined
}

export const podName = (name: string): Effect.Effect<string, CliError> =>
  isPodName(name)
    ? Effect.succeed(name)
    : Effect.fail(usage(`${quote(name)} is not a pod name`, `expected ${podNameRule}`))

const units: Readonly<Record<string, number>> = {
  ms: 1,
  milli: 1,
  millis: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  seconds: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000
}

/** `10s`, `500ms`, `2 minutes`; a bare number counts seconds. */
export const duration = (
  flags: Flags,
  name: string,
  fallback: Duration.Duration
): Effect.Effect<Duration.Duration, CliError> => {
  const value = text(flags, name)
  if (value === undefined) return Effect.succeed(fallback)
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(value.trim().toLowerCase())
  const unit = match === null ? undefined : match[2] === "" ? 1000 : units[match[2] as string]
  const millis = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit
  return millis >= 0 && millis <= 86_400_000
    ? Effect.succeed(Duration.millis(millis))
    : Effect.fail(usage(`--${name} is a time of at most a day, like 10s or 500ms; got ${quote(value)}`))
}

const days: Readonly<Record<string, number>> = { d: 1, day: 1, days: 1, w: 7, week: 7, weeks: 7 }

/** How long ago: `30d`, `2 weeks`, `12h`. A number needs its unit here, because days and seconds are both likely. */
export const age = (flags: Flags, name: string): Effect.Effect<Duration.Duration | undefined, CliError> => {
  const value = text(flags, name)
  if (value === undefined) return Effect.undefined
  const match = /^(\d{1,6}(?:\.\d+)?)\s*([a-z]+)$/.exec(value.trim().toLowerCase())
  const unit = match?.[2] ?? ""
  const millis = units[unit] ?? (days[unit] === undefined ? undefined : days[unit] * 86_400_000)
  return match === null || millis === undefined
    ? Effect.fail(usage(`--${name} is a time with its unit, like 30d, 2w or 12h; got ${quote(value)}`))
    : Effect.succeed(Duration.millis(Number(match[1]) * millis))
}

/** A whole number of at least `least`. */
export const count = (flags: Flags, name: string, least: number): Effect.Effect<number | undefined, CliError> => {
  const value = text(flags, name)
  if (value === undefined) return Effect.undefined
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
  return number >= least
    ? Effect.succeed(number)
    : Effect.fail(usage(`--${name} is a whole number of at least ${least}; got ${quote(value)}`))
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const segmentId = (flags: Flags): Effect.Effect<string | undefined, CliError> => {
  const value = text(flags, "session")
  if (value === undefined || uuid.test(value)) return Effect.succeed(value?.toLowerCase())
  return Effect.fail(
    usage(`--session is the id of a segment (a UUID); got ${quote(value)}`, "effect-pod status NAME shows it")
  )
}
