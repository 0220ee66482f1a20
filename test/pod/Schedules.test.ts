import { expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { LlmError } from "../../src/llm/LlmError.ts"
import type { Answer } from "../../src/pod/PodHandle.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { Method } from "../../src/protocol/Method.ts"
import type { SegmentFile } from "../../src/session/SessionStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import * as Tool from "../../src/tools/Tool.ts"
import { open, until } from "../support/podBench.ts"
import type { ProbeCall } from "../support/ProbeModel.ts"
import { plain, restarted, restartedKnowing } from "../support/sessionState.ts"
import { simulate } from "../support/World.ts"

const nap = Effect.flatMap(Random.nextIntBetween(0, 12), (millis) => Effect.sleep(millis))
const oneOf = <A>(values: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, values.length - 1), (i) => values[i] as A)

const tool = Tool.make({
  name: "Nap",
  description: "takes a while",
  parameters: Schema.Struct({}),
  idempotent: false,
  run: () => Effect.as(nap, { summary: "rested" })
})

/** A disk that takes its time. */
const slowly = (file: SegmentFile): SegmentFile => ({
  ...file,
  append: (bytes, options) =>
    Effect.andThen(Effect.flatMap(Random.nextIntBetween(0, 3), Effect.sleep), file.append(bytes, options))
})

let callId = 0
const respond = (call: ProbeCall) =>
  Effect.gen(function* () {
    yield* nap
    switch (yield* oneOf(["text", "text", "tools", "fail", "slow"])) {
      case "text":
        return yield* call.answer("answer")
      case "tools":
        return yield* call.callTools(
          { id: `c${callId++}`, name: "Nap", args: {} },
          { id: `c${callId++}`, name: "Nap", args: {} }
        )
      case "fail":
        return yield* call.fail(new LlmError({ reason: "Status", status: 400, provider: "probe", message: "no" }))
      default:
        yield* call.push({ type: "text_start", index: 0 }, { type: "delta", index: 0, text: "slow" })
        yield* nap
        return yield* call.answer("late")
    }
  })

const anyMethod = (n: number): Effect.Effect<Method> =>
  oneOf<Method>([
    { method: "run", params: { input: [{ kind: "text", content: `run ${n}` }] } },
    { method: "run", params: { input: [{ kind: "text", content: `queue ${n}` }], delivery: "queue" } },
    { method: "run", params: { input: [{ kind: "text", content: `steer ${n}` }], delivery: "steer" } },
    { method: "notify", params: { message: `note ${n}` } },
    { method: "notify", params: { message: `quiet ${n}`, wake: false } },
    { method: "pause" },
    { method: "resume" },
    { method: "cancel" },
    { method: "cancel" },
    { method: "list_inbox" }
  ])

const scenario = Effect.scoped(
  Effect.gen(function* () {
    const memory = MemoryStore.make()
    const { handle, journal, model, ref } = yield* open(memory, { tools: [tool], wrap: slowly })
    const reference = yield* handle.attach
    const all = yield* Effect.forkChild(until(reference.take, (event) => event.event === "shutdown"))
    yield* model.next.pipe(
      Effect.flatMap((call) => Effect.forkScoped(respond(call))),
      Effect.forever,
      Effect.forkScoped
    )
    const answers: Array<{ readonly method: Method; readonly given: Array<Answer> }> = []
    const client = (id: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < 5; i++) {
          yield* nap
          const method = yield* anyMethod(id * 10 + i)
          const entry = { method, given: [] as Array<Answer> }
          answers.push(entry)
          yield* handle.submit(method, (answer) => {
            entry.given.push(answer)
          })
        }
      })
    const watcher = Effect.scoped(
      Effect.gen(function* () {
        yield* nap
        yield* nap
        const attachment = yield* handle.attach
        const entries = yield* Stream.runCollect(attachment.entries(0))
        return {
          attachment,
          entries: JSON.parse(`[${entries.join("")}]`) as Array<LogEntry>,
          seen: yield* until(attachment.take, (event) => event.event === "shutdown")
        }
      })
    )
    const watchers = yield* Effect.forEach([1, 2], () => Effect.forkChild(watcher))
    yield* Effect.forEach([1, 2, 3], client, { concurrency: "unbounded", discard: true })
    yield* Effect.sleep(50)
    yield* handle.shutdown
    const events = yield* Fiber.join(all)
    const late = yield* Effect.forEach(watchers, Fiber.join)
    const restored = yield* Effect.flatMap(SessionStore, (store) => store.open(ref)).pipe(
      Effect.flatMap((file) => Effect.all([restarted(file), restartedKnowing(file)])),
      Effect.exit,
      Effect.provide(memory.layer)
    )
    return {
      answers,
      events,
      late,
      restored,
      state: yield* plain(journal.state),
      log: yield* handle.readEntries(0, 10_000),
      open: model.open(),
      reference
    }
  })
)

type Result = Effect.Success<typeof scenario>

const check = ({ answers, events, late, log, open: stillOpen, reference, restored, state }: Result) => {
  // Every question is answered exactly once.
  for (const { given, method } of answers) expect(given, JSON.stringify(method)).toHaveLength(1)
  expect(stillOpen).toBe(0)
  // Numbers without a hole.
  expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => reference.seq + 1 + i))
  // One terminal record for each leg; a paused leg may be abandoned once more.
  const started = legs(events, "run_start")
  const ended = events.flatMap((event) => (event.event === "run_end" ? [event.data] : []))
  for (const leg of started) {
    const ends = ended.filter((end) => `${end.run_id} ${end.leg}` === leg).map((end) => end.result)
    expect(
      ends.filter((result) => result !== "abandoned"),
      leg
    ).toHaveLength(1)
    if (ends.includes("abandoned")) expect(ends).toEqual(["paused", "abandoned"])
  }
  expect(new Set(ended.map((end) => `${end.run_id} ${end.leg}`))).toEqual(new Set(started))
  checkStatus(events)
  // What is on disk is what the pod had.
  if (Exit.isFailure(restored)) throw new Error(String(restored.cause))
  const [found, knowing] = restored.value
  if (events.some((event) => event.event === "segment_rotated")) expect(found.state).toEqual(state)
  // Undone legs are taken back on the way, as the pod did; who knew of them before folds the same.
  const contentOf = ({ index, marks, points, state: folded }: typeof found) => ({
    folded,
    marks,
    targets: points.list(index.entries),
    ranges: index.view().ranges(0, index.entries, 1)
  })
  expect(contentOf(found)).toEqual(contentOf(knowing))
  // Nothing that was accepted is lost or doubled.
  const text = log.entries.join("\n")
  const hidden = new Set<string>(ended.filter((end) => end.result === "rolled_back").map((end) => end.run_id))
  for (const { given, method } of answers) {
    const answer = given[0]
    if (answer?.ok !== true || (method.method !== "run" && method.method !== "notify")) continue
    const words =
      method.method === "run" ? (method.params.input[0] as { content: string }).content : method.params.message
    const runs = [answer.result["run_id"], answer.result["item_id"]]
    const waits = Array.from(state.inbox.values()).filter((item) => item.preview === words).length
    const said = text.split(`"${words}"`).length - 1
    const undone = method.method === "run" && runs.some((id) => hidden.has(String(id))) && said === 0
    if (!undone) expect(method.method === "run" ? said + waits : Math.min(said, 1) + waits, words).toBe(1)
  }
  for (const { attachment, entries, seen } of late) {
    const after = events.filter((event) => event.seq > attachment.seq)
    expect(seen).toEqual(after)
    const answered = events.filter((event) => event.seq <= attachment.seq && event.event === "assistant_item").length
    expect(entries.filter(({ kind }) => kind === "assistant_item").length).toBe(answered)
  }
}

const legs = (events: ReadonlyArray<Envelope>, name: "run_start" | "run_end") =>
  events.flatMap((event) => (event.event === name ? [`${event.data.run_id} ${event.data.leg}`] : []))

const follows: Record<string, ReadonlyArray<string>> = {
  idle: ["running", "idle"],
  running: ["idle", "paused", "stopping"],
  paused: ["running", "idle"],
  stopping: ["idle", "paused"]
}

const checkStatus = (events: ReadonlyArray<Envelope>) => {
  let status = "idle"
  for (const event of events) {
    if (event.event !== "status") continue
    expect(follows[status], `${status} -> ${event.data.status}`).toContain(event.data.status)
    status = event.data.status
  }
}

const seeds = Number(process.env["EFFECT_POD_SEEDS"] ?? 1_000)

it(`${seeds} random schedules of methods, model events, tool ends and clients keep every promise`, {
  timeout: 300_000
}, async () => {
  for (let seed = 0; seed < seeds; seed++) {
    const { exit } = await simulate(seed, scenario)
    try {
      if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
      check(exit.value)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  }
})
