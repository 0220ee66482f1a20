/** A start removes what a kill left beside the files that the pod was changing. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as NFS from "node:fs"
import * as PodTest from "../../layers/PodTest.ts"
import * as MemoryStore from "../../layers/store/MemoryStore.ts"
import * as Pod from "../../src/pod/Pod.ts"
import * as Tool from "../../src/tools/Tool.ts"
import * as Workspace from "../support/workspace.ts"

describe("a pod that is killed while it writes", () => {
  it.live("tidies the directories of what it was changing when it starts again, of its own files alone", () =>
    Effect.gen(function* () {
      const memory = MemoryStore.make()
      const cwd = yield* Workspace.directory
      const begun = yield* Deferred.make<void>()
      const write = Tool.make({
        name: "Write",
        description: "never ends",
        replaces: true,
        parameters: Schema.Struct({ file_path: Schema.String, content: Schema.String }),
        mutates: ({ file_path }) => [file_path],
        run: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      })
      const manifest = yield* Workspace.manifestFor(cwd, "tester")
      const args = { file_path: `${cwd}/deep/a.txt`, content: "new" }
      const script = PodTest.layer([{ steps: [{ tool: "Write", id: "c1", args }] }], memory)
      // Never closed before the next one starts: that is what a kill is to the journal.
      const first = yield* Effect.provide(Pod.make(manifest, { cwd, tools: [write] }), script)
      yield* first.run("go")
      yield* Deferred.await(begun)
      NFS.mkdirSync(`${cwd}/deep`)
      const left = (directory: string, owner: string) => `${directory}/.effect-pod-${owner}-1a.tmp`
      const mine = left(`${cwd}/deep`, first.sessionId)
      const others = [left(`${cwd}/deep`, "another"), left(cwd, first.sessionId)]
      for (const path of [mine, ...others]) NFS.writeFileSync(path, "half")
      yield* Effect.gen(function* () {
        yield* Pod.make(manifest, { cwd })
        while (NFS.existsSync(mine)) yield* Effect.yieldNow
        for (const path of others) assert.isTrue(NFS.existsSync(path))
      }).pipe(Effect.provide(PodTest.layer([], memory), { local: true }))
    }).pipe(Effect.scoped, Effect.provide(PodTest.world()))
  )
})
