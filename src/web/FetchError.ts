/** Why nothing came from the web. `message` is written for the model. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** `Refused`: it may not be asked for. `Failed`: it was, and did not go well. */
export class FetchError extends Schema.TaggedError<FetchError>()("FetchError", {
  reason: Schema.Literals(["Refused", "Failed"]),
  message: Schema.String
}) {}

export const refused = (message: string): Effect.Effect<never, FetchError> =>
  Effect.fail(new FetchError({ reason: "Refused", message }))

export const failed = (message: string): Effect.Effect<never, FetchError> =>
  Effect.fail(new FetchError({ reason: "Failed", message }))
