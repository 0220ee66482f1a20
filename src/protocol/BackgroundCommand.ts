/** What the model learns of a command in the background from the result of a call: that it runs, or that it has ended. */
import * as Schema from "effect/Schema"

/** `title` is the first line of the command. */
export const BackgroundCommand = Schema.Union([
  Schema.Struct({ state: Schema.tag("running"), id: Schema.String, title: Schema.String }),
  Schema.Struct({ state: Schema.tag("ended"), id: Schema.String })
])
export type BackgroundCommand = typeof BackgroundCommand.Type
