import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { loadInstruction } from "../../src/knowledge/Instruction.ts"
import { renderTemplate } from "../../src/knowledge/Template.ts"

const values = { date: "D", time: "T", datetime: "DT", cwd: "/w", language: "L", tools: "X" }

const directories = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const root = yield* fs.makeTempDirectoryScoped()
  yield* fs.makeDirectory(`${root}/user/team`, { recursive: true })
  yield* fs.makeDirectory(`${root}/workspace`)
  yield* fs.writeFileString(`${root}/user/plain.md`, "user plain in {{cwd}}")
  yield* fs.writeFileString(`${root}/user/team/reviewer.md`, "review")
  yield* fs.writeFileString(`${root}/workspace/mine.md`, "workspace")
  yield* fs.writeFileString(`${root}/workspace/broken.md`, "one\n{{tool}}")
  yield* fs.writeFileString(`${root}/workspace/huge.md`, "x".repeat(300_000))
  yield* fs.writeFileString(`${root}/outside.md`, "outside")
  yield* fs.symlink(`${root}/outside.md`, `${root}/workspace/escape.md`)
  yield* fs.symlink(`${root}/outside.md`, `${root}/user/shared.md`)
  return { user: `${root}/user`, workspace: `${root}/workspace` }
})

const text = (reference: string) =>
  Effect.gen(function* () {
    const loaded = yield* Effect.result(loadInstruction(reference, yield* directories))
    return loaded._tag === "Success" ? renderTemplate(loaded.success, values) : `! ${loaded.failure.message}`
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

describe("instructions by reference", () => {
  it.effect("are found in their own place", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* text("$user/plain"), "user plain in /w")
      assert.strictEqual(yield* text("$user/plain.md"), "user plain in /w")
      assert.strictEqual(yield* text("$user/team/reviewer"), "review")
      assert.strictEqual(yield* text("$workspace/mine"), "workspace")
      assert.include(yield* text("$builtin/default"), "Your tools: X.")
    })
  )

  it.effect("are not looked for anywhere else", () =>
    Effect.gen(function* () {
      assert.match(yield* text("$workspace/plain"), /^! \$workspace\/plain: \/.*\/workspace\/plain\.md does not exist$/)
      assert.match(yield* text("$user/default"), /does not exist/)
      assert.match(yield* text("$builtin/mine"), /there is no such prompt \(known: \$builtin\/default\)/)
    })
  )

  it.effect("cannot climb, and are never a text themselves", () =>
    Effect.gen(function* () {
      for (const reference of [
        "$user/../workspace/mine",
        "$user/./plain",
        "$user//plain",
        "$user/",
        "$user",
        "$other/x",
        "plain",
        "/etc/passwd",
        "You are an agent."
      ]) {
        assert.match(yield* text(reference), /not a reference to a prompt/, reference)
      }
    })
  )

  it.effect("a project's prompt must lie in the project; the user's own may be a link", () =>
    Effect.gen(function* () {
      assert.match(yield* text("$workspace/escape"), /is a link that leads out of/)
      assert.strictEqual(yield* text("$user/shared"), "outside")
    })
  )

  it.effect("a bad template names file, line and the variable that was meant", () =>
    Effect.gen(function* () {
      assert.match(
        yield* text("$workspace/broken"),
        /^! \$workspace\/broken \(\/.*\/broken\.md\), line 2: there is no variable `tool` \(did you mean `tools`\?\)$/
      )
      assert.match(yield* text("$workspace/huge"), /is longer than 262144 bytes/)
    })
  )

  it.effect("a place that is not known here is said to be unknown", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(loadInstruction("$user/plain", {}))
      assert.strictEqual(error.message, "$user/plain: no user prompt directory is known here")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
