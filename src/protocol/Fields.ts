/**
 * The three ways in which a field may be absent, and the number that the wire knows best.
 *
 * The decoded form never has more than the encoded one: what was decoded is written by `JSON.stringify` alone.
 * `omittable` and `nullable` are for what others write too; fields that only we write are plain `optionalKey`s.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

/** An unsigned integer. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What a value is when it is written and read again: plain JSON, in which optional fields are absent, not undefined. */
export const plainJson = (value: object): Schema.Json => JSON.parse(JSON.stringify(value))

/** A key that is left out when there is nothing to say. Null is read as absent. */
export const omittable = <S extends Schema.Top>(schema: S) =>
  Schema.optionalKey(Schema.NullOr(Schema.toEncoded(schema))).pipe(
    Schema.decodeTo(Schema.optionalKey(schema), {
      decode: SchemaGetter.transformOptional(Option.filter((value: S["Encoded"] | null) => value !== null)),
      encode: SchemaGetter.passthroughSupertype()
    })
  )

/** A key that is always written, with null when there is nothing to say. A missing key is read as null. */
export const nullable = <S extends Schema.Top>(schema: S) =>
  Schema.NullOr(schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))

/** A key that is always written. A missing one is read as `value`. */
export const defaulted = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))
