/** The end of a command in the background is told to the model once, at its next turn, whatever comes between. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fresh, isStatus, open, rest, until } from "../support/podBench.ts"
import { back, entriesOf, say } from "../support/talk.ts"
import { live, workbench, type Workbench } from "../tools/support.ts"

type Bench = Pick<Effect.Success<ReturnType<typeof open>>, "handle" | "model">

let made = 0

/** One run in which the model makes one call; what it is told in the request behind it. */
const work = Effect.fnUntraced(function* (bench: Bench, words: string, name: string, args: object) {
  const { take } = yield* bench.handle.attach
  yield* bench.handle.run(words)
  yield* Effect.flatMap(bench.model.next, (call) => call.callTools({ id: `c${made++}`, name, args }))
  const next = yield* bench.model.next
  yield* next.answer("done")
  yield* until(take, isStatus("idle"))
  return JSON.stringify(next.request.messages)
})

const inBackground = Effect.fnUntraced(function* (bench: Bench, command: string) {
  const told = yield* work(bench, `start ${command}`, "Bash", { command, run_in_background: true })
  return /.*in the background: (bash_\w+)/.exec(told)?.[1] ?? ""
})

const ended = Effect.fnUntraced(function* (desk: Workbench, id: string) {
  while (desk.commandState(id) === "running") yield* Effect.yieldNow
})

const notes = (messages: unknown): number =>
  JSON.stringify(messages).split("Commands in the background have ended").length - 1

const bench = (desk: Workbench, more: Parameters<typeof fresh>[0] = {}) =>
  fresh({ tools: desk.tools, services: { commandState: desk.commandState }, ...more })

layer(live)("the end of a command in the background", (it) => {
  it.effect("waits for the next turn, is told there once, and wakes nobody", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const pod = yield* bench(desk)
      const id = yield* inBackground(pod, "until [ -e go ]; do sleep 0.01; done; exit 3")
      assert.strictEqual(notes((yield* say(pod, "and now?")).messages), 0)
      desk.put({ go: "" })
      yield* ended(desk, id)
      const before = yield* entriesOf(pod.handle)
      yield* rest
      assert.strictEqual(yield* pod.handle.status, "idle")
      assert.strictEqual((yield* entriesOf(pod.handle)).length, before.length)
      const { messages } = yield* say(pod, "next")
      assert.include(JSON.stringify(messages), `- ${id} (until [ -e go ]; do sleep 0.01; done; exit 3): exit code 3`)
      assert.strictEqual(notes((yield* say(pod, "and then?")).messages), 1)
      const note = (yield* entriesOf(pod.handle)).find(({ kind }) => kind === "system_item")
      assert.deepInclude(note, { commands: [id] })
    })
  )

  it.effect("is not told again to who has heard of it from BashOutput or KillShell", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const pod = yield* bench(desk)
      const first = yield* inBackground(pod, "true")
      yield* ended(desk, first)
      // It is told by the first request of this run: the call says nothing new.
      assert.strictEqual(notes(yield* work(pod, "look", "BashOutput", { id: first })), 1)
      const second = yield* inBackground(pod, "sleep 300")
      assert.strictEqual(notes(yield* work(pod, "stop", "KillShell", { id: second })), 1)
      assert.strictEqual(notes((yield* say(pod, "next")).messages), 1)
    })
  )

  it.effect("that came with the pod's own is told at the next start, once", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const pod = yield* bench(desk)
      const id = yield* inBackground(pod, "sleep 300")
      yield* pod.handle.shutdown
      const other = yield* workbench()
      const again = () => open(pod.memory, { tools: other.tools, services: { commandState: other.commandState } })
      const second = yield* again()
      const { messages } = yield* say(second, "next")
      assert.include(JSON.stringify(messages), `- ${id} (sleep 300): it ended, at the latest, with the pod`)
      yield* second.handle.shutdown
      const third = yield* again()
      assert.strictEqual(notes((yield* say(third, "next")).messages), 1)
    })
  )

  it.effect("is told again when a rewind has taken the note away, and not when it has taken the start", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const pod = yield* bench(desk)
      yield* say(pod, "hello")
      const id = yield* inBackground(pod, "true")
      yield* ended(desk, id)
      assert.strictEqual(notes((yield* say(pod, "one")).messages), 1)
      yield* back(pod.handle, "one")
      assert.strictEqual(notes((yield* say(pod, "two")).messages), 1)
      yield* back(pod.handle, "start true")
      assert.strictEqual(notes((yield* say(pod, "three")).messages), 0)
    })
  )

  it.effect("is told again behind a run that left nothing", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const pod = yield* bench(desk)
      yield* ended(desk, yield* inBackground(pod, "true"))
      const { take } = yield* pod.handle.attach
      yield* pod.handle.run("never mind")
      assert.strictEqual(notes((yield* pod.model.next).request.messages), 1)
      yield* pod.handle.cancel
      yield* until(take, isStatus("idle"))
      assert.strictEqual(notes((yield* say(pod, "next")).messages), 1)
    })
  )

  it.effect("of another pod's command is told to a fork as what it is: not its own", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const pod = yield* bench(desk)
      const id = yield* inBackground(pod, "sleep 300")
      yield* pod.handle.fork("branch")
      const other = yield* workbench()
      const branch = yield* open(pod.memory, {
        name: "branch",
        tools: other.tools,
        services: { commandState: other.commandState }
      })
      assert.strictEqual(notes((yield* say(branch, "next")).messages), 1)
      assert.strictEqual(notes((yield* say(pod, "next")).messages), 0)
      assert.strictEqual(desk.commandState(id), "running")
    })
  )

  it.effect("is one note for all of them, and names no more than 16", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      let isTold = false
      const pod = yield* bench(desk, {
        services: { commandState: (id) => (isTold ? desk.commandState(id) : "running") }
      })
      const ids = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.tap(inBackground(pod, "true"), (id) => ended(desk, id))
      )
      isTold = true
      const { messages } = yield* say(pod, "next")
      assert.strictEqual(notes(messages), 1)
      const note = (yield* entriesOf(pod.handle)).find((entry) => entry.kind === "system_item")
      assert.deepStrictEqual(note?.commands, ids)
      assert.match(note?.item.body ?? "", new RegExp(`(- bash_\\w+ \\(true\\): exit code 0\n){16}- and 4 more\n`))
    })
  )
})
