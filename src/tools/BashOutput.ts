/** `BashOutput`: what a command in the background has written since it was read last, and whether it still runs. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BackgroundCommands } from "./BackgroundCommands.ts"
import { endingText } from "./Ending.ts"
import * as Tool from "./Tool.ts"

const Parameters = Schema.Struct({
  id: Schema.String.annotate({ description: "The id that Bash gave with run_in_background." })
})

const description =
  "Shows what a background command of Bash has written since it was last read, and whether it still runs. It does not " +
  "wait. Of much new output the beginning and the end come back; all of it is in the command's file, which Read can show."

export const make = (commands: BackgroundCommands): Tool.Tool =>
  Tool.make({
    name: "BashOutput",
    description,
    parameters: Parameters,
    // What was read once is not shown again.
    idempotent: false,
    run: Effect.fn("Tool.BashOutput")(function* ({ id }) {
      const { content, ending, newBytes, path, title, totalBytes, truncated } = yield* commands.read(id)
      const state = ending === undefined ? "running" : `ended: ${endingText(ending)}`
      return {
        summary: `$ ${title} (${id}, ${state}): ${newBytes} new of ${totalBytes} bytes`,
        ...(content === "" ? {} : { content }),
        ...(truncated ? { truncated } : {}),
        outputPath: path,
        ...(ending === undefined ? {} : { command: { state: "ended" as const, id } })
      }
    })
  })
