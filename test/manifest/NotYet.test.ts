import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Manifest from "../../src/manifest/Manifest.ts"
import { notYet } from "../../src/manifest/NotYet.ts"
import { everything } from "./everything.ts"

const least: Manifest.ManifestInput = {
  pod: { name: "agent" },
  scope: { allow: [{ target: "/w", permission: "write" }] }
}
const subjects = (input: Manifest.ManifestInput) =>
  Effect.map(Manifest.make(input), (manifest) => notYet(manifest).map((line) => line.split(" ")[0]))

describe("what has no effect yet", () => {
  it.effect("nothing to say about a manifest that asks for nothing of it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* subjects(least), [])
      assert.deepStrictEqual(yield* subjects({ ...least, web: { enabled: false }, skills: {}, spawn: {} }), [])
      assert.deepStrictEqual(
        yield* subjects({
          ...least,
          permissions: { default_action: "allow", rule: [{ tool: "Bash", pattern: "rm *", action: "deny" }] }
        }),
        []
      )
    })
  )

  it.effect("one line for each thing that is asked for", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* subjects(everything), [
        "pod.pwd",
        "pod.prompt_pack",
        "session.record_event_trace",
        "[spawn]",
        "[compaction]",
        "[memory]",
        "[skills]"
      ])
      assert.deepStrictEqual(yield* subjects({ ...least, sandbox: { mode: "required", network: "deny" } }), [])
    })
  )
})
