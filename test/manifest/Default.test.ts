import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { defaultManifest, modelFromEnvironment } from "../../src/manifest/Default.ts"
import { isPodName, sanitisePodName } from "../../src/manifest/PodName.ts"

describe("the default manifest", () => {
  it.effect("is named after its directory, may write there and nowhere else, and has nothing else on", () =>
    Effect.gen(function* () {
      const { manifest } = yield* defaultManifest({ cwd: "/home/me/My Project!", env: {} })
      assert.strictEqual(manifest.pod.name, "My-Project")
      assert.deepStrictEqual(manifest.scope, {
        allow: [{ target: "/home/me/My Project!", permission: "write", recursive: true }],
        deny: []
      })
      assert.deepStrictEqual([manifest.memory, manifest.web, manifest.permissions], [undefined, undefined, undefined])
    })
  )

  it.effect("a working directory that is not absolute is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(defaultManifest({ cwd: "project", env: {} }))
      assert.include(error.message, "scope.allow[0].target")
    })
  )

  it("takes the model that the environment has a key for, in this order", () => {
    const choose = (env: Record<string, string>) => modelFromEnvironment(env).model
    assert.match(
      String(choose({ ANTHROPIC_API_KEY: "a", OPENAI_API_KEY: "b", GEMINI_API_KEY: "c" }).ref),
      /^anthropic\//
    )
    assert.match(String(choose({ OPENAI_API_KEY: "b", GEMINI_API_KEY: "c" }).ref), /^openai\//)
    assert.match(String(choose({ ANTHROPIC_API_KEY: "", OPENAI_API_KEY: "b" }).ref), /^openai\//)
    assert.deepStrictEqual(choose({}), { scheme: "offline" })
    assert.match(String(choose({ GEMINI_API_KEY: "c" }).ref), /^gemini\//)
    assert.match(String(choose({ OPENAI_API_KEY: "", GOOGLE_API_KEY: "c" }).ref), /^gemini\//)
  })

  it("says why it is offline", () => {
    assert.match(modelFromEnvironment({}).notes.join(), /No model key found.*ANTHROPIC_API_KEY/)
    assert.deepStrictEqual(modelFromEnvironment({ ANTHROPIC_API_KEY: "a" }).notes, [])
  })
})

describe("pod names", () => {
  it("are checked", () => {
    for (const name of ["a", "A-b_c.9", "x".repeat(64), "-"]) assert.isTrue(isPodName(name), name)
    for (const name of ["", ".", "..", ".a", "a/b", "a b", "ä", "x".repeat(65), "a\n"]) {
      assert.isFalse(isPodName(name), JSON.stringify(name))
    }
  })

  it.prop("whatever the directory is called, a valid name comes of it", [Schema.String], ([text]) => {
    assert.isTrue(isPodName(sanitisePodName(text)), JSON.stringify(sanitisePodName(text)))
  })

  it("a valid name stays as it is, as far as it can", () => {
    assert.strictEqual(sanitisePodName("my.project_1"), "my.project_1")
    assert.strictEqual(sanitisePodName(".hidden"), "hidden")
    assert.strictEqual(sanitisePodName("Café au lait"), "Cafe-au-lait")
    assert.strictEqual(sanitisePodName("東京"), "pod")
    assert.strictEqual(sanitisePodName("x".repeat(100)), "x".repeat(64))
    assert.strictEqual(sanitisePodName(`${"x".repeat(63)} y`), "x".repeat(63))
  })
})
