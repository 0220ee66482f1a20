/** The bounds of what the tools for tasks take and show, and when they may run. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Task } from "../../src/protocol/Task.ts"
import * as Tasks from "../../src/session/Tasks.ts"
import * as KnownFiles from "../../src/tools/KnownFiles.ts"
import * as TaskTools from "../../src/tools/Tasks.ts"

const contentBytes = 4 * 1024
const tools = new Map(TaskTools.make({ contentBytes }).map((tool) => [tool.spec.name, tool]))
const all = ["TaskCreate", "TaskUpdate", "TaskList", "TaskGet"] as const

const task = (taskid: number, description = ""): Task => ({ taskid, status: "pending", subject: "s", description })
const many = (count: number, description = ""): ReadonlyArray<Task> =>
  Array.from({ length: count }, (_, i) => task(i + 1, description))

const call = (name: (typeof all)[number], args: object, tasks: ReadonlyArray<Task>) =>
  Effect.suspend(() => {
    const tool = tools.get(name)
    if (tool === undefined) throw new Error(name)
    const context = {
      callId: "c",
      emitOutput: () => Effect.void,
      tasks,
      known: KnownFiles.over(() => undefined),
      unlessRecorded: () => Effect.void
    }
    return Effect.flatMap(tool.accept({ ...args }), (accepted) => tool.run(accepted, context))
  })

describe("the tools for tasks", () => {
  it("may run again, and wait for each other", () => {
    for (const name of all) {
      expect(tools.get(name)?.idempotent).toBe(true)
      expect(tools.get(name)?.mutates({ taskid: 1, subject: "s", description: "" })).toEqual(["the list of tasks"])
    }
  })

  it.effect("keep 1,024 bytes of a subject and 8,192 of a description, changed ones too", () =>
    Effect.gen(function* () {
      const [subject, description] = ["é".repeat(512), "é".repeat(4_096)]
      const { task: made } = yield* call("TaskCreate", { subject, description }, [])
      expect(made).toEqual({ taskid: 1, status: "pending", subject, description })
      yield* call("TaskUpdate", { taskid: 1, subject, description }, many(1))
      for (const longer of [{ subject: `${subject}x` }, { description: `${description}x` }]) {
        const refused = [
          call("TaskCreate", { subject, description, ...longer }, []),
          call("TaskUpdate", { taskid: 1, ...longer }, many(1))
        ]
        for (const effect of refused) {
          const { message, reason } = yield* Effect.flip(effect)
          expect(reason).toBe("InvalidArgument")
          expect(message).toMatch(/bytes; at most (1024|8192) are kept/)
        }
      }
    })
  )

  it.effect("count from 1", () =>
    Effect.gen(function* () {
      for (const effect of [
        call("TaskList", { from: 0 }, many(3)),
        call("TaskGet", { taskid: 0 }, many(3)),
        call("TaskUpdate", { taskid: 0, subject: "s" }, many(3))
      ]) {
        expect((yield* Effect.flip(effect)).message).toMatch(/greater than or equal to 1/)
      }
    })
  )

  it.effect("show what has room, at least one task, and say where it goes on", () =>
    Effect.gen(function* () {
      const { content = "", summary, truncated } = yield* call("TaskList", {}, many(100, "d".repeat(100)))
      expect(content.length).toBeLessThan(contentBytes)
      const next = Number(/More from number (\d+) on\.$/.exec(summary)?.[1])
      expect(content).toContain(`"returned":${next - 1},"total":100,"next":${next}`)
      expect(truncated).toBe(true)
      const long = yield* call("TaskList", { from: 2 }, many(3, "d".repeat(8_000)))
      expect(long.content).toContain('"returned":1,"total":3,"next":3')
      const last = yield* call("TaskList", { from: 3 }, many(3))
      expect(last).not.toHaveProperty("truncated")
      expect(last.content).not.toContain("next")
    })
  )

  it.effect("answer a change with 8 KiB of the list, and what has changed", () =>
    Effect.gen(function* () {
      const { content = "" } = yield* call(
        "TaskUpdate",
        { taskid: 90, status: "completed" },
        many(100, "d".repeat(300))
      )
      expect(content.length).toBeLessThan(9 * 1024)
      expect(JSON.parse(content)).toMatchObject({ task: { taskid: 90, status: "completed" }, snapshot: { total: 100 } })
    })
  )
})

describe("the tasks of a session", () => {
  const result = (changed: Task) =>
    ({ kind: "tool_result", item: { kind: "tool_result", call_id: "c", summary: "" }, task: changed, ts: 1 }) as const

  it("are values: a change makes a new list, one that would leave a gap makes none", () => {
    const one = Tasks.apply(Tasks.none, result(task(1)), 3)
    const two = Tasks.apply(one, result(task(2)), 4)
    expect([Tasks.none.list.length, one.list.length, two.list.length]).toEqual([0, 1, 2])
    expect(Tasks.apply(two, result(task(9)), 5).list).toEqual(two.list)
  })

  it("do not take what else is said for a reminder", () => {
    const said = (kind: "notification" | "task_reminder") =>
      ({ kind: "system_item", item: { kind, message: "m", body: "b" }, ts: 1 }) as never
    expect(Tasks.apply(Tasks.none, said("notification"), 7).remindedTurn).toBeUndefined()
    expect(Tasks.apply(Tasks.none, said("task_reminder"), 7).remindedTurn).toBe(7)
  })
})
