/**
 * `TaskCreate`, `TaskUpdate`, `TaskList` and `TaskGet`: what the agent notes down to do.
 *
 * The tools keep nothing. A call is given the tasks as the journal has them, and says in its result which one it has made
 * or changed; that line is what makes it so. Calls of one response run in call order, so that ids do.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { countTasks, type Task, TaskStatus } from "../protocol/Task.ts"
import * as Text from "../scope/Text.ts"
import { failed, invalid } from "./Failure.ts"
import * as Tool from "./Tool.ts"

/** Tasks of one session, those that are done or deleted included. */
const maxTasks = 500
/** Bytes of UTF-8. */
const maxSubject = 1024
const maxDescription = 8 * 1024
/** Bytes of all tasks that stand behind a change; `TaskList` shows as much as any tool. */
const snapshotBytes = 8 * 1024

/** The one thing that all calls share. */
const taskList = "the list of tasks"

const Id = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

const CreateParameters = Schema.Struct({
  subject: Schema.String.annotate({ description: "What is to be done, in one short line." }),
  description: Schema.String.annotate({ description: "What belongs to it, and when it is done. May be empty." })
})

const UpdateParameters = Schema.Struct({
  taskid: Id.annotate({ description: "The task's number." }),
  status: Schema.optionalKey(TaskStatus.annotate({ description: "How it stands now. A deleted task stays listed." })),
  subject: Schema.optionalKey(Schema.String.annotate({ description: "The new subject." })),
  description: Schema.optionalKey(Schema.String.annotate({ description: "The new description." }))
})

const ListParameters = Schema.Struct({
  from: Schema.optionalKey(Id.annotate({ description: "The first number to show; 1 by default." }))
})

const GetParameters = Schema.Struct({ taskid: Id.annotate({ description: "The task's number." }) })

const overview = (tasks: ReadonlyArray<Task>): string => {
  const counts = countTasks(tasks)
  const parts = Object.entries(counts).map(([status, count]) => `${count} ${status}`)
  return `${tasks.length} task${tasks.length === 1 ? "" : "s"}: ${parts.join(", ")}.`
}

/** As many whole tasks as have room, and at least one, from number `from` on; `next` is the first that is left out. */
const page = (tasks: ReadonlyArray<Task>, from: number, limitBytes: number) => {
  const shown: Array<Task> = []
  let bytes = 0
  for (const task of tasks.slice(from - 1)) {
    bytes += Text.encode(JSON.stringify(task)).length + 1
    if (bytes > limitBytes && shown.length > 0) break
    shown.push(task)
  }
  const next = from + shown.length
  return { tasks: shown, returned: shown.length, total: tasks.length, ...(next <= tasks.length ? { next } : {}) }
}

const changed = (verb: string, task: Task, before: ReadonlyArray<Task>): Tool.ToolOutput => {
  const tasks = Array.from(before)
  tasks[task.taskid - 1] = task
  return {
    summary: `Task ${task.taskid} ${verb}, ${task.status}. ${overview(tasks)}`,
    content: JSON.stringify({ task, snapshot: page(tasks, 1, snapshotBytes) }),
    task
  }
}

/** What is wrong with a text, if something is. */
const tooLong = (name: string, text: string | undefined, limit: number): string | undefined => {
  const bytes = text === undefined ? 0 : Text.encode(text).length
  return bytes > limit ? `The ${name} has ${bytes} bytes; at most ${limit} are kept. Say it in fewer words.` : undefined
}

const lengthProblem = (texts: { readonly subject?: string; readonly description?: string }): string | undefined =>
  tooLong("subject", texts.subject, maxSubject) ?? tooLong("description", texts.description, maxDescription)

const find = (tasks: ReadonlyArray<Task>, id: number) => {
  const task = tasks[id - 1]
  return task === undefined
    ? Effect.fail(invalid(`There is no task ${id}; TaskList shows those that there are (${tasks.length}).`))
    : Effect.succeed(task)
}

const mutates = (): ReadonlyArray<string> => [taskList]

const create = Tool.make({
  name: "TaskCreate",
  description:
    "Notes down one task of this session, as pending. Use it for work of several steps, one task for each, and keep " +
    "them up to date with TaskUpdate while you work. Returns the task with its number.",
  parameters: CreateParameters,
  // Without its result it has done nothing.
  idempotent: true,
  mutates,
  run: Effect.fn("Tool.TaskCreate")(function* ({ description, subject }, { tasks }) {
    const problem = lengthProblem({ subject, description })
    if (problem !== undefined) return yield* invalid(problem)
    if (tasks.length >= maxTasks) {
      return yield* failed(`There are ${maxTasks} tasks already, and no more are kept. Use TaskUpdate on one of them.`)
    }
    return changed("created", { taskid: tasks.length + 1, status: "pending", subject, description }, tasks)
  })
})

const update = Tool.make({
  name: "TaskUpdate",
  description:
    "Changes a task: its status (pending, inprogress, completed, deleted), its subject or its description. Set a task " +
    "to inprogress when you begin with it, and to completed as soon as it is done.",
  parameters: UpdateParameters,
  idempotent: true,
  mutates,
  run: Effect.fn("Tool.TaskUpdate")(function* ({ taskid, ...changes }, { tasks }) {
    if (Object.keys(changes).length === 0) {
      return yield* invalid("Nothing to change: give a status, a subject or a description.")
    }
    const problem = lengthProblem(changes)
    if (problem !== undefined) return yield* invalid(problem)
    const task = yield* find(tasks, taskid)
    return changed("updated", { ...task, ...changes }, tasks)
  })
})

const list = (contentBytes: number) =>
  Tool.make({
    name: "TaskList",
    description: "Shows the tasks of this session with their numbers, done and deleted ones included.",
    parameters: ListParameters,
    idempotent: true,
    mutates,
    run: ({ from = 1 }, { tasks }) =>
      Effect.sync(() => {
        const shown = page(tasks, from, contentBytes)
        const summary = overview(tasks)
        return {
          summary: shown.next === undefined ? summary : `${summary} More from number ${shown.next} on.`,
          content: `${summary}\n\`\`\`json\n${JSON.stringify(shown)}\n\`\`\``,
          ...(shown.next === undefined ? {} : { truncated: true })
        }
      })
  })

const get = Tool.make({
  name: "TaskGet",
  description: "Shows one task of this session.",
  parameters: GetParameters,
  idempotent: true,
  mutates,
  run: Effect.fn("Tool.TaskGet")(function* ({ taskid }, { tasks }) {
    const task = yield* find(tasks, taskid)
    return { summary: `Task ${taskid}, ${task.status}.`, content: JSON.stringify(task) }
  })
})

/** `contentBytes`: room of a list. */
export const make = (options: { readonly contentBytes: number }): ReadonlyArray<Tool.Tool> => [
  create,
  update,
  list(options.contentBytes - 1024),
  get
]
