/** A command in the background whose start is never recorded is ended: nobody would have an id for it. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import type { Tool, ToolOutput } from "../../src/tools/Tool.ts"
import { fresh, isStatus, until } from "../support/podBench.ts"
import { entriesOf, say } from "../support/talk.ts"
import { live, workbench } from "../tools/support.ts"

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

layer(live)("a call that starts a command in the background", (it) => {
  it.effect("ends it, with its output, when it is cancelled before its result is recorded", () =>
    Effect.gen(function* () {
      const desk = yield* workbench()
      const started = yield* Deferred.make<ToolOutput>()
      // Bash, which keeps what it has to say to itself.
      const tools = desk.tools.map(
        (tool): Tool =>
          tool.spec.name === "Bash"
            ? {
                ...tool,
                run: (args, context) =>
                  tool.run(args, context).pipe(
                    Effect.tap((output) => Deferred.succeed(started, output)),
                    Effect.andThen(Effect.never)
                  )
              }
            : tool
      )
      const pod = yield* fresh({ tools, services: { commandState: desk.commandState } })
      const { take } = yield* pod.handle.attach
      yield* pod.handle.run("start")
      const command = "echo $$ > pid.new; mv pid.new pid; exec sleep 300"
      const args = { command, run_in_background: true }
      yield* Effect.flatMap(pod.model.next, (call) => call.callTools({ id: "c1", name: "Bash", args }))
      const { command: known, outputPath = "" } = yield* Deferred.await(started)
      const id = known?.id ?? ""
      while (!NFS.existsSync(desk.at("pid"))) yield* Effect.yieldNow
      const pid = Number(desk.text("pid"))
      assert.isTrue(isAlive(pid))
      assert.strictEqual(desk.commandState(id), "running")
      yield* pod.handle.cancel
      yield* until(take, isStatus("idle"))
      assert.isFalse(isAlive(pid))
      assert.deepStrictEqual(desk.commandState(id), { _tag: "Stopped" })
      assert.isFalse(NFS.existsSync(outputPath))
      assert.notInclude(JSON.stringify(yield* entriesOf(pod.handle)), id)
      assert.notInclude(JSON.stringify((yield* say(pod, "next")).messages), "have ended")
    })
  )
})
