import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import { live, refusal, workbench } from "./support.ts"

layer(live)("file tools", (it) => {
  it.effect("change nothing that somebody else changed while they were at it", () =>
    Effect.gen(function* () {
      let meddle = (): void => {}
      const { at, call, put, text } = yield* workbench({
        files: { "a.txt": "alpha" },
        // The new content is written beside the file just before it takes its place.
        beforeOpen: (path) => path.endsWith(".tmp") && meddle()
      })
      yield* call("Read", { file_path: at("a.txt") })
      meddle = () => put({ "a.txt": "alpha, and more" })
      const edit = { file_path: at("a.txt"), old_string: "alpha", new_string: "beta" }
      assert.include((yield* refusal(call("Edit", edit))).message, "changed since")
      meddle = () => {}
      yield* call("Read", { file_path: at("a.txt") })
      meddle = () => put({ "a.txt": "alpha again" })
      assert.include((yield* refusal(call("Write", { file_path: at("a.txt"), content: "x" }))).message, "changed since")
      assert.strictEqual(text("a.txt"), "alpha again")
      meddle = () => put({ "new.txt": "first" })
      assert.include(
        (yield* refusal(call("Write", { file_path: at("new.txt"), content: "x" }))).message,
        "has appeared"
      )
      assert.strictEqual(text("new.txt"), "first")
      assert.deepStrictEqual(NFS.readdirSync(at("")).toSorted(), ["a.txt", "new.txt"])
    })
  )

  it.effect("name the paths that they change, in one form, and none for arguments that do not fit", () =>
    Effect.gen(function* () {
      const { tools } = yield* workbench()
      const mutates = (name: string, args: { readonly [key: string]: string }) =>
        tools.find((tool) => tool.spec.name === name)?.mutates(args)
      assert.deepStrictEqual(mutates("Write", { file_path: "/a//b/./c/../d", content: "" }), ["/a/b/d"])
      assert.deepStrictEqual(mutates("Write", { file_path: "relative", content: "" }), [])
      assert.deepStrictEqual(mutates("Write", { file_path: "/a" }), [])
      assert.deepStrictEqual(mutates("Read", { file_path: "/a" }), [])
      assert.deepStrictEqual(tools.map((tool) => `${tool.spec.name} ${tool.idempotent}`).toSorted(), [
        "Bash false",
        "BashOutput false",
        "Edit false",
        "Glob true",
        "Grep true",
        "KillShell true",
        "Read true",
        "TaskCreate true",
        "TaskGet true",
        "TaskList true",
        "TaskUpdate true",
        "Write false"
      ])
    })
  )
})
