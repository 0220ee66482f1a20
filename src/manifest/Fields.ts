/**
 * The pieces that the manifest's tables are built from: value kinds, defaults and the sentence that explains a key.
 *
 * `expected` on a check is how an error names what would have been right; `description` on a key is what
 * `effect-pod schema` and `docs/manifest.md` say about it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

const atLeast = (minimum: number) =>
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(minimum, { expected: `an integer of at least ${minimum}` }))

export const Count = atLeast(0)
export const Positive = atLeast(1)

/** A signed 32-bit integer. */
export const Int32 = Schema.Int.check(
  Schema.isBetween({ minimum: -2_147_483_648, maximum: 2_147_483_647 }, { expected: "a 32-bit integer" })
)

export const Text = Schema.String.check(Schema.isMinLength(1, { expected: "a string that is not empty" }))

/** JSON Schema has no flags; a pattern here must mean the same without them. */
export const matching = (pattern: RegExp, expected: string) =>
  Schema.String.check(Schema.isPattern(pattern, { expected, toJsonSchema: () => [{ pattern: pattern.source }, true] }))

/** Absolute once the manifest is made; in a file also relative to it. */
export const FilePath = Schema.String.check(Schema.isMinLength(1, { expected: "a path" }))

const parseDuration = (text: string): Option.Option<Duration.Duration> =>
  // The parser takes any string; its parameter type lists the accepted shapes for literals only.
  Option.filter(Duration.fromInput(text as Duration.Input), (duration) => {
    const millis = Duration.toMillis(duration)
    return Number.isFinite(millis) && millis > 0
  })

/** The largest unit that leaves no fraction, so that what a person wrote comes back. */
const formatDuration = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
    ["milli", 1]
  ] as const
  for (const [unit, size] of units) {
    const count = millis / size
    if (Number.isInteger(count)) return `${count} ${unit}${count === 1 ? "" : "s"}`
  }
  return `${millis} millis`
}

/** A positive, finite length of time, left in the words in which it is written. */
export const DurationWords = Schema.String.check(
  Schema.makeFilter((text: string) => Option.isSome(parseDuration(text)), {
    expected: 'a duration such as "90 seconds" (units: millis, seconds, minutes, hours, days)'
  })
)

/** A positive, finite length of time in words: `"90 seconds"`. */
export const DurationText = DurationWords.pipe(
  Schema.decodeTo(
    Schema.Duration,
    SchemaTransformation.transform({
      decode: (text) => Option.getOrElse(parseDuration(text), () => Duration.zero),
      encode: formatDuration
    })
  )
)

export const oneOf = <const Words extends ReadonlyArray<string>>(...words: Words) => Schema.Literals(words)

/** A key that may be left out and then has no value. */
export const optional = <S extends Schema.Top>(schema: S, description: string) =>
  Schema.optionalKey(schema).annotateKey({ description })

export const required = <S extends Schema.Top>(schema: S, description: string) => schema.annotateKey({ description })

/** A key that may be left out and then has this value, written as in the file. */
export const defaulted = <S extends Schema.Top>(schema: S, value: S["Encoded"], description: string) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value))).annotateKey({ description })
