/** ripgrep's JSON: of each file where something is found a beginning, matches and their context, and an end. */
import * as Base64 from "effect/encoding/Base64"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Text from "../scope/Text.ts"

/** Text, or base64 of bytes that are not UTF-8. */
const Bytes = Schema.Union([Schema.Struct({ text: Schema.String }), Schema.Struct({ bytes: Schema.String })])

const Line = Schema.Struct({
  type: Schema.Literals(["match", "context"]),
  data: Schema.Struct({
    lines: Bytes,
    line_number: Schema.NullOr(Schema.Int),
    submatches: Schema.Array(Schema.Struct({ start: Schema.Int, end: Schema.Int }))
  })
})

const Begin = Schema.Struct({ type: Schema.Literal("begin"), data: Schema.Struct({ path: Bytes }) })

const decoder =
  <A>(schema: Schema.Codec<A, unknown>) =>
  (record: Uint8Array): Option.Option<A> => {
    try {
      return Schema.decodeUnknownOption(schema)(JSON.parse(Text.decodeLossy(record)))
    } catch {
      return Option.none()
    }
  }

/** What a record is stands at its beginning, also of one that is too long to be kept whole. */
const opensWith = (type: string) => {
  const opening = Text.encode(`{"type":"${type}"`)
  return (record: Uint8Array): boolean => opening.every((byte, index) => record[index] === byte)
}

const isBegin = opensWith("begin")
export const isMatch = opensWith("match")
export const isEnd = opensWith("end")

export const line: (record: Uint8Array) => Option.Option<typeof Line.Type> = decoder(Line)

const begin = decoder(Begin)

export const bytesOf = (value: typeof Bytes.Type): Uint8Array =>
  "text" in value ? Text.encode(value.text) : Result.getOrElse(Base64.decode(value.bytes), () => new Uint8Array())

/** The name of the file that begins here. */
export const fileOf = (record: Uint8Array): Uint8Array | undefined => {
  const found = isBegin(record) ? Option.getOrUndefined(begin(record)) : undefined
  return found === undefined ? undefined : bytesOf(found.data.path)
}
