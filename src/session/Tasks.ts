/**
 * The tasks of a session, folded from its entries: a tool result says which task its call has made or changed, and what
 * that task is from there on. Nothing is read out of the arguments of calls: a call may have been refused.
 *
 * They follow the log: what a rewind hides has not changed them, and what it brings back has.
 */
import type { LogEntry } from "../protocol/LogEntry.ts"
import type { Task } from "../protocol/Task.ts"

/** A value: each change makes a new one. Turns are numbers of generations, as in `SessionState.turnCount`. */
export interface Tasks {
  /** In the order of their ids, which leave no gap. */
  readonly list: ReadonlyArray<Task>
  /** Generations that there were when a task was last made or changed. */
  readonly touchedTurn: number
  /** The same for the last reminder. */
  readonly remindedTurn: number | undefined
}

export const none: Tasks = { list: [], touchedTurn: 0, remindedTurn: undefined }

/** `turnCount`: generations so far. */
export const apply = (tasks: Tasks, entry: LogEntry, turnCount: number): Tasks => {
  switch (entry.kind) {
    case "segment_start":
      return entry.tasks === undefined ? none : { ...none, list: entry.tasks }
    case "tool_result":
      return entry.task === undefined
        ? tasks
        : { ...tasks, list: withTask(tasks.list, entry.task), touchedTurn: turnCount }
    case "system_item":
      return entry.item.kind === "task_reminder" ? { ...tasks, remindedTurn: turnCount } : tasks
    default:
      return tasks
  }
}

/** One that would leave a gap is nobody's: the list stays as it is. */
const withTask = (list: ReadonlyArray<Task>, task: Task): ReadonlyArray<Task> => {
  if (task.taskid > list.length + 1) return list
  const next = Array.from(list)
  next[task.taskid - 1] = task
  return next
}
