import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as NFS from "node:fs"
import * as LauncherLive from "../../layers/runtime/Launcher.ts"
import * as RipgrepLive from "../../layers/runtime/Ripgrep.ts"
import * as SandboxBubblewrap from "../../layers/runtime/SandboxBubblewrap.ts"
import * as PdfReaderLive from "../../layers/pdf/PdfReader.ts"
import * as PageReaderLive from "../../layers/web/PageReader.ts"
import * as WebClientLive from "../../layers/web/WebClient.ts"
import { canary, isRunning } from "../layers/runtime/LauncherSupport.ts"
import { canFence } from "../support/bubblewrap.ts"
import { live, workbench, type Workbench } from "./support.ts"

const start = Effect.fnUntraced(function* (bench: Workbench, command: string) {
  const { outputPath = "", summary } = yield* bench.call("Bash", { command, run_in_background: true })
  return { id: /\(in the background: (bash_\w+)\)$/.exec(summary)?.[1] ?? "", path: outputPath }
})

const look = (bench: Workbench, id: string) => bench.call("BashOutput", { id })
const kill = (bench: Workbench, id: string) => bench.call("KillShell", { id })

/** Waits until a command has written a line into a file. */
const written = Effect.fnUntraced(function* (bench: Workbench, name: string) {
  while (!NFS.existsSync(bench.at(name)) || !bench.text(name).endsWith("\n")) yield* Effect.yieldNow
  return bench.text(name).trim()
})

/** Reads until the command is over; all that it showed. */
const toEnd = Effect.fnUntraced(function* (bench: Workbench, id: string) {
  let content = ""
  for (;;) {
    const shown = yield* look(bench, id)
    content += shown.content ?? ""
    if (shown.summary.includes("ended")) return { content, summary: shown.summary }
    yield* Effect.yieldNow
  }
})

const fenced = Layer.mergeAll(
  NodeFileSystem.layer,
  LauncherLive.layer,
  RipgrepLive.layer,
  Layer.provide(SandboxBubblewrap.layer({ hidden: [] }), LauncherLive.layer),
  WebClientLive.layer(),
  Layer.provide(PageReaderLive.layer(), LauncherLive.layer),
  Layer.provide(PdfReaderLive.layer(), LauncherLive.layer)
)

const suite = (layers: typeof fenced) =>
  layer(layers)((it) => {
    it.effect("runs on, is read from where it was read last, and tells its end", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const { id, path } = yield* start(bench, "echo one; until [ -e go ]; do sleep 0.01; done; echo two >&2; exit 3")
        let first = yield* look(bench, id)
        while (first.content === undefined) first = yield* look(bench, id)
        assert.strictEqual(first.content, "one\n")
        assert.include(first.summary, `(${id}, running): 4 new of 4 bytes`)
        assert.isUndefined((yield* look(bench, id)).content)
        bench.put({ go: "" })
        const { content, summary } = yield* toEnd(bench, id)
        assert.strictEqual(content, "two\n")
        assert.include(summary, `(${id}, ended: exit code 3)`)
        assert.strictEqual(NFS.readFileSync(path, "utf8"), "one\ntwo\n")
        assert.strictEqual(NFS.statSync(path).mode & 0o777, 0o600)
        assert.include((yield* bench.call("Read", { file_path: path })).content, "two")
        assert.include((yield* look(bench, id)).summary, "0 new of 8 bytes")
      })
    )

    it.effect("is stopped with everything that it has started", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const held = canary(bench.work)
        const { id } = yield* start(bench, "exec 9>canary; sleep 300 & (sleep 300 | sleep 300) & echo up > up; wait")
        yield* written(bench, "up")
        assert.strictEqual((yield* kill(bench, id)).summary, `${id} was stopped`)
        assert.include((yield* look(bench, id)).summary, "ended: stopped")
        assert.strictEqual((yield* kill(bench, id)).summary, `${id} was stopped`)
        yield* Effect.promise(() => held.ended)
        const other = yield* start(bench, "true")
        yield* toEnd(bench, other.id)
        assert.include((yield* kill(bench, other.id)).summary, "had ended by itself before (exit code 0)")
      })
    )

    it.effect("ends with the pod", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const bench = yield* Scope.provide(workbench(), scope)
        const held = canary(bench.work)
        const ids = yield* Effect.forEach([1, 2, 3], (n) => start(bench, `exec 9>canary; echo $$ > up${n}; sleep 300`))
        assert.strictEqual(new Set(ids.map(({ id }) => id)).size, 3)
        for (const n of [1, 2, 3]) yield* written(bench, `up${n}`)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.promise(() => held.ended)
      })
    )

    it.effect("does not carry over to the next start, which says so", () =>
      Effect.gen(function* () {
        const before = yield* workbench()
        const { id } = yield* start(before, "sleep 300")
        const after = yield* workbench()
        const error = yield* Effect.flip(look(after, id))
        assert.strictEqual(error.reason, "InvalidArgument")
        assert.include(error.message, "those of an earlier start are gone")
        assert.include((yield* Effect.flip(kill(after, id))).message, "There are none now")
        assert.include((yield* Effect.flip(look(before, "bash_x"))).message, `Known are: ${id}`)
      })
    )

    it.effect("is one of 16 at most, and of those that ended 16 are kept", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const ids = yield* Effect.forEach(
          Array.from({ length: 16 }, (_, index) => index),
          () => start(bench, "sleep 300"),
          { concurrency: "unbounded" }
        )
        const refused = yield* Effect.flip(start(bench, "true"))
        assert.strictEqual(refused.reason, "InvalidArgument")
        assert.include(refused.message, (ids[3] as { id: string }).id)
        yield* Effect.forEach(ids, ({ id }) => kill(bench, id), { concurrency: "unbounded" })
        const next = yield* start(bench, "true")
        yield* toEnd(bench, next.id)
        const later = yield* start(bench, "true")
        assert.include(
          (yield* Effect.flip(look(bench, (ids[0] as { id: string }).id))).message,
          "no background command"
        )
        assert.isAtMost(NFS.readdirSync(bench.outputDir).length, 17)
        yield* toEnd(bench, later.id)
      })
    )

    it.effect("that writes much is shown in part, with a file that has all; over the quota it is ended", () =>
      Effect.gen(function* () {
        const bench = yield* workbench({ outputQuotaBytes: 100_000 })
        const { id, path } = yield* start(bench, "seq 5000; echo > up; until [ -e go ]; do sleep 0.01; done; yes é")
        yield* written(bench, "up")
        let all = yield* look(bench, id)
        while (!all.summary.includes("of 23893 bytes")) all = yield* look(bench, id)
        bench.put({ go: "" })
        const { summary } = yield* toEnd(bench, id)
        assert.include(summary, "ended: it wrote more than 100000 bytes")
        assert.strictEqual(NFS.statSync(path).size, 100_000)
        const again = yield* start(bench, "seq 5000")
        while (NFS.statSync(again.path).size < 23_893) yield* Effect.yieldNow
        yield* kill(bench, again.id)
        const shown = yield* look(bench, again.id)
        assert.isTrue(shown.truncated)
        assert.match(shown.content ?? "", /^1\n2\n[^]*\n20\n\[\.\.\. 23542 bytes left out \.\.\.\]\n4941\n[^]*5000\n$/)
      })
    )

    it.effect("shows whole characters", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const { id, path } = yield* start(
          bench,
          "printf 'a\\303'; until [ -e go ]; do sleep 0.01; done; printf '\\251\\360\\237'"
        )
        while (NFS.statSync(path).size < 2) yield* Effect.yieldNow
        let first = yield* look(bench, id)
        while (first.content === undefined) first = yield* look(bench, id)
        assert.strictEqual(first.content, "a")
        bench.put({ go: "" })
        // What never came whole is shown as what it is.
        assert.strictEqual((yield* toEnd(bench, id)).content, "é\ufffd")
      })
    )

    it.effect("cannot be started: the reason is the result, and nothing is left", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const long = yield* Effect.flip(start(bench, `: ${"x".repeat(200_000)}`))
        assert.include(long.message, "too long")
        assert.deepStrictEqual(NFS.existsSync(bench.outputDir) ? NFS.readdirSync(bench.outputDir) : [], [])
      })
    )

    it.effect("outlives the call and the run, not the pod", () =>
      Effect.gen(function* () {
        const bench = yield* workbench()
        const { id } = yield* start(bench, "echo $$ > up; sleep 300")
        yield* written(bench, "up")
        yield* bench.call("Bash", { command: "true" })
        assert.include((yield* look(bench, id)).summary, "running")
        if (layers !== fenced) assert.isTrue(isRunning(Number(bench.text("up"))))
      })
    )
  })

describe("a command in the background, unfenced", () => {
  suite(live)
})
describe.skipIf(!canFence)("a command in the background, fenced", () => {
  suite(fenced)
})
