import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { makePlace, type Place, run } from "../support/cli.ts"
import { scriptedManifest } from "../support/script.ts"

let place: Place

beforeEach(() => {
  place = makePlace()
})
afterEach(() => place.remove())

const script = (name: string, text: string) => {
  mkdirSync(place.cwd, { recursive: true })
  writeFileSync(join(place.cwd, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

const hook = (on: string, command: string, name = "guard") =>
  `[[hooks.command]]\nname = "${name}"\non = ["${on}"]\ncommand = ["${command}"]\n`

const create = (id: string, subject: string) => ({ tool: "TaskCreate", id, args: { subject, description: "" } })

describe("hooks and tasks over processes", () => {
  it("a hook of the manifest refuses an input: the run fails with its reason, and the log knows nothing of it", async () => {
    script("guard.sh", `case $(cat) in *forbidden*) echo '{"decision":"cancel","reason":"not that word"}' ;; esac`)
    const manifest = scriptedManifest(place.cwd, [[{ text: "ok" }]], hook("on_prompt_submit", "./guard.sh"))
    const refused = await run(place, ["run", "--manifest", manifest, "forbidden"])
    assert.deepStrictEqual([refused.code, refused.stdout], [1, ""])
    assert.match(refused.stderr, /refused; the input was taken back: Aborted by the hook "guard": not that word/)
    const allowed = await run(place, ["run", "--manifest", manifest, "fine"])
    assert.strictEqual(allowed.code, 0)
    const { stdout } = await run(place, ["log", "scripted", "--json"])
    assert.notInclude(stdout, "forbidden")
    assert.include(stdout, "fine")
  })

  it("doctor finds the program of a hook, or says that it is not there", async () => {
    script("guard.sh", "exit 0")
    const both = [hook("on_abort", "./guard.sh"), hook("pre_tool_call", "no-such-guard", "other")].join("\n")
    const manifest = scriptedManifest(place.cwd, [], both)
    const { code, stdout } = await run(place, ["doctor", "--manifest", manifest])
    assert.strictEqual(code, 1)
    assert.match(stdout, /ok +hook guard: .*\/guard\.sh, asked at on_abort/)
    // Whoever may write the guard may have it say anything, and do anything.
    assert.match(stdout, /warn +hook guard: the pod may write .*\/guard\.sh, which then runs outside of the sandbox/)
    const denied = '[[scope.deny]]\ntarget = "guard.sh"\npermission = "write"\n'
    const kept = scriptedManifest(place.cwd, [], `${denied}${hook("on_abort", "./guard.sh")}`)
    assert.notInclude((await run(place, ["doctor", "--manifest", kept])).stdout, "the pod may write")
    assert.match(stdout, /fail +hook other: no-such-guard cannot be started: it is not on the PATH/)
  })

  it("status and inspect count the tasks of a pod that is not running, and an export keeps them", async () => {
    const done = { tool: "TaskUpdate", id: "c3", args: { taskid: 1, status: "completed" } }
    const calls = [[create("c1", "one"), create("c2", "two"), done], [{ text: "planned" }]]
    await run(place, ["run", "--manifest", scriptedManifest(place.cwd, calls), "plan"])
    const counts = { pending: 1, inprogress: 0, completed: 1, deleted: 0 }
    for (const command of ["status", "inspect"]) {
      const { stdout } = await run(place, [command, "scripted", "--json"])
      assert.deepInclude(JSON.parse(stdout), { tasks: counts })
      assert.match((await run(place, [command, "scripted"])).stdout, /^tasks +1 pending, 1 completed$/m)
    }
    const file = join(place.cwd, "out.jsonl")
    assert.strictEqual((await run(place, ["export", "scripted", file])).code, 0)
    assert.strictEqual((await run(place, ["import", file, "--pod", "copy"])).code, 0)
    const { stdout } = await run(place, ["status", "copy", "--json"])
    assert.deepInclude(JSON.parse(stdout), { tasks: counts })
  })
})
