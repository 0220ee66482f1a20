/** What an entry adds to the model's context. The live pod, replay and a late read of the file all ask here. */
import { type LoggedItem, message } from "../protocol/Item.ts"
import type { LogEntry } from "../protocol/LogEntry.ts"
import { flatten } from "../protocol/Segment.ts"

export const itemsOf = (entry: LogEntry): ReadonlyArray<LoggedItem> => {
  switch (entry.kind) {
    case "segment_start":
      return entry.history
    case "user_input":
      return [message("user", flatten(entry.segments))]
    case "assistant_item":
    case "tool_result":
      return [entry.item]
    case "system_item":
      return [message("system", entry.item.body)]
    default:
      return []
  }
}
