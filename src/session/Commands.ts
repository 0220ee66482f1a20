/**
 * The commands in the background of which the model knows that they were started, and not that they have ended. Folded
 * from the results of calls and from the notes that told of ends.
 *
 * They follow the log: a command that a rewind hides was never started as far as the model knows, and an end that it
 * hides is told again. Whether one still runs is not in the log: the process knows that.
 */
import type { LogEntry } from "../protocol/LogEntry.ts"

export interface Command {
  readonly id: string
  readonly title: string
}

/** A value, in the order in which they were started. */
export type Commands = ReadonlyArray<Command>

export const none: Commands = []

export const apply = (commands: Commands, entry: LogEntry): Commands => {
  switch (entry.kind) {
    case "segment_start":
      return none
    case "tool_result": {
      const { command } = entry
      if (command === undefined) return commands
      const others = without(commands, [command.id])
      return command.state === "ended" ? others : [...others, { id: command.id, title: command.title }]
    }
    case "system_item":
      return entry.commands === undefined ? commands : without(commands, entry.commands)
    default:
      return commands
  }
}

const without = (commands: Commands, ids: ReadonlyArray<string>): Commands =>
  commands.filter(({ id }) => !ids.includes(id))
