/** All output of a pod's commands on disk together is bounded; what does not fit is dropped, counted and said. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { live, workbench, type Workbench } from "./support.ts"

const start = Effect.fnUntraced(function* (bench: Workbench, command: string) {
  const { outputPath = "", summary } = yield* bench.call("Bash", { command, run_in_background: true })
  return { id: /(bash_\w+)\)$/.exec(summary)?.[1] ?? "", path: outputPath }
})

const onDisk = ({ outputDir }: Workbench): number =>
  NFS.readdirSync(outputDir).reduce((sum, name) => sum + NFS.statSync(Path.join(outputDir, name)).size, 0)

/** So many bytes, in lines. */
const bytes = (count: number) => `yes 1234567 | head -c ${count}`

const filled = Effect.fnUntraced(function* (path: string, size: number) {
  while (NFS.statSync(path).size < size) yield* Effect.yieldNow
})

layer(live)("the output of all commands", (it) => {
  it.effect("over the pod's limit is dropped and counted, and the command goes on", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ outputTotalBytes: 100_000 })
      const holder = yield* start(bench, `${bytes(90_000)}; sleep 300`)
      yield* filled(holder.path, 90_000)
      const part = yield* bench.call("Bash", { command: `${bytes(50_000)}; echo last` })
      assert.include(part.summary, "head -c 50000; echo last")
      assert.match(
        part.content ?? "",
        /^\[6251 lines, 50005 bytes of output; its beginning is in \S+, and 40005 bytes were dropped: the output of this pod's commands takes all of its 100000 bytes on disk\]\n/
      )
      assert.include(part.content, "\nlast\n")
      assert.strictEqual(NFS.statSync(part.outputPath ?? "").size, 10_000)
      const next = yield* start(bench, `${bytes(30_000)}; echo up > up; until [ -e go ]; do sleep 0.01; done; echo end`)
      // The finished one makes room for it, and that is not enough.
      yield* filled(next.path, 10_000)
      assert.isFalse(NFS.existsSync(part.outputPath ?? ""))
      bench.put({ go: "" })
      while (bench.commandState(next.id) === "running") yield* Effect.yieldNow
      const shown = yield* bench.call("BashOutput", { id: next.id })
      assert.include(shown.summary, "ended: exit code 0): 10000 new of 10000 bytes")
      assert.include(shown.content, "[20004 bytes were dropped: the output of this pod's commands")
      const none = yield* bench.call("Bash", { command: `${bytes(150_000)} | cat; sleep 0` })
      assert.isAtMost(onDisk(bench), 100_000)
      assert.include(none.content, "bytes were dropped")
      yield* bench.call("KillShell", { id: holder.id })
    })
  )

  it.effect("has room again when a command has ended: the oldest output goes for the newest", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ outputTotalBytes: 100_000 })
      const holder = yield* start(bench, `${bytes(100_000)}; sleep 300`)
      yield* filled(holder.path, 100_000)
      const nothing = yield* bench.call("Bash", { command: bytes(20_000) })
      assert.include(nothing.content, "bytes of output; 20000 bytes were dropped")
      assert.isUndefined(nothing.outputPath)
      assert.deepStrictEqual(NFS.readdirSync(bench.outputDir), [Path.basename(holder.path)])
      yield* bench.call("KillShell", { id: holder.id })
      const paths: Array<string> = []
      for (const size of [20_000, 60_000, 40_000]) {
        const { content, outputPath = "" } = yield* bench.call("Bash", { command: bytes(size) })
        assert.include(content, "all of it is in")
        assert.strictEqual(NFS.statSync(outputPath).size, size)
        assert.isAtMost(onDisk(bench), 100_000)
        paths.push(outputPath)
      }
      assert.deepStrictEqual(
        paths.map((path) => NFS.existsSync(path)),
        [false, true, true]
      )
      const gone = yield* Effect.flip(bench.call("BashOutput", { id: holder.id }))
      assert.include(gone.message, "There are none now")
      assert.deepStrictEqual(bench.commandState(holder.id), { _tag: "Stopped" })
    })
  )

  it.effect("that is dropped counts for the limit of its command", () =>
    Effect.gen(function* () {
      const bench = yield* workbench({ outputTotalBytes: 20_000, outputQuotaBytes: 100_000 })
      const { id, path } = yield* start(bench, "yes")
      while (bench.commandState(id) === "running") yield* Effect.yieldNow
      const { content, summary } = yield* bench.call("BashOutput", { id })
      assert.include(summary, "ended: it wrote more than 100000 bytes")
      assert.include(content, "[80000 bytes were dropped")
      assert.strictEqual(NFS.statSync(path).size, 20_000)
    })
  )
})
