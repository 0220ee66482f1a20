/** How a command ended, in words for the model. */
import type { ProcessExit } from "../runtime/Launcher.ts"

export type Ending =
  | ProcessExit
  | { readonly _tag: "TimedOut"; readonly seconds: number }
  | { readonly _tag: "OverQuota"; readonly bytes: number }
  | { readonly _tag: "Stopped" }

export const endingText = (ending: Ending): string => {
  switch (ending._tag) {
    case "Code":
      return `exit code ${ending.code}`
    case "Signal":
      return `killed by ${ending.signal}`
    case "TimedOut":
      return `timed out after ${ending.seconds} s`
    case "OverQuota":
      return `ended: it wrote more than ${ending.bytes} bytes`
    case "Stopped":
      return "stopped"
  }
}

/** Behind the title of a command; nothing where all went well. */
export const suffix = (ending: Ending): string =>
  ending._tag === "Code" && ending.code === 0 ? "" : ` (${endingText(ending)})`
