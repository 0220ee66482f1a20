/** The tasks of a session: what the agent has noted down to do, for itself and for whoever watches. */
import * as Schema from "effect/Schema"
import { Count } from "./Fields.ts"

export const TaskStatus = Schema.Literals(["pending", "inprogress", "completed", "deleted"])
export type TaskStatus = typeof TaskStatus.Type

/** Ids count from 1 and are never given twice; a deleted task stays, as deleted. */
export const Task = Schema.Struct({
  taskid: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  status: TaskStatus,
  subject: Schema.String,
  description: Schema.String
})
export type Task = typeof Task.Type

export const TaskCounts = Schema.Struct({ pending: Count, inprogress: Count, completed: Count, deleted: Count })
export type TaskCounts = typeof TaskCounts.Type

export const countTasks = (tasks: ReadonlyArray<Task>): TaskCounts => {
  const counts = { pending: 0, inprogress: 0, completed: 0, deleted: 0 }
  for (const { status } of tasks) counts[status] += 1
  return counts
}

/** It waits to be done, or is being done. */
export const isActive = ({ status }: Task): boolean => status === "pending" || status === "inprogress"
