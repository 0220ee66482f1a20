/** Hundreds of commands in the background over an hour leave nothing behind but what is said to be kept. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import { isRunning } from "../layers/runtime/LauncherSupport.ts"
import { live, workbench, type Workbench } from "./support.ts"

const atOnce = 16
const turns = 20

const start = Effect.fnUntraced(function* (bench: Workbench, command: string) {
  const { summary } = yield* bench.call("Bash", { command, run_in_background: true })
  return /(bash_\w+)\)$/.exec(summary)?.[1] ?? ""
})

const descriptors = (): number => NFS.readdirSync("/proc/self/fd").length

/** A third is stopped, a third ends by itself, a third writes too much. */
const commands = ["sleep 300", "true", "yes"]
const endings = ["Stopped", "Code", "OverQuota"]

const ended = Effect.fnUntraced(function* (bench: Workbench, id: string) {
  for (;;) {
    const state = bench.commandState(id)
    if (state !== "running") return state === "gone" ? state : state._tag
    yield* Effect.yieldNow
  }
})

/** As many as may run, each with its process id in a file, until all of them have ended. */
const turn = Effect.fnUntraced(function* (bench: Workbench, number: number) {
  const places = Array.from({ length: atOnce }, (_, index) => ({
    kind: (number + index) % commands.length,
    name: `${number}-${index}`
  }))
  const ids = yield* Effect.forEach(
    places,
    ({ kind, name }) => start(bench, `echo $$ > ${name}; exec ${commands[kind]}`),
    { concurrency: "unbounded" }
  )
  const ends = yield* Effect.forEach(
    places,
    Effect.fnUntraced(function* ({ kind, name }, index) {
      const id = ids[index] ?? ""
      while (!NFS.existsSync(bench.at(name)) || !bench.text(name).endsWith("\n")) yield* Effect.yieldNow
      if (kind === 0) yield* bench.call("KillShell", { id })
      return yield* ended(bench, id)
    }),
    { concurrency: "unbounded" }
  )
  assert.deepStrictEqual(
    ends.map(String),
    places.map(({ kind }) => String(endings[kind]))
  )
  yield* TestClock.adjust("3 minutes")
  return { ids, pids: places.map(({ name }) => Number(bench.text(name))) }
})

layer(live)("hundreds of commands in the background", (it) => {
  it.effect("over an hour leave no process and no descriptor, and of files and ids what is kept", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const bench = yield* Scope.provide(workbench({ outputQuotaBytes: 20_000, outputTotalBytes: 100_000 }), scope)
      const first = yield* turn(bench, 0)
      const before = descriptors()
      const ids = [...first.ids]
      const pids = [...first.pids]
      for (let number = 1; number < turns; number++) {
        const made = yield* turn(bench, number)
        ids.push(...made.ids)
        pids.push(...made.pids)
        const files = NFS.readdirSync(bench.outputDir)
        assert.isAtMost(files.length, 2 * atOnce)
        const size = files.reduce((sum, name) => sum + NFS.statSync(`${bench.outputDir}/${name}`).size, 0)
        assert.isAtMost(size, 100_000)
      }
      assert.strictEqual(new Set(ids).size, turns * atOnce)
      assert.deepStrictEqual(pids.filter(isRunning), [])
      // Of each that is kept its file is open.
      assert.isAtMost(descriptors(), before + atOnce)
      const missing = yield* Effect.flip(bench.call("BashOutput", { id: "bash_none" }))
      assert.isAtMost((/Known are: ([^.]*)\./.exec(missing.message)?.[1] ?? "").split(", ").length, 2 * atOnce)
      const last = yield* start(bench, "true")
      assert.strictEqual(yield* ended(bench, last), "Code")
      assert.isAtMost(NFS.readdirSync(bench.outputDir).length, atOnce + 1)
      const open = () =>
        NFS.readdirSync("/proc/self/fd").flatMap((fd) => {
          try {
            return [NFS.readlinkSync(`/proc/self/fd/${fd}`)]
          } catch {
            return []
          }
        })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        open().filter((path) => path.startsWith(bench.outputDir)),
        []
      )
    })
  )
})
