/** `KillShell`: ends a command in the background, with everything that it has started. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BackgroundCommands } from "./BackgroundCommands.ts"
import { endingText } from "./Ending.ts"
import * as Tool from "./Tool.ts"

const Parameters = Schema.Struct({
  id: Schema.String.annotate({ description: "The id that Bash gave with run_in_background." })
})

export const make = (commands: BackgroundCommands): Tool.Tool =>
  Tool.make({
    name: "KillShell",
    description:
      "Ends a background command of Bash, with everything that it has started. BashOutput still shows its end.",
    parameters: Parameters,
    idempotent: true,
    run: Effect.fn("Tool.KillShell")(function* ({ id }) {
      const ending = yield* commands.stop(id)
      return {
        summary:
          ending._tag === "Stopped" ? `${id} was stopped` : `${id} had ended by itself before (${endingText(ending)})`,
        command: { state: "ended" as const, id }
      }
    })
  })
