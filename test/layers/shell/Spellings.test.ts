/** Against the real bash: what runs a denied command is never let through, however it is written. */
import * as Child from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { parseShell } from "../../../layers/shell/UnbashScript.ts"
import { decideCall } from "../../../src/manifest/PermissionRules.ts"
import { shellSubjects } from "../../../src/manifest/ShellCommands.ts"
import type { PermissionsTable } from "../../../src/manifest/tables/Permissions.ts"
import { contexts, fronts, rng, spelling } from "../../support/shellSpellings.ts"
import { tempDir } from "../store/TempDir.ts"

const bash = (pattern: string, action: "allow" | "deny" | "ask") => ({ tool: "Bash", pattern, action })

const ask_timeout = Duration.minutes(10)
/** Everything but the command that is looked for. */
const denying: PermissionsTable = {
  default_action: "allow",
  rule: [bash("zap *", "deny"), bash("zap", "deny")],
  ask_timeout
}
/** Nothing but a few harmless ones. */
const allowing: PermissionsTable = {
  default_action: "deny",
  rule: ["true", "true *", "echo *", "cat", "cat *", "git *", "wait", "x", "f", "g", "z"].map((pattern) =>
    bash(pattern, "allow")
  ),
  ask_timeout
}

export const actionOf = (table: PermissionsTable, text: string): string => {
  const { commands } = shellSubjects(text, parseShell)
  const subjects = commands.map((subject) => ({ ...subject, tool: "Bash" }))
  return decideCall(table, { target: text, subjects, script: { tool: "Bash", text } }).action
}

/** A directory of programs, and what ran there. */
const machine = Effect.map(tempDir, (dir) => {
  const bin = Path.join(dir, "bin")
  const work = Path.join(dir, "work")
  const mark = Path.join(dir, "ran")
  Fs.mkdirSync(bin)
  Fs.mkdirSync(work)
  Fs.writeFileSync(Path.join(bin, "zap"), `#!/bin/bash -p\n: > ${mark}\n`, { mode: 0o755 })
  for (const name of [
    "bash",
    "sh",
    "env",
    "nice",
    "nohup",
    "timeout",
    "setsid",
    "stdbuf",
    "xargs",
    "find",
    "cat",
    "flock"
  ]) {
    const real = Child.spawnSync("bash", ["-c", `type -P ${name}`], { encoding: "utf8" }).stdout.trim()
    if (real !== "") Fs.symlinkSync(real, Path.join(bin, name))
  }
  const runs = (text: string): boolean => {
    Fs.rmSync(mark, { force: true })
    // Only what stands in `bin` can be run, so a spelling that goes wrong does no harm.
    Child.spawnSync("/bin/bash", ["-c", "--", text], {
      cwd: work,
      env: { PATH: bin, HOME: work },
      timeout: 5_000,
      stdio: "ignore"
    })
    return Fs.existsSync(mark)
  }
  return { bin, runs }
})

const check = (text: string, ran: boolean): void => {
  if (!ran) return
  assert.strictEqual(actionOf(denying, text), "deny", text)
  assert.strictEqual(actionOf(allowing, text), "deny", text)
}

describe("spellings of a denied command", () => {
  it.effect("each way alone, and each of them does run it", () =>
    Effect.gen(function* () {
      const { bin, runs } = yield* machine
      const idle: Array<string> = []
      for (const [i, front] of fronts(bin).entries()) {
        const text = front(rng(i), "zap", "y")
        const ran = runs(text)
        if (!ran) idle.push(text)
        check(text, ran)
      }
      for (const context of contexts(bin)) {
        const text = context("zap y")
        const ran = runs(text)
        if (!ran) idle.push(text)
        check(text, ran)
      }
      assert.isBelow(idle.length, 6, `these did not run it, so they prove nothing:\n${idle.join("\n---\n")}`)
    })
  )

  it.effect("one in another, from seeds", () =>
    Effect.gen(function* () {
      const { bin, runs } = yield* machine
      let ran = 0
      for (let seed = 1; seed <= 400; seed++) {
        const text = spelling(rng(seed), bin, "zap", "y")
        const did = runs(text)
        if (did) ran += 1
        check(text, did)
      }
      assert.isAbove(ran, 250)
    })
  )

  it("is not a matter of denying everything", () => {
    const harmless = [
      "echo hello",
      "git log --oneline | cat -n && echo done",
      "cat a.txt; echo \"it's\" 'zap y' # zap y",
      'for i in 1 2 3; do echo "$i"; done',
      "timeout 5 git status 2>&1",
      "env LANG=C git diff >/dev/null",
      "bash -c 'echo a; echo b'",
      "if git status; then echo $HOME; fi",
      'x=$(git rev-parse HEAD); echo "$x"',
      "echo $((1 + 2))",
      "cat <<'E'\nzap y\n$(zap y)\nE"
    ]
    for (const text of harmless) {
      assert.strictEqual(actionOf(denying, text), "allow", text)
      assert.strictEqual(actionOf(allowing, text), "allow", text)
    }
  })
})
