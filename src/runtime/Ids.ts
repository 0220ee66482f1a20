/** UUIDv7 from the ambient Clock and Random: ordered in time, and the same again under a seed and a test clock. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

/** RFC 9562 §5.7: 48 bits of Unix milliseconds, 74 random bits, version 7, variant 10. */
export const uuid: Effect.Effect<string> = Effect.gen(function* () {
  const millis = yield* Clock.currentTimeMillis
  const time = hex(Math.max(0, Math.floor(millis)), 12).slice(-12)
  const a = yield* Random.nextIntBetween(0, 0xfff)
  const b = yield* Random.nextIntBetween(0, 0x3fff)
  const c = yield* Random.nextIntBetween(0, 0xffffff)
  const d = yield* Random.nextIntBetween(0, 0xffffff)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(a, 3)}-${hex(0x8000 | b, 4)}-${hex(c, 6)}${hex(d, 6)}`
})
