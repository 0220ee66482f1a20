/** What the model knows of files is what its conversation shows: through rewinds, forks, restarts. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileOf, fresh, isStatus, open, until } from "../support/podBench.ts"
import { back, entriesOf, say } from "../support/talk.ts"
import { live, workbench } from "../tools/support.ts"

type Bench = Effect.Success<ReturnType<typeof open>>

let made = 0

/** One run with these calls in one response; the summaries of their results, in call order. */
const work = Effect.fnUntraced(function* (
  bench: Pick<Bench, "handle" | "model">,
  words: string,
  ...calls: ReadonlyArray<readonly [name: string, args: object]>
) {
  const { take } = yield* bench.handle.attach
  yield* bench.handle.run(words)
  const asked = calls.map(([name, args]) => ({ id: `c${made++}`, name, args }))
  yield* Effect.flatMap(bench.model.next, (call) => call.callTools(...asked))
  const next = yield* bench.model.next
  const last = next.request.messages.at(-1)
  yield* next.answer("done")
  yield* until(take, isStatus("idle"))
  return last?.role === "tool" ? last.results.map(({ text }) => text) : []
})

const world = Effect.gen(function* () {
  const desk = yield* workbench({ files: { "a.txt": "one\n" } })
  const path = desk.at("a.txt")
  const read = ["Read", { file_path: path }] as const
  const edit = (from: string, to: string) => ["Edit", { file_path: path, old_string: from, new_string: to }] as const
  return { ...desk, path, read, edit }
})

layer(live)("what the model knows of files", (it) => {
  it.effect("is gone with the Read that a rewind takes away, and back when that is undone", () =>
    Effect.gen(function* () {
      const { edit, read, text, tools } = yield* world
      const bench = yield* fresh({ tools })
      yield* say(bench, "hello")
      yield* work(bench, "look", read)
      yield* back(bench.handle, "look")
      const [refused = ""] = yield* work(bench, "change", edit("one", "two"))
      assert.include(refused, "has not been read yet in this conversation")
      assert.strictEqual(text("a.txt"), "one\n")
      yield* back(bench.handle, "change")
      yield* work(bench, "look again", read)
      yield* back(bench.handle, "look again")
      yield* bench.handle.undoRewind
      const [edited = ""] = yield* work(bench, "change", edit("one", "two"))
      assert.include(edited, "1 replacement")
    })
  )

  it.effect("is what it was before an Edit that a rewind takes away: the file has changed since", () =>
    Effect.gen(function* () {
      const { edit, read, text, tools } = yield* world
      const bench = yield* fresh({ tools })
      yield* work(bench, "look", read)
      yield* work(bench, "change", edit("one", "two"))
      yield* back(bench.handle, "change")
      const [refused = ""] = yield* work(bench, "once more", edit("two", "three"))
      assert.include(refused, "has changed since it was last read")
      assert.strictEqual(text("a.txt"), "two\n")
    })
  )

  it.effect("survives a restart, as long as the file is what it was", () =>
    Effect.gen(function* () {
      const { edit, put, read, text, tools } = yield* world
      const first = yield* fresh({ tools })
      yield* work(first, "look", read)
      yield* first.handle.shutdown
      const second = yield* open(first.memory, { tools })
      assert.include((yield* work(second, "change", edit("one", "two")))[0], "1 replacement")
      yield* second.handle.shutdown
      put({ "a.txt": "changed by another\n" })
      const third = yield* open(first.memory, { tools })
      assert.include((yield* work(third, "change", edit("changed", "kept")))[0], "has changed since")
      assert.strictEqual(text("a.txt"), "changed by another\n")
    })
  )

  it.effect("goes with the conversation into a fork, and each side learns its own from there on", () =>
    Effect.gen(function* () {
      const { edit, read, tools } = yield* world
      const bench = yield* fresh({ tools })
      yield* work(bench, "look", read)
      yield* bench.handle.fork("branch")
      const branch = yield* open(bench.memory, { name: "branch", tools })
      assert.include((yield* work(branch, "change", edit("one", "two")))[0], "1 replacement")
      assert.include((yield* work(bench, "change", edit("two", "three")))[0], "has changed since")
    })
  )

  it.effect("stands with the result in the journal, and what was not shown whole is not in it", () =>
    Effect.gen(function* () {
      const { at, call, edit, path, put, read, tools } = yield* world
      const bench = yield* fresh({ tools })
      put({ "large.txt": new Uint8Array(16 * 1024 * 1024 + 1).fill(0x61) })
      yield* work(bench, "look", read, ["Read", { file_path: at("none") }], ["Read", { file_path: at("large.txt") }])
      yield* work(bench, "change", edit("one", "two"), edit("two", "three"))
      const seen = (yield* entriesOf(bench.handle)).flatMap((entry) =>
        entry.kind === "tool_result" ? [entry.seen] : []
      )
      const paths = seen.map((file) => file?.path)
      // Calls that change nothing end in any order.
      assert.sameMembers(paths.slice(0, 3), [path, undefined, undefined])
      assert.deepStrictEqual(paths.slice(3), [path, path])
      assert.strictEqual(seen.at(-1)?.sha256, (yield* call("Read", { file_path: path })).seen?.sha256)
      assert.strictEqual(
        fileOf(bench.memory, bench.ref).filter((entry) => JSON.stringify(entry).includes('"seen"')).length,
        3
      )
    })
  )
})
