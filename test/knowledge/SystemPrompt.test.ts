import { spawnSync } from "node:child_process"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import { instructionFromText, loadInstruction } from "../../src/knowledge/Instruction.ts"
import { projectInstructionsBytes } from "../../src/knowledge/ProjectInstructions.ts"
import { renderSystemPrompt } from "../../src/knowledge/SystemPrompt.ts"
import { defaultLanguage } from "../../src/manifest/tables/Worker.ts"

const unfenced = { mode: "none", enforced: false, reason: "no sandbox" } as const
const fenced = { mode: "bubblewrap", enforced: true, reason: "" } as const
const scopeSummary = "Readable:\n  - /w\nWritable:\n  - /w\n"

/** A directory with these files in it; names with a slash make directories. */
const project = (files: Readonly<Record<string, string | Uint8Array>>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
    for (const [name, content] of Object.entries(files)) {
      const path = `${directory}/${name}`
      yield* fs.makeDirectory(path.slice(0, path.lastIndexOf("/")), { recursive: true })
      yield* typeof content === "string" ? fs.writeFileString(path, content) : fs.writeFile(path, content)
    }
    return directory
  })

const render = (cwd: string, text = "Body.") =>
  Effect.flatMap(instructionFromText(text, "test"), (instruction) =>
    renderSystemPrompt({
      instruction,
      language: "German",
      cwd,
      tools: ["Write", "Bash", "Read"],
      scopeSummary,
      sandbox: unfenced
    })
  )

const boundaries = `---

## Working boundaries

Readable:
  - /w
Writable:
  - /w

File tools refuse what lies outside these boundaries. Commands are not fenced: there it is up to you to stay inside.`

describe("the system prompt", () => {
  it.effect("is the instruction, then the boundaries, then what the project says", () =>
    Effect.gen(function* () {
      const cwd = yield* project({ "AGENTS.md": "\nUse tabs.\n---\nAlways.\n\n\n" })
      const { alerts, text } = yield* render(cwd, "Body.  \n\n\n")
      assert.strictEqual(
        text,
        `Body.\n\n${boundaries}\n\n---\n\n## Project instructions (AGENTS.md)\n\n\nUse tabs.\n---\nAlways.`
      )
      assert.deepStrictEqual(alerts, [])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("fills in date and time in UTC, directory, language and the sorted tools", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 10, 5, 23, 4, 5, 678))
      const { text } = yield* render(
        yield* project({}),
        "{{date}} | {{time}} | {{datetime}} | {{language}} | {{tools}}"
      )
      assert.strictEqual(
        text,
        `2026-11-05 | 23:04:05 | 2026-11-05T23:04:05Z | German | Bash, Read, Write\n\n${boundaries}`
      )
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("says whether commands are fenced", () =>
    Effect.gen(function* () {
      const cwd = yield* project({})
      const instruction = yield* instructionFromText("x", "test")
      const input = { instruction, language: "", cwd, tools: [], scopeSummary }
      assert.include((yield* renderSystemPrompt({ ...input, sandbox: unfenced })).text, "Commands are not fenced")
      assert.include((yield* renderSystemPrompt({ ...input, sandbox: fenced })).text, "run in a sandbox that enforces")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("the built-in instruction uses no variable that does not exist, and reads as a whole", () =>
    Effect.gen(function* () {
      const instruction = yield* loadInstruction("$builtin/default", {})
      const { text } = yield* renderSystemPrompt({
        instruction,
        language: defaultLanguage,
        cwd: "/nowhere",
        tools: ["Read"],
        scopeSummary,
        sandbox: unfenced
      })
      assert.notMatch(text, /\{\{|\}\}|undefined/)
      assert.include(text, "Your working directory is /nowhere. Today is 1970-01-01 (UTC).")
      assert.include(text, "Your tools: Read.")
      assert.include(text, `Answer in ${defaultLanguage}.`)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})

describe("AGENTS.md", () => {
  const alerted = (cwd: string) =>
    Effect.map(render(cwd), ({ alerts, text }) => {
      assert.notInclude(text, "Project instructions")
      assert.deepStrictEqual(
        alerts.map(({ level, source }) => [level, source]),
        [["warn", "agents_md"]]
      )
      return alerts[0]?.message
    })

  it.effect("absent, empty, or only in a directory above: no section and no alert", () =>
    Effect.gen(function* () {
      const above = yield* project({ "AGENTS.md": "above", "inner/x": "", "empty/AGENTS.md": " \n" })
      for (const cwd of [`${above}/inner`, `${above}/empty`]) {
        assert.deepStrictEqual(yield* render(cwd), { text: `Body.\n\n${boundaries}`, alerts: [] })
      }
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("not UTF-8, a directory, a pipe, a link that leads out: an alert, and the pod goes on", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      assert.match(
        String(yield* alerted(yield* project({ "AGENTS.md": new Uint8Array([0x61, 0xff, 0x62]) }))),
        /AGENTS\.md is not used: .*AGENTS\.md is not UTF-8 text/
      )
      assert.match(String(yield* alerted(yield* project({ "AGENTS.md/x": "" }))), /not a regular file/)

      const pipe = yield* project({})
      assert.strictEqual(spawnSync("mkfifo", [`${pipe}/AGENTS.md`]).status, 0)
      assert.match(String(yield* alerted(pipe)), /not a regular file/)

      const secret = `${yield* project({ secret: "s3cret" })}/secret`
      const linked = yield* project({})
      yield* fs.symlink(secret, `${linked}/AGENTS.md`)
      assert.match(String(yield* alerted(linked)), /is a link that leads out of/)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("a link inside the project is followed", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cwd = yield* project({ "docs/AGENTS.md": "From docs." })
      yield* fs.symlink("docs/AGENTS.md", `${cwd}/AGENTS.md`)
      assert.match((yield* render(cwd)).text, /\n\nFrom docs\.$/)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("too long: cut before a character that does not fit, and the model is told", () =>
    Effect.gen(function* () {
      // 'é' has two bytes; after one 'a' the limit falls into the middle of one.
      const cwd = yield* project({ "AGENTS.md": `a${"é".repeat(projectInstructionsBytes)}` })
      const { alerts, text } = yield* render(cwd)
      const kept = text.slice(text.indexOf("(AGENTS.md)") + 13)
      assert.match(kept, /^aé+\n\n\[AGENTS\.md is long: only the first 65536 of its 131073 bytes are used\.\]$/)
      assert.strictEqual(kept.split("é").length - 1, projectInstructionsBytes / 2 - 1)
      assert.deepStrictEqual(alerts, [
        {
          level: "warn",
          source: "agents_md",
          message: "AGENTS.md is long: only the first 65536 of its 131073 bytes are used"
        }
      ])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
