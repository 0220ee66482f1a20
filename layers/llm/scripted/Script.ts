/** What a script consists of. The file format is this, without `gate`, as one JSON object per line and call. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const Length = Schema.String.check(
  Schema.makeFilter((text: string) => Option.isSome(durationOf(text)), {
    expected: 'a duration such as "2 seconds"'
  })
)

/** The parser takes any string; its parameter type lists the accepted shapes for literals only. */
export const durationOf = (text: string): Option.Option<Duration.Duration> =>
  Option.filter(Duration.fromInput(text as Duration.Input), Duration.isFinite)

/** The steps by the key that names them. */
export const steps = {
  text: Schema.Struct({ text: Schema.String }),
  thinking: Schema.Struct({ thinking: Schema.String, signature: Schema.optionalKey(Schema.String) }),
  /** `args`: an object, or a string that is sent as it is. Without `id`, one is made up. */
  tool: Schema.Struct({
    tool: Schema.String.check(Schema.isMinLength(1)),
    id: Schema.optionalKey(Schema.String),
    args: Schema.optionalKey(Schema.Union([Schema.String, Schema.Record(Schema.String, Schema.Json)]))
  }),
  usage: Schema.Struct({
    usage: Schema.Struct({
      input: Schema.optionalKey(Count),
      output: Schema.optionalKey(Count),
      cache_read: Schema.optionalKey(Count),
      cache_write: Schema.optionalKey(Count)
    })
  }),
  wait: Schema.Struct({ wait: Length }),
  /** With `status` an HTTP error, or inside the stream an error of the vendor; without it a broken connection. */
  fail: Schema.Struct({
    fail: Schema.Struct({
      status: Schema.optionalKey(Schema.Int),
      retry_after: Schema.optionalKey(Length),
      message: Schema.optionalKey(Schema.String)
    })
  }),
  /** The answer breaks off here. */
  cut: Schema.Struct({ cut: Schema.Literal(true) }),
  /** Why the answer ends; by default what the steps come to. */
  stop: Schema.Struct({
    stop: Schema.Literals(["end_turn", "tool_use", "max_tokens", "refusal", "pause", "context_overflow"])
  })
}

export type FileStep = (typeof steps)[keyof typeof steps]["Type"]

/** `gate` runs before the step that follows it: a test holds the model there. */
export type ScriptStep = FileStep | { readonly gate: Effect.Effect<void> }

export const Expectation = Schema.Struct({
  /** A part of the user's last message in the request. */
  user_contains: Schema.optionalKey(Schema.String)
})

export interface ScriptCall {
  readonly steps: ReadonlyArray<ScriptStep>
  readonly expect?: typeof Expectation.Type
  /** Where it stands in its file, from 1. */
  readonly line?: number
}
