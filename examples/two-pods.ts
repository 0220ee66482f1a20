/**
 * Two pods in one program that talk to each other, each on a model of its own, and end with one Scope.
 *
 *   npm run example -- two-pods
 *
 * The scout may read a directory and runs on the embedded offline model. The writer may write there and plays a script.
 * What the scout finds is given to the writer as a run; what the writer made of it, the scout looks up; and of that the
 * writer is notified, which starts a turn of its own.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { LlmClient, Manifest, Pod, type PodHandle } from "effect-pod"
import { Offline, PodTest, Scripted } from "effect-pod/layers"

/** Starts a turn with `begin` and returns the last words of it. */
const turn = Effect.fnUntraced(function* <E>(pod: PodHandle, begin: Effect.Effect<unknown, E>) {
  // Attached before the turn begins, so that nothing of it can be missed.
  const { take } = yield* pod.attach
  yield* begin
  let words = ""
  while (true) {
    for (const event of yield* take) {
      if (event.event === "tool_result") yield* Console.log(`  ${pod.name} uses a tool: ${event.data.summary}`)
      if (event.event === "text_done") words = event.data.text
      if (event.event === "run_end") return words
    }
  }
}, Effect.scoped)

const ask = Effect.fnUntraced(function* (pod: PodHandle, text: string) {
  const answer = yield* turn(pod, pod.run(text))
  yield* Console.log(`${pod.name}: ${answer.replaceAll("\n", "\n  ")}\n`)
  return answer
})

/** What the writer's model says and does, call by call. */
const script = (directory: string): ReadonlyArray<Scripted.ScriptCall> => [
  {
    expect: { user_contains: "Ship on Friday." },
    steps: [
      { text: "I will write that down." },
      { tool: "Write", args: { file_path: `${directory}/summary.txt`, content: "Friday it is.\n" } }
    ]
  },
  { steps: [{ text: "It is in summary.txt." }] },
  { steps: [{ text: "Good. Then we are done." }] }
]

const conversation = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "two-pods-" })
  yield* files.writeFileString(`${directory}/plan.txt`, "Ship on Friday.\n")

  const scout = yield* Pod.make(
    yield* Manifest.make({
      pod: { name: "scout" },
      scope: { allow: [{ target: directory, permission: "read" }] }
    })
  ).pipe(Effect.provideService(LlmClient, Offline.client))

  const { client } = yield* Scripted.make(script(directory))
  const writer = yield* Pod.make(
    yield* Manifest.make({
      pod: { name: "writer" },
      scope: { allow: [{ target: directory, permission: "write" }] }
    })
  ).pipe(Effect.provideService(LlmClient, client))

  const found = yield* ask(scout, "read plan.txt")
  yield* ask(writer, `This is what the scout has found:\n${found}`)
  const checked = yield* ask(scout, "read summary.txt")
  yield* Console.log(`writer: ${yield* turn(writer, writer.notify(`the scout has looked it up: ${checked}`))}\n`)
  return [scout, writer]
})

const main = Effect.gen(function* () {
  const pods = yield* Effect.scoped(conversation)
  // Their Scope has closed: both have ended, and nothing of them is left.
  yield* Effect.forEach(pods, (pod) => pod.stopped)
  yield* Console.log(`${pods.map(({ name }) => name).join(" and ")} have ended with their Scope.`)
})

NodeRuntime.runMain(Effect.provide(main, PodTest.world()))
